"""Mix scenes: talkers in a place, at their levels, with noise, through a microphone and a device.

`mixture = near + far + noise` holds sample by sample. near and far are the reverberant images at the
microphone, so the task is separation, not dereverberation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import fft

from ..constants import SAMPLE_RATE
from .corpus import SPEECH_RMS, Material
from .recording_chain import Capture, device_gain, low_pass
from .scene_sampling import KINDS, KNOTS, Decibels, Draw, Recipe, Samples, Tone, Voice, draw
from .turns import ALWAYS, FOREVER, RAMP, gate

__all__ = ["KINDS", "KNOTS", "Recipe", "Scene", "mix", "render"]

TYPICAL_GAIN = 0.4  # a talker at 0.4 m is recorded at about -26 dBFS
TYPICAL_NEAR = SPEECH_RMS / TYPICAL_GAIN  # level of that talker before the gain of the device
BALANCING = (0.1, 100.0)  # limits of the balancing factor, for talkers who hardly speak


@dataclass(frozen=True)
class Scene:
    """Samples of one scene (float32 at 16 kHz, equal lengths), and its random numbers.

    Attributes:
        kind: kind of scene.
        mixture, near, far, noise: samples `(samples,)`.
        snr_db: signal-to-noise ratio in dB, None without environmental noise.
        drawn: all drawn numbers, for JSON: `talkers` (role, speaker, offset in the speaker's recordings in
            seconds, level in dB, index of the response), pauses, noise, microphone, gain.
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
    """Draw one scene and mix it.

    Args:
        rng: random generator.
        kind: key of KINDS.
        recipe: settings of levels and microphone.
        near, far: responses to choose from, at least as many as the kind has talkers.
        speech, noise: dry material; without `noise` the scene has only the microphone's own noise.
        length: length of the scene in samples at 16 kHz.
        snr_db: signal-to-noise ratio in dB; None: no environmental noise.
        noise_groups: recordings of `noise` to choose from; None: all.
    """
    taps = max(len(r) for r in [*near, *far])
    drawn = draw(rng, kind, recipe, (len(near), len(far)), taps, speech, noise, length, snr_db, noise_groups)
    return mix(drawn, near, far, speech, noise)


