"""Distance ranges in metres from source to microphone, for the whole package."""

from __future__ import annotations

Range = tuple[float, float]

NEAR = (0.2, 0.8)
UR0 = (0.5, 0.8)  # boundary band, which the published system assigns to the far output
GUARD = (0.8, 1.2)  # not used in training
FAR_INDOOR = (1.2, 6.0)
FAR_OUTDOOR = (1.2, 15.0)


def far_limits(environment: str) -> Range:
    """Return the far range of an environment, in metres."""
    return FAR_INDOOR if environment == "indoor" else FAR_OUTDOOR


def far_span(far: Range, environment: str) -> Range:
    """Return the part of the requested far range that fits into an environment."""
    return far[0], min(far[1], far_limits(environment)[1])


def limits(near: Range = NEAR, far: Range = FAR_OUTDOOR) -> dict[str, list[float]]:
    """Return the distances of near and far talkers in metres, in the form of a model card."""
    indoor, outdoor = (list(far_span(far, where)) for where in ("indoor", "outdoor"))
    return {"near": list(near), "far": indoor, "far_outdoor": outdoor}
