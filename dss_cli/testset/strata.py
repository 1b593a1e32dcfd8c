"""Strata of a test set: those of a preset, or all combinations of options."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ..distances import GUARD, NEAR, UR0, Range
from ..errors import UsageError
from ..simulation.recipe import KINDS
from .preambles import SOUNDS
from .stories import LEAST, STORIES

ENVIRONMENTS = ("indoor", "outdoor")
SNRS = (None, 20.0, 10.0, 5.0, 0.0)
CATEGORIES = ("wind", "traffic", "crowd", "rain", "construction")
CLEAN = "clean"  # instead of a level: no environmental noise
LEVELS = (-60.0, 60.0)  # allowed range of the signal-to-noise ratio in dB
NEAREST = 0.05  # least start of a near band in metres
CONVERSATION = 40.0  # default duration of a conversation in seconds
COUNT = 5  # default number of scenes in each stratum


@dataclass(frozen=True)
class Company:
    """Company: a part of the recording before or after the scored conversation.

    Attributes:
        sound: key of `preambles.SOUNDS`, or "recording": another conversation in another place.
        seconds: duration.
        after: whether the company comes after the conversation.
    """

    sound: str
    seconds: float
    after: bool = False

    @property
    def name(self) -> str:
        """Part of the name of a stratum."""
        return f"{'then-' if self.after else ''}{self.sound}{self.seconds:g}"


@dataclass(frozen=True)
class Stratum:
    """Common settings of the scenes of one stratum.

    Attributes:
        kind: key of `mixing.KINDS` or of `stories.STORIES`.
        environment: "indoor", "outdoor" or "measured".
        snr_db: signal-to-noise ratio in dB; None: no environmental noise.
        near: range of the near talker's distance in metres, two equal values for one exact distance.
        beyond: least distance of far talkers in metres.
        category: word that the category of the noise must contain, or None for any.
        facade: whether a wall of a house is near, outdoors.
        seconds: duration of the scenes without company; None: as in the test set.
        company: company before or after each scene, if any.
    """

    kind: str
    environment: str
    snr_db: float | None = None
    near: Range = NEAR
    beyond: float = GUARD[1]
    category: str | None = None
    facade: bool = False
    seconds: float | None = None
    company: Company | None = None

    @property
    def near_band(self) -> Range | None:
        """Range of the near talker's distance, or None without a near talker."""
        return self.near if LEAST[self.kind][0] else None

    @property
    def ur0(self) -> bool:
        """True if the near talker is in the boundary band UR-0."""
        return self.near_band is not None and UR0[0] <= self.near[0] and self.near[1] <= UR0[1]

    @property
    def name(self) -> str:
        """Name for files and random numbers: environment, kind, noise, distances in decimetres, and more."""
        parts = [self.environment, *(["facade"] if self.facade else [])]
        parts.append(self.kind.lower().replace("+", ""))
        parts.append(CLEAN if self.snr_db is None else f"snr{self.snr_db:g}")
        if band := self.near_band:
            parts.append(
                "-".join(["n" + _tenths(band[0]), *([_tenths(band[1])] if band[0] < band[1] else [])])
            )
        if LEAST[self.kind][1] and self.beyond != GUARD[1]:
            parts.append("f" + _tenths(self.beyond))
        if self.category:
            parts.append(self.category)
        if self.seconds is not None:
            parts.append(f"{self.seconds:g}s")
        if self.company:
            parts.append(self.company.name)
        return "-".join(parts)

    def alone(self) -> Stratum:
        """Return the stratum without company, which has the same conversations."""
        return replace(self, company=None)

    def without_noise(self) -> Stratum:
        """Return the stratum without environmental noise."""
        return replace(self, snr_db=None, category=None)

    def measured(self) -> Stratum:
        """Return the stratum in measured rooms, whose distances are fixed."""
        return replace(self, environment="measured", near=NEAR, beyond=GUARD[1], facade=False)

    def split_at(self, threshold: float, near: Range | None = None) -> Stratum:
        """Return the stratum with near and far on the two sides of a threshold.

        Args:
            threshold: start of far and end of near, in metres.
            near: narrower range of the near talker's distance, if any.
        """
        return replace(self, near=near or (NEAR[0], threshold), beyond=threshold)


def _tenths(metres: float) -> str:
    return f"{10 * metres:.4g}".zfill(2)


