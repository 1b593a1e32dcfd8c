"""The vocabulary of distances, in metres from source to microphone. Everything else refers to these."""

from __future__ import annotations

Range = tuple[float, float]

NEAR = (0.2, 0.8)
UR0 = (0.5, 0.8)  # the boundary band that the published system sends to the far output
GUARD = (0.8, 1.2)  # never trained on
FAR_INDOOR = (1.2, 6.0)
FAR_OUTDOOR = (1.2, 15.0)


def far_limits(environment: str) -> Range:
    """Return the far range of an environment, in metres."""
    return FAR_INDOOR if environment == "indoor" else FAR_OUTDOOR


def far_span(far: Range, environment: str) -> Range:
    """Return what an environment has room for of the far range asked for."""
    return far[0], min(far[1], far_limits(environment)[1])


def limits(near: Range = NEAR, far: Range = FAR_OUTDOOR) -> dict[str, list[float]]:
    """Return the distances of near and far talkers in metres, as a model card has them."""
    indoor, outdoor = (list(far_span(far, where)) for where in ("indoor", "outdoor"))
    return {"near": list(near), "far": indoor, "far_outdoor": outdoor}
