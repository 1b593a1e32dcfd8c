"""All that is random in a scene: small numbers, and the microphone's hiss.

The same draw is mixed by NumPy (`mixing.mix`) and, many at a time, on an accelerator (`device_mixing`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..constants import SAMPLE_RATE
from .corpus import Material
from .recipe import CONVERSATIONS, KINDS, PREAMBLES, Recipe
from .recording_chain import Capture, draw_capture
from .turns import ALWAYS, FOREVER, Spans, clipped, draw_turns, shifted

Samples = NDArray[np.float32]
Decibels = NDArray[np.float64]  # at KNOTS

TURN_OVERLAP = 0.2  # of the scene, on average
KNOTS = np.array([60.0, 125, 250, 500, 1000, 2000, 4000, 8000])  # Hz, of the microphone's response


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
        spans: when it speaks, in samples of the scene and its taps.
    """

    role: str
    speaker: int
    first: int
    level_db: float
    response: int
    pace: float | None
    timbre: Decibels | None
    spans: Spans = ALWAYS


@dataclass(frozen=True)
class Tone:
    """A coloured stationary noise.

    Attributes:
        slope: in dB per octave, from 60 Hz on.
        level_db: of a typical near talker over it.
        samples: standard normal, as many as the scene has.
        first: where they were cut from a longer noise, if they were.
    """

    slope: float
    level_db: float
    samples: Samples
    first: int | None

    @property
    def colour(self) -> Decibels:
        """Its response at KNOTS, in dB."""
        return self.slope * np.log2(KNOTS / 1000)


@dataclass(frozen=True)
class Draw:
    """All that is random in a scene; what it sounds like follows from it, from material and responses.

    Attributes:
        length, taps: samples of the scene, and of the longest response: as many precede it.
        colour, corner: the microphone's response at KNOTS in dB, and its high-pass in Hz.
        balance: the near images' level above the far ones' in dB; None leaves it to the distances.
        hiss: the microphone's own noise, (length,), standard normal, `floor_db` below the talkers.
        hiss_first: where it was cut from a longer one, if it was.
        noise: group and first sample of the environmental noise, `snr_db` below the talkers, if any.
        free: whether `gain_db` is the mixture's level, or the device's gain.
        capture: what the device does beside, if anything.
        tone: stationary noise, if any.
        begins: sample before which there is digital silence.
        noise_spans: when the environmental noise is let through, in samples of the scene.
        active_levels: as of `Recipe`.
    """

    kind: str
    length: int
    taps: int
    voices: tuple[Voice, ...]
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
    tone: Tone | None = None
    begins: float = -FOREVER
    noise_spans: Spans = ALWAYS
    active_levels: bool = False


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
    spans: tuple[Sequence[Spans], Sequence[Spans]] | None = None,
) -> Draw:
    """Draw one scene; the order in which this asks `rng` is what makes a seed's scene.

    Args:
        responses: how many there are to choose from, near and far.
        taps: of the longest response.
        hiss: a long one to cut the microphone's noise from; None draws it afresh.
        spans: when each near and each far talker speaks, in samples of the scene; None draws them by kind,
            and any name is a kind with them.
        rng, kind, recipe, speech, noise, length, snr_db, noise_groups: as of `render`.
    """
    counts = _draw_counts(rng, kind) if spans is None else (len(spans[0]), len(spans[1]))
    weights = _weights(speech, recipe.talker_seconds)
    speakers = rng.choice(len(speech.spans), sum(counts), replace=False, p=weights)
    preamble, spoken_from = _draw_preamble(rng, recipe, length)
    if spans is None:
        when = _draw_spans(rng, kind, recipe, counts, length, taps, spoken_from)
    else:
        when = [shifted(own, taps) for own in (*spans[0], *spans[1])]
    colour = rng.normal(0, recipe.colour, len(KNOTS))
    corner = rng.uniform(40, 120)
    near = _draw_voices(rng, recipe, "near", speech, speakers[: counts[0]], when[: counts[0]], responses[0])
    far = _draw_voices(rng, recipe, "far", speech, speakers[counts[0] :], when[counts[0] :], responses[1])
    voices = tuple(voice for voice in near + far if voice.spans)
    balance = _draw_balance(rng, recipe, {voice.role for voice in voices})
    own, first = _draw_hiss(rng, length, hiss)
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
        voices,
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
        _draw_tone(rng, recipe, length, hiss),
        spoken_from if preamble == "silence" else -FOREVER,
        _noise_spans(preamble, spoken_from),
        recipe.active_levels,
    )


def draw_snr(rng: np.random.Generator, recipe: Recipe) -> float | None:
    """A noise level for one scene: None, or dB below the talkers."""
    return None if rng.uniform() < recipe.clean else float(rng.uniform(*recipe.snr))


def draw_kind(rng: np.random.Generator, recipe: Recipe) -> str:
    """A kind of scene by the recipe's shares."""
    shares = np.array(list(recipe.kinds.values()))
    return str(rng.choice(list(recipe.kinds), p=shares / shares.sum()))


def _draw_counts(rng: np.random.Generator, kind: str) -> tuple[int, int]:
    """Draw how many talkers near and far a scene has."""
    if kind in KINDS:
        return KINDS[kind]
    near, most = CONVERSATIONS[kind]
    return near, int(rng.integers(1, most + 1)) if most else 0


