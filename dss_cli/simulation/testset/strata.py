"""Strata, the cells of a test set, and the presets: which strata, how many scenes of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..limits import GUARD, NEAR, UR0
from ..scenes import KINDS

Range = tuple[float, float]

ENVIRONMENTS = ("indoor", "outdoor")
SNRS = (None, 20.0, 10.0, 5.0, 0.0)
CATEGORIES = ("wind", "traffic", "crowd", "rain", "construction")


@dataclass(frozen=True)
class Stratum:
    """What the scenes of one cell have in common.

    Attributes:
        kind: a key of `scenes.KINDS`.
        environment: "indoor", "outdoor" or "measured".
        snr_db: talkers above the environmental noise; None leaves the noise out.
        near: distances of the near talker in metres, equal for one exact distance.
        beyond: where far begins, in metres.
        category: word that the category of the noise must contain, or None for any.
        facade: whether the wall of a house stands near, outdoors.
    """

    kind: str
    environment: str
    snr_db: float | None = None
    near: Range = NEAR
    beyond: float = GUARD[1]
    category: str | None = None
    facade: bool = False

    @property
    def near_band(self) -> Range | None:
        """Distances of the near talker, or None where nobody is near."""
        return self.near if KINDS[self.kind][0] else None

    @property
    def ur0(self) -> bool:
        """Whether the near talker stands in the boundary band UR-0."""
        return self.near_band is not None and UR0[0] <= self.near[0] and self.near[1] <= UR0[1]

    @property
    def name(self) -> str:
        """Of the files and of the random numbers: environment, kind, noise, distances in decimetres."""
        parts = [self.environment, *(["facade"] if self.facade else [])]
        parts.append(self.kind.lower().replace("+", ""))
        parts.append("clean" if self.snr_db is None else f"snr{self.snr_db:g}")
        if band := self.near_band:
            parts.append(
                "-".join(["n" + _tenths(band[0]), *([_tenths(band[1])] if band[0] < band[1] else [])])
            )
        if KINDS[self.kind][1] and self.beyond != GUARD[1]:
            parts.append("f" + _tenths(self.beyond))
        if self.category:
            parts.append(self.category)
        return "-".join(parts)

    def without_noise(self) -> Stratum:
        """The same cell without environmental noise."""
        return replace(self, snr_db=None, category=None)

    def measured(self) -> Stratum:
        """The same cell in measured rooms, which have the distances that they have."""
        return replace(self, environment="measured", near=NEAR, beyond=GUARD[1], facade=False)

    def split_at(self, threshold: float) -> Stratum:
        """The same cell with near and far on either side of a threshold in metres."""
        return replace(self, near=(NEAR[0], threshold), beyond=threshold)


def _tenths(metres: float) -> str:
    return f"{10 * metres:.4g}".zfill(2)


def _standard() -> list[Stratum]:
    bands = ((NEAR[0], UR0[0]), UR0)
    cells = [
        Stratum(kind, environment, snr, band)
        for environment in ENVIRONMENTS
        for kind in KINDS
        for snr in SNRS
        for band in (bands if KINDS[kind][0] else (NEAR,))
    ]
    echoes = [Stratum(kind, "outdoor", 20.0, facade=True) for kind in KINDS]
    return cells + echoes


def _quick() -> list[Stratum]:
    return [Stratum(kind, environment, 20.0) for environment in ENVIRONMENTS for kind in KINDS]


def _patterson() -> list[Stratum]:
    return [Stratum("1N+4F", "indoor", snr).split_at(1.5) for snr in (None, 20.0)]


def _ur0() -> list[Stratum]:
    distances = [tenths / 10 for tenths in range(3, 13)]
    return [Stratum("near-only", where, 20.0, (d, d)) for where in ENVIRONMENTS for d in distances]


def _noise() -> list[Stratum]:
    return [
        Stratum("1N+1F", "outdoor", snr, category=category)
        for category in CATEGORIES
        for snr in (20.0, 10.0, 5.0, 0.0, -5.0)
    ]


def _first() -> list[Stratum]:
    return [Stratum(kind, "indoor", 20.0) for kind in ("1N+1F", "near-only", "far-only")] + [
        Stratum("1N+1F", "outdoor", 20.0)
    ]


PRESETS: dict[str, tuple[Callable[[], list[Stratum]], int]] = {  # strata, scenes of each
    "standard": (_standard, 5),
    "quick": (_quick, 5),
    "patterson": (_patterson, 60),
    "ur0": (_ur0, 20),
    "noise": (_noise, 10),
    "first": (_first, 60),
}


def preset(name: str) -> tuple[list[Stratum], int]:
    """The strata of a preset, and how many scenes each has unless asked otherwise."""
    strata, count = PRESETS[name]
    return strata(), count