def mix(
    drawn: Draw,
    near: Sequence[NDArray[np.floating]],
    far: Sequence[NDArray[np.floating]],
    speech: Material,
    noise: Material | None,
) -> Scene:
    """Mix a drawn scene from the responses and the material that it was drawn for."""
    length, taps = drawn.length, drawn.taps
    size = fft.next_fast_len(length + taps, real=True)
    capture = drawn.capture or Capture()
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    band = low_pass(hertz, capture.band, np).astype(np.float32)
    colour = _microphone(drawn.colour, drawn.corner, size) * band

    def image(role: str, responses: Sequence[NDArray[np.floating]]) -> NDArray[np.complex64]:
        total = np.zeros(size // 2 + 1, np.complex64)
        for voice in drawn.voices:
            if voice.role == role:
                dry = _dry(voice, speech, length + taps)
                dry *= gate(voice.spans, length + taps) * np.float32(10 ** (voice.level_db / 20))
                response = np.asarray(responses[voice.response], np.float32)
                heard = fft.rfft(dry, size) * fft.rfft(response, size)
                if voice.timbre is not None:
                    heard *= 10 ** (_smooth(voice.timbre, size) / 20)
                total += heard
        return total

    talkers = [
        fft.irfft(image(role, responses) * colour, size)[taps : taps + length]
        for role, responses in (("near", near), ("far", far))
    ]
    near_active, far_active, active = _activity(drawn)
    if drawn.balance is not None:
        near_level = float(np.sqrt(np.mean(talkers[0] ** 2) / near_active)) + 1e-9
        far_level = float(np.sqrt(np.mean(talkers[1] ** 2) / far_active)) + 1e-9
        balancing = near_level / far_level * 10 ** (-drawn.balance / 20)
        talkers[1] *= np.clip(balancing, *BALANCING) if drawn.active_levels else balancing
    power = float(np.mean((talkers[0] + talkers[1]) ** 2) / active) + 1e-12
    sound = fft.irfft(fft.rfft(drawn.hiss, size) * band, size)[:length] if capture.band else drawn.hiss.copy()
    sound *= np.sqrt(power) * 10 ** (drawn.floor_db / 20)
    if noise is not None and drawn.noise is not None and drawn.snr_db is not None:
        heard = noise.take(*drawn.noise, length + taps)
        heard = fft.irfft(fft.rfft(heard, size) * colour, size)[taps : taps + length]
        level = float(np.sqrt(np.mean(heard**2)))
        if level > 1e-6:
            heard *= np.float32(np.sqrt(power) / level * 10 ** (-drawn.snr_db / 20))
            sound += heard if drawn.noise_spans == ALWAYS else heard * gate(drawn.noise_spans, length)
    if drawn.tone:
        sound += _tone(drawn.tone, colour, size)
    parts = [np.asarray(p, np.float32) for p in (talkers[0], talkers[1], sound)]
    if drawn.begins > 0:  # removes rounding errors from the talkers' silence
        parts = [p * gate(((drawn.begins, FOREVER),), length) for p in parts]
    gain = _gain(drawn, parts)
    parts = [p * gain for p in parts]
    if drawn.capture:
        changes = device_gain(parts[0] + parts[1] + parts[2], capture, np).astype(np.float32)
        parts = [p * changes for p in parts]
    mixture = parts[0] + parts[1] + parts[2]
    facts = {**_facts(drawn, speech, noise), "gain_db": 20 * float(np.log10(gain))}
    return Scene(drawn.kind, mixture, parts[0], parts[1], parts[2], drawn.snr_db, facts)


def _activity(drawn: Draw) -> tuple[float, float, float]:
    """Return the shares of the scene to which the levels of near, far and all talkers refer."""
    if not drawn.active_levels:
        return 1.0, 1.0, 1.0
    whole = drawn.length + drawn.taps
    gates = [(voice.role, gate(voice.spans, whole)[drawn.taps :]) for voice in drawn.voices]
    near, far = (
        np.max([g for own, g in gates if own == role] or [np.zeros(1, np.float32)], axis=0)
        for role in ("near", "far")
    )
    shares = (float(np.mean(part, dtype=np.float64)) for part in (near, far, np.maximum(near, far)))
    near_share, far_share, share = (max(part, RAMP / drawn.length) for part in shares)
    return near_share, far_share, share


def _tone(tone: Tone, microphone: Samples, size: int) -> Samples:
    """Return a stationary noise at the microphone, at its level before the gain of the device."""
    curve = 10 ** (_smooth(tone.colour, size) / 20) * microphone
    heard = fft.irfft(fft.rfft(tone.samples, size) * curve, size)[: len(tone.samples)]
    level = float(np.sqrt(np.mean(heard**2))) + 1e-9
    return np.asarray(heard * (TYPICAL_NEAR / level * 10 ** (-tone.level_db / 20)), np.float32)


def _dry(voice: Voice, speech: Material, length: int) -> Samples:
    """Return `length` dry samples of a talker at the talker's pace."""
    if voice.pace is None:
        return speech.take(voice.speaker, voice.first, length)
    there = speech.take(voice.speaker, voice.first, int(np.ceil((length + 1) * voice.pace)))
    return np.asarray(soxr.resample(there, voice.pace, 1.0, quality="MQ")[:length], np.float32)


def _smooth(decibels: Decibels, size: int) -> NDArray[np.float64]:
    """Interpolate a response at KNOTS to the bins of a transform of `size`, in dB."""
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    return np.interp(np.log(np.maximum(hertz, 1.0)), np.log(KNOTS), decibels)


def _microphone(decibels: Decibels, corner: float, size: int) -> Samples:
    """Return the factors of a smooth response and of the high-pass that every device has."""
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    high_pass = hertz**2 / (hertz**2 + corner**2)
    return (10 ** (_smooth(decibels, size) / 20) * high_pass).astype(np.float32)


def _gain(drawn: Draw, parts: Sequence[Samples]) -> np.float32:
    mixture = parts[0] + parts[1] + parts[2]
    peak, rms = float(np.abs(mixture).max()) + 1e-9, float(np.sqrt(np.mean(mixture**2))) + 1e-9
    gain = 10 ** (drawn.gain_db / 20)
    return np.float32(min(gain / rms if drawn.free else TYPICAL_GAIN * gain, 0.99 / peak))


def _facts(drawn: Draw, speech: Material, noise: Material | None) -> dict[str, Any]:
    """Return the drawn numbers for `Scene.drawn`."""

    def seconds(at: float) -> float:
        return float(at - drawn.taps) / SAMPLE_RATE

    facts: dict[str, Any] = {"talkers": []}
    for voice in drawn.voices:
        talker: dict[str, Any] = {
            "role": voice.role,
            "speaker": str(speech.names[voice.speaker]),
            "offset_s": voice.first / SAMPLE_RATE,
            "level_db": voice.level_db,
            "response": voice.response,
        }
        if voice.pace is not None:
            talker["pace"] = voice.pace
        if voice.timbre is not None:
            talker["colour_db"] = voice.timbre.tolist()
        if drawn.kind not in KINDS:
            last = drawn.length / SAMPLE_RATE
            talker["turns_s"] = [
                np.clip([seconds(low), seconds(high)], 0, last).tolist() for low, high in voice.spans
            ]
        facts["talkers"].append(talker)
    starts = {voice.role: voice.spans[0][0] for voice in drawn.voices}
    if drawn.kind == "turns" and len(starts) == 2:
        first, second = sorted(starts, key=lambda role: starts[role])
        until = next(voice.spans[0][1] for voice in drawn.voices if voice.role == first)
        facts |= {"first_until_s": seconds(until), "second_from_s": seconds(starts[second]), "first": first}
    elif drawn.kind == "far-only" and starts["far"] > -FOREVER:
        facts["far_from_s"] = seconds(starts["far"])
    if drawn.begins > 0:
        facts["silent_until_s"] = drawn.begins / SAMPLE_RATE
    if drawn.noise is not None and drawn.noise_spans != ALWAYS:
        ends = 0, drawn.length
        facts["noise_s"] = [(np.clip(span, *ends) / SAMPLE_RATE).tolist() for span in drawn.noise_spans]
    if drawn.tone:
        facts["tone"] = {"slope_db": drawn.tone.slope, "level_db": drawn.tone.level_db}
    if drawn.capture:
        facts["device"] = asdict(drawn.capture)
    facts |= {"colour_db": drawn.colour.tolist(), "corner_hz": drawn.corner, "floor_db": drawn.floor_db}
    if noise is not None and drawn.noise is not None:
        group, start = drawn.noise
        facts |= {"noise": str(noise.names[group]), "noise_offset_s": start / SAMPLE_RATE}
    return facts
