"""Scenes: who speaks where, how loud, over what noise, through which microphone.

`mixture = near + far + noise`, sample by sample; near and far are the reverberant images at the
microphone, so the task is separation, not dereverberation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import fft

from ..signal import SAMPLE_RATE
from .material import Material

Samples = NDArray[np.float32]

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
        pace: voices are played up to this share faster or slower, pitch and vocal tract with them; few
            talkers become many.
        timbre: standard deviation of each voice's own response at each octave, in dB.
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
    rt60: float = 0.9
    pace: float = 0.0
    timbre: float = 0.0


@dataclass(frozen=True)
class Scene:
    """Samples of one scene at 16 kHz, float32, all of one length, and how it was drawn.

    Attributes:
        drawn: every number drawn, fit for JSON: `talkers` (role, speaker, offset in its recordings in
            seconds, level in dB, index of its response), pauses, noise, microphone, gain.
    """

    kind: str
    mixture: Samples
    near: Samples
    far: Samples
    noise: Samples
    snr_db: float | None
    drawn: dict[str, Any] = field(default_factory=dict)


def render(
    rng: np.random.Generator,
    kind: str,
    recipe: Recipe,
    near: Sequence[NDArray[np.floating]],
    far: Sequence[NDArray[np.floating]],
    speech: Material,
    noise: Material | None,
    length: int,
    snr_db: float | None = None,
    noise_groups: Sequence[int] | None = None,
) -> Scene:
    """Render one scene of `length` samples.

    Args:
        rng: all randomness comes from here.
        kind: a key of KINDS.
        recipe: levels and the microphone.
        near, far: responses to choose from; as many are used as the kind has talkers.
        speech, noise: dry material; without `noise` the scene has only the microphone's own.
        length: samples at 16 kHz.
        snr_db: of the environmental noise; None leaves it out.
        noise_groups: recordings of `noise` to choose from; None is all.
    """
    near_count, far_count = KINDS[kind]
    speakers = rng.choice(len(speech.spans), near_count + far_count, replace=False)
    taps = max(len(r) for r in [*near, *far])
    size = fft.next_fast_len(length + taps, real=True)
    drawn: dict[str, Any] = {"talkers": []}
    gates = _gates(rng, kind, length, taps, drawn)

    def image(
        role: str, who: NDArray[np.integer], responses: Sequence[NDArray[np.floating]], gate: Samples
    ) -> Samples:
        total = np.zeros(size // 2 + 1, np.complex64)
        chosen = rng.choice(len(responses), len(who), replace=False)
        for speaker, index in zip(who, chosen, strict=True):
            decibels = float(np.clip(rng.normal(0, recipe.level_spread), -8, 8))
            first = speech.draw_start(rng, speaker)
            talker = {
                "role": role,
                "speaker": str(speech.names[speaker]),
                "offset_s": first / SAMPLE_RATE,
                "level_db": decibels,
                "response": int(index),
            }
            dry = _voice(rng, recipe, speech, speaker, first, length + taps, talker)
            dry *= gate * np.float32(10 ** (decibels / 20))
            heard = fft.rfft(dry, size) * fft.rfft(np.asarray(responses[index], np.float32), size)
            if recipe.timbre:
                heard *= 10 ** (_smooth(rng, recipe.timbre, size, talker) / 20)
            total += heard
            drawn["talkers"].append(talker)
        return total

    colour = _microphone(rng, recipe.colour, size, drawn)
    talkers = [
        fft.irfft(image(role, who, responses, gate) * colour, size)[taps : taps + length]
        for role, who, responses, gate in (
            ("near", speakers[:near_count], near, gates[0]),
            ("far", speakers[near_count:], far, gates[1]),
        )
    ]
    if near_count and far_count and recipe.balanced and rng.uniform() < recipe.balanced:
        near_level, far_level = (float(np.sqrt(np.mean(t**2))) + 1e-9 for t in talkers)
        talkers[1] *= near_level / far_level * 10 ** (-rng.uniform(*recipe.balance) / 20)
    power = float(np.mean((talkers[0] + talkers[1]) ** 2)) + 1e-12
    sound = rng.standard_normal(length).astype(np.float32)
    drawn["floor_db"] = -rng.uniform(40, 70)  # the microphone's own noise, below the talkers
    sound *= np.sqrt(power) * 10 ** (drawn["floor_db"] / 20)
    if noise is not None and snr_db is not None:
        groups = range(len(noise.spans)) if noise_groups is None else noise_groups
        group = groups[int(rng.integers(len(groups)))]
        first = noise.draw_start(rng, group)
        drawn |= {"noise": str(noise.names[group]), "noise_offset_s": first / SAMPLE_RATE}
        heard = noise.take(group, first, length + taps)
        heard = fft.irfft(fft.rfft(heard, size) * colour, size)[taps : taps + length]
        level = float(np.sqrt(np.mean(heard**2)))
        if level > 1e-6:
            sound += heard * np.float32(np.sqrt(power) / level * 10 ** (-snr_db / 20))
    parts = [np.asarray(p, np.float32) for p in (talkers[0], talkers[1], sound)]
    gain = _gain(rng, recipe, parts)
    drawn["gain_db"] = 20 * float(np.log10(gain))
    parts = [p * gain for p in parts]
    mixture = parts[0] + parts[1] + parts[2]
    return Scene(kind, mixture, parts[0], parts[1], parts[2], snr_db, drawn)


def draw_snr(rng: np.random.Generator, recipe: Recipe) -> float | None:
    """A noise level for one scene: None, or dB below the talkers."""
    return None if rng.uniform() < recipe.clean else float(rng.uniform(*recipe.snr))


def draw_kind(rng: np.random.Generator, recipe: Recipe) -> str:
    """A kind of scene by the recipe's shares."""
    shares = np.array(list(recipe.kinds.values()))
    return str(rng.choice(list(recipe.kinds), p=shares / shares.sum()))


