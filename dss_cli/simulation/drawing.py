"""What scenes are drawn from, and all that is random in one: small numbers, and the microphone's hiss.

The same draw is mixed by NumPy (`scenes.mix`) and, many at a time, on an accelerator (`training.mixing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..signal import SAMPLE_RATE
from .capture import Capture, draw_capture
from .material import Material

Samples = NDArray[np.float32]
Decibels = NDArray[np.float64]  # at KNOTS

KINDS = {  # talkers near and far; "turns" speak one after the other
    "near-only": (1, 0),
    "far-only": (0, 1),
    "1N+1F": (1, 1),
    "1N+2F": (1, 2),
    "1N+4F": (1, 4),
    "turns": (1, 1),
}
TURN_OVERLAP = 0.2  # of the scene, on average
KNOTS = np.array([60.0, 125, 250, 500, 1000, 2000, 4000, 8000])  # Hz, of the microphone's response


@dataclass(frozen=True)
class Recipe:
    """What scenes are drawn: shares of kinds, levels in dB.

    Attributes:
        kinds: relative frequency of each kind of scene.
        outdoor: share of outdoor places.
        clean: share of scenes without environmental noise.
        snr: range of the noise's level below the talkers', in dB.
        level_spread: standard deviation of the speaking level, in dB.
        gain_spread: standard deviation of the device's gain, in dB.
        free_gain: share of scenes whose level is drawn afresh (automatic gain, unknown device).
        colour: standard deviation of the microphone's response at each octave, in dB.
        balanced: share of scenes in which far talkers are as loud, relative to the near one, as `balance`
            says, whatever their distance (a raised voice, a loudspeaker): level must not decide.
        balance: range of the near images' level above the far ones', in dB.
        rt60: rooms that reverberate longer are left out, in seconds.
        measured: share of indoor scenes in measured rooms, where the bank has any.
        pace: voices are played up to this share faster or slower, pitch and vocal tract with them; few
            talkers become many.
        timbre: standard deviation of each voice's own response at each octave, in dB.
        captured: share of scenes that go through a device as of `capture`.
    """

    kinds: Mapping[str, float] = field(default_factory=lambda: {"1N+1F": 1.0})
    outdoor: float = 0.4
    clean: float = 0.2
    snr: tuple[float, float] = (0.0, 25.0)
    level_spread: float = 3.0
    gain_spread: float = 6.0
    free_gain: float = 0.3
    colour: float = 2.0
    balanced: float = 0.0
    balance: tuple[float, float] = (-3.0, 10.0)
    rt60: float = 1.5
    measured: float = 0.2
    pace: float = 0.0
    timbre: float = 0.0
    captured: float = 0.0


@dataclass(frozen=True)
class Voice:
    """One talker of a scene, as drawn.

    Attributes:
        role: "near" or "far".
        speaker: its group in the speech.
        first: the sample of that group which it begins with.
        level_db: of the speaking level.
        response: index among its role's.
        pace: 1.1 is a tenth faster; None is as recorded.
        timbre: its own response at KNOTS in dB, or None.
    """

    role: str
    speaker: int
    first: int
    level_db: float
    response: int
    pace: float | None
    timbre: Decibels | None


@dataclass(frozen=True)
class Gate:
    """When a role is let through: always, or from (rising) or until (falling) a sample, over 10 ms."""

    at: float = 0.0
    rising: bool | None = None

    WIDTH: ClassVar[int] = SAMPLE_RATE // 100

    def samples(self, length: int) -> Samples:
        """The gate as factors."""
        if self.rising is None:
            return np.ones(length, np.float32)
        ramp = np.clip((np.arange(length) - self.at) / Gate.WIDTH, 0, 1).astype(np.float32)
        return ramp if self.rising else 1 - ramp


@dataclass(frozen=True)
class Draw:
    """All that is random in a scene; what it sounds like follows from it, from material and responses.

    Attributes:
        length, taps: samples of the scene, and of the longest response: as many precede it.
        gates: of the near and of the far talkers, over both.
        colour, corner: the microphone's response at KNOTS in dB, and its high-pass in Hz.
        balance: the near images' level above the far ones' in dB; None leaves it to the distances.
        hiss: the microphone's own noise, (length,), standard normal, `floor_db` below the talkers.
        hiss_first: where it was cut from a longer one, if it was.
        noise: group and first sample of the environmental noise, `snr_db` below the talkers, if any.
        free: whether `gain_db` is the mixture's level, or the device's gain.
        capture: what the device does beside, if anything.
    """

    kind: str
    length: int
    taps: int
    voices: tuple[Voice, ...]
    gates: tuple[Gate, Gate]
    colour: Decibels
    corner: float
    balance: float | None
    hiss: Samples
    hiss_first: int | None
    floor_db: float
    noise: tuple[int, int] | None
    snr_db: float | None
    free: bool
    gain_db: float
    capture: Capture | None


def draw(
    rng: np.random.Generator,
    kind: str,
    recipe: Recipe,
    responses: tuple[int, int],
    taps: int,
    speech: Material,
    noise: Material | None,
    length: int,
    snr_db: float | None = None,
    noise_groups: Sequence[int] | None = None,
    hiss: Samples | None = None,
) -> Draw:
    """Draw one scene; the order in which this asks `rng` is what makes a seed's scene.

    Args:
        responses: how many there are to choose from, near and far.
        taps: of the longest response.
        hiss: a long one to cut the microphone's noise from; None draws it afresh.
        rng, kind, recipe, speech, noise, length, snr_db, noise_groups: as of `render`.
    """
    near_count, far_count = KINDS[kind]
    speakers = rng.choice(len(speech.spans), near_count + far_count, replace=False)
    gates = _draw_gates(rng, kind, length + taps)
    colour = rng.normal(0, recipe.colour, len(KNOTS))
    corner = rng.uniform(40, 120)
    voices: list[Voice] = []
    for role, who, count in (
        ("near", speakers[:near_count], responses[0]),
        ("far", speakers[near_count:], responses[1]),
    ):
        chosen = rng.choice(count, len(who), replace=False)
        voices += [_draw_voice(rng, recipe, role, speech, *pair) for pair in zip(who, chosen, strict=True)]
    balanced = near_count and far_count and recipe.balanced and rng.uniform() < recipe.balanced
    balance = rng.uniform(*recipe.balance) if balanced else None
    first = None if hiss is None else int(rng.integers(len(hiss) - length + 1))
    own = rng.standard_normal(length).astype(np.float32) if hiss is None else hiss[first:][:length]
    floor_db = -rng.uniform(40, 70)
    place = None
    if noise is not None and snr_db is not None:
        groups = range(len(noise.spans)) if noise_groups is None else noise_groups
        group = groups[int(rng.integers(len(groups)))]
        place = group, noise.draw_start(rng, group)
    free = bool(rng.uniform() < recipe.free_gain)
    gain_db = rng.uniform(-45, -15) if free else rng.normal(0, recipe.gain_spread)
    return Draw(
        kind,
        length,
        taps,
        tuple(voices),
        gates,
        colour,
        corner,
        balance,
        own,
        first,
        floor_db,
        place,
        snr_db,
        free,
        gain_db,
        draw_capture(rng) if recipe.captured and rng.uniform() < recipe.captured else None,
    )


def draw_snr(rng: np.random.Generator, recipe: Recipe) -> float | None:
    """A noise level for one scene: None, or dB below the talkers."""
    return None if rng.uniform() < recipe.clean else float(rng.uniform(*recipe.snr))


def draw_kind(rng: np.random.Generator, recipe: Recipe) -> str:
    """A kind of scene by the recipe's shares."""
    shares = np.array(list(recipe.kinds.values()))
    return str(rng.choice(list(recipe.kinds), p=shares / shares.sum()))