@dataclass(frozen=True)
class Cells:
    """Options of the command line for strata; their combinations are the strata.

    Empty options have the defaults of the preset `quick`: all KINDS, both environments, 20 dB, the whole near
    band, any noise.

    Attributes:
        kinds: keys of `mixing.KINDS` or `stories.STORIES`, in upper or lower case.
        environments: members of ENVIRONMENTS.
        snrs: signal-to-noise ratios in dB, or "clean".
        near: range of the near talker's distance in metres, two equal values for one exact distance.
        categories: words that the category of the noise must contain.
        seconds: duration of the scenes of `stories.STORIES`; None: CONVERSATION.
    """

    kinds: Sequence[str] = ()
    environments: Sequence[str] = ()
    snrs: Sequence[str] = ()
    near: Range | None = None
    categories: Sequence[str] = ()
    seconds: float | None = None

    @property
    def given(self) -> list[str]:
        """Names of the options that were given."""
        values = {
            "--kind": self.kinds,
            "--environment": self.environments,
            "--snr": self.snrs,
            "--near": self.near,
            "--category": self.categories,
        }
        return [option for option, value in values.items() if value]

    def strata(self, threshold: float | None = None) -> list[Stratum]:
        """Return the strata, without duplicates.

        Args:
            threshold: end of near in metres, to check the near band; the strata are not split.

        Raises:
            UsageError: a word is unknown, a level or band is out of range, or an option has no effect.
        """
        kinds = [_known("--kind", kind, LEAST) for kind in self.kinds] or list(KINDS)
        environments = [_known("--environment", e, ENVIRONMENTS) for e in self.environments]
        snrs = [_level(snr) for snr in self.snrs] or [20.0]
        categories = [_word(category) for category in self.categories]
        if categories and snrs == [None] * len(snrs):
            raise UsageError(f"--category {categories[0]}: without effect, every --snr is {CLEAN}")
        if self.near is not None:
            _check_near(self.near, kinds, threshold)
        cells = [
            Stratum(
                kind,
                environment,
                snr,
                self.near or NEAR,
                category=category,
                seconds=(self.seconds or CONVERSATION) if kind in STORIES else None,
            )
            for environment in environments or ENVIRONMENTS
            for kind in kinds
            for snr in snrs
            for category in (categories if categories and snr is not None else [None])
        ]
        return list(dict.fromkeys(cells))


def _known(option: str, word: str, known: Iterable[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    if word.lower() not in by_lower:
        raise UsageError(f"{option} {word}: unknown; there are {', '.join(by_lower.values())}")
    return by_lower[word.lower()]


def _level(word: str) -> float | None:
    if word.lower() == CLEAN:
        return None
    try:
        level = float(word) + 0.0  # minus zero would get another name
    except ValueError:
        level = float("nan")
    if not LEVELS[0] <= level <= LEVELS[1]:
        raise UsageError(f"--snr {word}: dB from {LEVELS[0]:g} to {LEVELS[1]:g}, or {CLEAN}")
    return level


def _word(word: str) -> str:
    if not re.fullmatch("[A-Za-z0-9]+", word):
        raise UsageError(f"--category {word}: one word of letters and digits, such as {CATEGORIES[0]}")
    return word.lower()


def _check_near(near: Range, kinds: Iterable[str], threshold: float | None) -> None:
    low, high = near
    asked = f"--near {low:g} {high:g}"
    talkers = [LEAST[kind] for kind in kinds if LEAST[kind][0]]
    if not NEAREST <= low <= high:
        raise UsageError(f"{asked}: LOW HIGH in metres, from {NEAREST:g}, the greater one last")
    if not talkers:
        raise UsageError(f"{asked}: without effect, there is no near talker in {', '.join(kinds)}")
    if threshold is not None:
        if high > threshold:
            raise UsageError(f"{asked}: beyond --threshold {threshold:g}, where far begins")
    elif high > GUARD[1]:
        raise UsageError(f"{asked}: far begins at {GUARD[1]:g} m; --threshold moves the limit")
    elif high > GUARD[0] and any(far for _, far in talkers):
        raise UsageError(
            f"{asked}: near ends at {GUARD[0]:g} m; distances up to {GUARD[1]:g} m are only for "
            "--kind near-only; --threshold moves the limit"
        )


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
    return Cells().strata()


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


def _conversations() -> list[Stratum]:
    return [
        Stratum("conversation", environment, snr, seconds=seconds)
        for seconds, snrs in ((CONVERSATION, (20.0, 10.0)), (300.0, (20.0,)))
        for environment in ENVIRONMENTS
        for snr in snrs
    ]


def _preambles() -> list[Stratum]:
    alone = Stratum("conversation", "indoor", 20.0, seconds=CONVERSATION)
    front = [Company(sound, seconds) for sound in SOUNDS for seconds in (20.0, 120.0)]
    both = [Company("recording", 40.0, after) for after in (False, True)]
    changes = [replace(alone, kind=kind) for kind in STORIES if kind != alone.kind]
    return [alone, *(replace(alone, company=company) for company in front + both), *changes]


PRESETS: dict[str, tuple[Callable[[], list[Stratum]], int]] = {  # strata, scenes of each
    "standard": (_standard, COUNT),
    "quick": (_quick, COUNT),
    "patterson": (_patterson, 60),
    "ur0": (_ur0, 20),
    "noise": (_noise, 10),
    "first": (_first, 60),
    "conversations": (_conversations, 8),
    "preambles": (_preambles, 6),
}


def preset(name: str) -> tuple[list[Stratum], int]:
    """Return the strata of a preset, and the default number of scenes in each."""
    strata, count = PRESETS[name]
    return strata(), count