def _gates(
    rng: np.random.Generator, kind: str, length: int, lead: int, drawn: dict[str, Any]
) -> tuple[Samples, Samples]:
    """When near and far talkers are let through: always, or in turns. `lead` samples precede the scene."""
    total = length + lead
    both = np.ones(total, np.float32)

    def seconds(share: float) -> float:
        return float(share * total - lead) / SAMPLE_RATE

    if kind == "far-only" and rng.uniform() < 0.5:  # half begin with the talker, half with a pause
        start = rng.uniform(0.1, 0.5)
        drawn["far_from_s"] = seconds(start)
        return both, _ramp(total, start, rising=True)
    if kind != "turns":
        return both, both
    switch, overlap = rng.uniform(0.35, 0.65), rng.uniform(0.0, 2 * TURN_OVERLAP)
    first = _ramp(total, switch + overlap / 2, rising=False)
    second = _ramp(total, switch - overlap / 2, rising=True)
    near_first = bool(rng.uniform() < 0.5)
    drawn |= {
        "first_until_s": seconds(switch + overlap / 2),
        "second_from_s": seconds(switch - overlap / 2),
        "first": "near" if near_first else "far",
    }
    return (first, second) if near_first else (second, first)


def _ramp(length: int, place: float, rising: bool) -> Samples:
    """A 10 ms ramp at a share of the length."""
    at, width = place * length, SAMPLE_RATE // 100
    ramp = np.clip((np.arange(length) - at) / width, 0, 1).astype(np.float32)
    return ramp if rising else 1 - ramp


def _voice(
    rng: np.random.Generator,
    recipe: Recipe,
    speech: Material,
    speaker: int,
    first: int,
    length: int,
    drawn: dict[str, Any],
) -> Samples:
    """`length` samples of a talker from `first` on, at a pace of its own where the recipe asks for it."""
    if not recipe.pace:
        return speech.take(speaker, first, length)
    pace = (1 + recipe.pace) ** rng.uniform(-1, 1)
    drawn["pace"] = pace
    there = speech.take(speaker, first, int(np.ceil((length + 1) * pace)))
    return np.asarray(soxr.resample(there, pace, 1.0, quality="MQ")[:length], np.float32)


def _smooth(rng: np.random.Generator, spread: float, size: int, drawn: dict[str, Any]) -> NDArray[np.float64]:
    """A smooth random response over the bins of a transform of `size`, in dB."""
    decibels = rng.normal(0, spread, len(KNOTS))
    drawn["colour_db"] = decibels.tolist()
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    return np.interp(np.log(np.maximum(hertz, 1.0)), np.log(KNOTS), decibels)


def _microphone(
    rng: np.random.Generator, spread: float, size: int, drawn: dict[str, Any]
) -> NDArray[np.float32]:
    """A smooth random response, and the high-pass that every device has."""
    smooth = _smooth(rng, spread, size, drawn)
    corner = rng.uniform(40, 120)
    drawn["corner_hz"] = corner
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    high_pass = hertz**2 / (hertz**2 + corner**2)
    return (10 ** (smooth / 20) * high_pass).astype(np.float32)


def _gain(rng: np.random.Generator, recipe: Recipe, parts: Sequence[Samples]) -> np.float32:
    mixture = parts[0] + parts[1] + parts[2]
    peak, rms = float(np.abs(mixture).max()) + 1e-9, float(np.sqrt(np.mean(mixture**2))) + 1e-9
    if rng.uniform() < recipe.free_gain:
        gain = 10 ** (rng.uniform(-45, -15) / 20) / rms
    else:  # a talker at 0.4 m is recorded at about -26 dBFS
        gain = 0.4 * 10 ** (rng.normal(0, recipe.gain_spread) / 20)
    return np.float32(min(gain, 0.99 / peak))
