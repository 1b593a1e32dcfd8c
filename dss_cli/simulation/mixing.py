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

from ..constants import SAMPLE_RATE, STEMS
from .corpus import Material
from .recipe import KINDS, Recipe
from .rendering import Levels, NumPyArrays, Renderer, Sounds
from .scene_sampling import Draw, Samples, Voice, draw
from .turns import ALWAYS, FOREVER, gate


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
    """Return the scene of a draw, rendered with the responses and the material of the draw."""
    length, taps = drawn.length, drawn.taps
    arrays = NumPyArrays(fft.next_fast_len(length + taps, real=True))
    renderer = Renderer(arrays, Levels.of(drawn), length, taps)
    spoken = {role: np.zeros(length, np.float32) for role in STEMS} if drawn.active_levels else None

    def image(role: str, responses: Sequence[NDArray[np.floating]]) -> Samples:
        total = np.zeros(len(arrays.hertz), np.complex64)
        for voice in drawn.voices:
            if voice.role == role:
                speaks = gate(voice.spans, length + taps)
                if spoken:
                    np.maximum(spoken[role], speaks[taps:], out=spoken[role])
                dry = _dry(voice, speech, length + taps)
                dry *= speaks * np.float32(10 ** (voice.level_db / 20))
                response = np.asarray(responses[voice.response], np.float32)
                total += renderer.voice(dry, response, voice.timbre)
        return np.asarray(renderer.heard(total), np.float32)

    images = image("near", near), image("far", far)
    around = None
    if noise is not None and drawn.noise is not None and drawn.snr_db is not None:
        around = noise.take(*drawn.noise, length + taps)
    sounds = Sounds(
        drawn.hiss,
        around,
        drawn.tone.samples if drawn.tone else None,
        None if drawn.noise_spans == ALWAYS else gate(drawn.noise_spans, length),
        (spoken["near"], spoken["far"]) if spoken else None,
        gate(((drawn.begins, FOREVER),), length) if drawn.begins > 0 else None,
    )
    near_part, far_part, rest, gain = renderer.mix(*images, sounds)
    facts = {**_facts(drawn, speech, noise), "gain_db": 20 * float(np.log10(gain[0]))}
    mixture = near_part + far_part + rest
    return Scene(drawn.kind, mixture, near_part, far_part, rest, drawn.snr_db, facts)


def _dry(voice: Voice, speech: Material, length: int) -> Samples:
    """Return `length` dry samples of a talker at the talker's pace."""
    if voice.pace is None:
        return speech.take(voice.speaker, voice.first, length)
    there = speech.take(voice.speaker, voice.first, int(np.ceil((length + 1) * voice.pace)))
    return np.asarray(soxr.resample(there, voice.pace, 1.0, quality="MQ")[:length], np.float32)


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