def _draw_gates(rng: np.random.Generator, kind: str, length: int) -> tuple[Gate, Gate]:
    """When near and far talkers are let through: always, or in turns."""
    if kind == "far-only" and rng.uniform() < 0.5:  # half begin with the talker, half with a pause
        return Gate(), Gate(rng.uniform(0.1, 0.5) * length, rising=True)
    if kind != "turns":
        return Gate(), Gate()
    switch, overlap = rng.uniform(0.35, 0.65), rng.uniform(0.0, 2 * TURN_OVERLAP)
    first = Gate((switch + overlap / 2) * length, rising=False)
    second = Gate((switch - overlap / 2) * length, rising=True)
    return (first, second) if rng.uniform() < 0.5 else (second, first)


def _draw_voice(
    rng: np.random.Generator, recipe: Recipe, role: str, speech: Material, speaker: int, response: int
) -> Voice:
    decibels = float(np.clip(rng.normal(0, recipe.level_spread), -8, 8))
    first = speech.draw_start(rng, speaker)
    pace = (1 + recipe.pace) ** rng.uniform(-1, 1) if recipe.pace else None
    timbre = rng.normal(0, recipe.timbre, len(KNOTS)) if recipe.timbre else None
    return Voice(role, int(speaker), first, decibels, int(response), pace, timbre)
