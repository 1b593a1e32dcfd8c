"""Draw scenes: all random numbers of a scene, and the hiss of the microphone.

A drawn scene is mixed by NumPy (`mixing.mix`) or, many at a time, on an accelerator (`device_mixing`).
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

TURN_OVERLAP = 0.2  # average share of the scene
KNOTS = np.array([60.0, 125, 250, 500, 1000, 2000, 4000, 8000])  # Hz, for the microphone's response


@dataclass(frozen=True)
class Voice:
    """One talker of a drawn scene.

    Attributes:
        role: "near" or "far".
        speaker: group of the talker in the speech.
        first: first sample in that group.
        level_db: deviation of the speaking level in dB.
        response: index among the responses of the role.
        pace: playing speed, 1.1 is a tenth faster; None: as recorded.
        timbre: response of the voice at KNOTS in dB, or None.
        spans: intervals of speech, in samples of the scene plus its taps.
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
    """Coloured stationary noise of a drawn scene.

    Attributes:
        slope: slope in dB per octave, above 60 Hz.
        level_db: level of a typical near talker relative to the noise in dB.
        samples: white noise (standard normal), as long as the scene.
        first: first sample in a longer noise, None without one.
    """

    slope: float
    level_db: float
    samples: Samples
    first: int | None

    @property
    def colour(self) -> Decibels:
        """Response of the noise at KNOTS in dB."""
        return self.slope * np.log2(KNOTS / 1000)


@dataclass(frozen=True)
class Draw:
    """All random numbers of a scene, which determine it together with material and responses.

    Attributes:
        kind: kind of scene.
        length, taps: length of the scene and of the longest response in samples; as many taps precede the
            scene.
        voices: talkers.
        colour, corner: response of the microphone at KNOTS in dB, and corner of its high-pass in Hz.
        balance: level of the near images relative to the far ones in dB; None: by the distances.
        hiss: noise of the microphone (length,), standard normal.
        hiss_first: first sample in a longer noise, None without one.
        floor_db: level of that noise relative to the talkers in dB.
        noise: group and first sample of the environmental noise, if any.
        snr_db: signal-to-noise ratio in dB.
        free: whether `gain_db` is the level of the mixture, and not the gain of the device.
        gain_db: level or gain in dB.
        capture: further effects of the device, if any.
        tone: stationary noise, if any.
        begins: end of the digital silence at the start, in samples.
        noise_spans: intervals of the environmental noise, in samples of the scene.
        active_levels: as in `Recipe`.
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
    """Draw one scene. The order of the calls to `rng` is part of the reproducibility.

    Args:
        rng, kind, recipe, speech, noise, length, snr_db, noise_groups: as in `mixing.render`.
        responses: numbers of near and far responses to choose from.
        taps: length of the longest response in samples.
        hiss: long noise from which the microphone's noise is taken; None: new noise.
        spans: intervals of speech of each near and each far talker, in samples of the scene; None: drawn by
            kind. With intervals, `kind` may be any name.
    """
    counts = _draw_counts(rng, kind) if spans is None else (len(spans[0]), len(spans[1]))
    weights = _weights(speech, recipe.talker_seconds)
    speakers = rng.choice(len(speech.spans), sum(counts), replace=False, p=weights)
    preamble, spoken_from = _draw_preamble(rng, recipe, length)
    if preamble == "loud":
        snr_db = -float(rng.uniform(*recipe.loud_db))
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
    """Draw the signal-to-noise ratio of a scene in dB; None for no noise."""
    return None if rng.uniform() < recipe.clean else float(rng.uniform(*recipe.snr))


def draw_kind(rng: np.random.Generator, recipe: Recipe, outdoor: bool) -> str:
    """Draw a kind of scene by the recipe's shares for indoor or outdoor scenes."""
    kinds = (outdoor and recipe.outdoor_kinds) or recipe.kinds
    shares = np.array(list(kinds.values()))
    return str(rng.choice(list(kinds), p=shares / shares.sum()))


def _draw_counts(rng: np.random.Generator, kind: str) -> tuple[int, int]:
    """Draw the numbers of near and far talkers of a scene."""
    if kind in KINDS:
        return KINDS[kind]
    near, most = CONVERSATIONS[kind]
    return near, int(rng.integers(1, most + 1)) if most else 0


def _weights(speech: Material, seconds: float) -> Decibels | None:
    """Return the probability of each talker, or None for equal probabilities."""
    if not seconds:
        return None
    counted = np.minimum(np.diff(speech.spans, axis=1)[:, 0], seconds * SAMPLE_RATE)
    return np.asarray(counted / counted.sum(), np.float64)


def _draw_preamble(rng: np.random.Generator, recipe: Recipe, length: int) -> tuple[str, int]:
    """Draw the preamble, and the sample at which it ends."""
    if not recipe.preamble:
        return "none", 0
    shares = np.array([recipe.preamble.get(name, 0.0) for name in PREAMBLES])
    name = str(rng.choice(PREAMBLES, p=shares / shares.sum()))
    share = rng.uniform(*recipe.preamble_share)
    return name, 0 if name == "none" else round(share * length)


def _noise_spans(preamble: str, spoken_from: float) -> Spans:
    """Return the intervals of the environmental noise."""
    after, before = ((spoken_from, FOREVER),), ((-FOREVER, spoken_from),)
    return {"tone": after, "silence": after, "noise-ends": before, "loud": before}.get(preamble, ALWAYS)


def _draw_spans(
    rng: np.random.Generator,
    kind: str,
    recipe: Recipe,
    counts: tuple[int, int],
    length: int,
    taps: int,
    spoken_from: int,
) -> list[Spans]:
    """Draw the intervals of speech of each talker, near ones first, in samples of the scene plus its taps."""
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
    """Draw the intervals of near and far talkers in KINDS: always, or in turns."""
    if kind == "far-only" and rng.uniform() < 0.5:  # half of the scenes begin with a pause
        return ALWAYS, ((rng.uniform(0.1, 0.5) * length, FOREVER),)
    if kind != "turns":
        return ALWAYS, ALWAYS
    switch, overlap = rng.uniform(0.35, 0.65), rng.uniform(0.0, 2 * TURN_OVERLAP)
    first: Spans = ((-FOREVER, (switch + overlap / 2) * length),)
    second: Spans = (((switch - overlap / 2) * length, FOREVER),)
    return (first, second) if rng.uniform() < 0.5 else (second, first)


def _draw_balance(rng: np.random.Generator, recipe: Recipe, roles: Collection[str]) -> float | None:
    """Draw the level of the near images relative to the far ones in dB; None: by the distances."""
    if len(roles) < 2:
        return None
    if recipe.television and rng.uniform() < recipe.television:
        return float(rng.uniform(*recipe.television_balance))
    balanced = recipe.balanced and rng.uniform() < recipe.balanced
    return float(rng.uniform(*recipe.balance)) if balanced else None


def _draw_hiss(rng: np.random.Generator, length: int, hiss: Samples | None) -> tuple[Samples, int | None]:
    """Draw white noise (length,), or take it from `hiss`, with its first sample there."""
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
    """Draw the voices of a role, each with another of `responses` responses."""
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