def _weights(speech: Material, seconds: float) -> Decibels | None:
    """Return the probability of each talker, or None where all are alike."""
    if not seconds:
        return None
    counted = np.minimum(np.diff(speech.spans, axis=1)[:, 0], seconds * SAMPLE_RATE)
    return np.asarray(counted / counted.sum(), np.float64)


def _draw_preamble(rng: np.random.Generator, recipe: Recipe, length: int) -> tuple[str, int]:
    """Draw what is heard before anybody speaks, and the sample at which it ends."""
    if not recipe.preamble:
        return "none", 0
    shares = np.array([recipe.preamble.get(name, 0.0) for name in PREAMBLES])
    name = str(rng.choice(PREAMBLES, p=shares / shares.sum()))
    share = rng.uniform(*recipe.preamble_share)
    return name, 0 if name == "none" else round(share * length)


def _noise_spans(preamble: str, spoken_from: float) -> Spans:
    """Return when the environmental noise is heard."""
    after, before = ((spoken_from, FOREVER),), ((-FOREVER, spoken_from),)
    return {"tone": after, "silence": after, "noise-ends": before}.get(preamble, ALWAYS)


def _draw_spans(
    rng: np.random.Generator,
    kind: str,
    recipe: Recipe,
    counts: tuple[int, int],
    length: int,
    taps: int,
    spoken_from: int,
) -> list[Spans]:
    """Draw when each talker speaks, near ones first, in samples of the scene and its taps."""
    if kind in KINDS:
        near, far = _draw_gates(rng, kind, length + taps)
        spans = [near] * counts[0] + [far] * counts[1]
    else:
        drawn = draw_turns(rng, recipe.turns, *counts, length - spoken_from)
        spans = [
            tuple((low + spoken_from + taps, high + spoken_from + taps) for low, high in s) for s in drawn
        ]
    return [clipped(s, spoken_from + taps) for s in spans] if spoken_from else spans


def _draw_gates(rng: np.random.Generator, kind: str, length: int) -> tuple[Spans, Spans]:
    """Draw when near and far talkers of the KINDS are let through: always, or in turns."""
    if kind == "far-only" and rng.uniform() < 0.5:  # half begin with the talker, half with a pause
        return ALWAYS, ((rng.uniform(0.1, 0.5) * length, FOREVER),)
    if kind != "turns":
        return ALWAYS, ALWAYS
    switch, overlap = rng.uniform(0.35, 0.65), rng.uniform(0.0, 2 * TURN_OVERLAP)
    first: Spans = ((-FOREVER, (switch + overlap / 2) * length),)
    second: Spans = (((switch - overlap / 2) * length, FOREVER),)
    return (first, second) if rng.uniform() < 0.5 else (second, first)


def _draw_balance(rng: np.random.Generator, recipe: Recipe, roles: Collection[str]) -> float | None:
    """Draw the near images' level above the far ones' in dB; None leaves it to the distances."""
    if len(roles) < 2:
        return None
    if recipe.television and rng.uniform() < recipe.television:
        return float(rng.uniform(*recipe.television_balance))
    balanced = recipe.balanced and rng.uniform() < recipe.balanced
    return float(rng.uniform(*recipe.balance)) if balanced else None


def _draw_hiss(rng: np.random.Generator, length: int, hiss: Samples | None) -> tuple[Samples, int | None]:
    """Draw white noise (length,), or cut it from `hiss`: then with its first sample."""
    if hiss is None:
        return rng.standard_normal(length).astype(np.float32), None
    first = int(rng.integers(len(hiss) - length + 1))
    return hiss[first:][:length], first


def _draw_tone(rng: np.random.Generator, recipe: Recipe, length: int, hiss: Samples | None) -> Tone | None:
    if not recipe.tone or rng.uniform() >= recipe.tone:
        return None
    slope, level = rng.uniform(*recipe.tone_slope), rng.uniform(*recipe.tone_db)
    return Tone(slope, level, *_draw_hiss(rng, length, hiss))


def _draw_voices(
    rng: np.random.Generator,
    recipe: Recipe,
    role: str,
    speech: Material,
    speakers: NDArray[np.int64],
    spans: Sequence[Spans],
    responses: int,
) -> list[Voice]:
    """Draw the voices of a role, each with one of so many responses."""
    chosen = rng.choice(responses, len(speakers), replace=False)
    voices = zip(speakers, chosen, spans, strict=True)
    return [_draw_voice(rng, recipe, role, speech, *voice) for voice in voices]


def _draw_voice(
    rng: np.random.Generator,
    recipe: Recipe,
    role: str,
    speech: Material,
    speaker: int,
    response: int,
    spans: Spans,
) -> Voice:
    decibels = float(np.clip(rng.normal(0, recipe.level_spread), -8, 8))
    first = speech.draw_start(rng, speaker)
    pace = (1 + recipe.pace) ** rng.uniform(-1, 1) if recipe.pace else None
    timbre = rng.normal(0, recipe.timbre, len(KNOTS)) if recipe.timbre else None
    return Voice(role, int(speaker), first, decibels, int(response), pace, timbre, spans)
