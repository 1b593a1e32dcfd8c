"""Make the example recordings of scenes.py with their references: two synthetic voices in a simulated room.

    python examples/make_example.py [--output-dir examples]

For each scene the script writes the mixture, the reverberant images of the two talkers at the microphone, and
all numbers of the scene. `mixture = near + far + noise` holds exactly in 16-bit steps. Running the script
needs the extras `train` and `dev` (pyroomacoustics, scipy, espeakng-loader); importing it needs only numpy.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from scenes import SAMPLE_RATE, SCENES, Scene, Talker

from dss_cli.simulation.tts import Synthesiser

Samples = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int16]  # one 16-bit quantisation step is 1

PEAK = -3.0  # peak of the mixture in dBFS
IMAGE_JITTER = 0.05  # metres; a perfect shoebox would have sweeping echoes
DIRECT_WINDOW = 0.0025  # seconds after the peak of the direct path that count as direct sound


def level(samples: npt.ArrayLike) -> float:
    """Return the mean power in dB re a power of one."""
    return float(10 * np.log10(np.mean(np.square(np.asarray(samples, dtype=np.float64)))))


def room_noise(frames: int, seed: int) -> Samples:
    """Return stationary noise (frames,) of unit power, falling by 3 dB per octave above 50 Hz."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(frames))
    frequencies = np.fft.rfftfreq(frames, 1 / SAMPLE_RATE)
    spectrum /= np.sqrt(np.maximum(frequencies, 50.0))
    spectrum[0] = 0.0
    samples: Samples = np.fft.irfft(spectrum, frames)
    samples /= np.sqrt(np.mean(samples**2))
    return samples


def speak(talker: Talker, frames: int, synthesiser: Synthesiser) -> tuple[Samples, list[dict[str, Any]]]:
    """Return the dry speech of a talker, (frames,), each sentence at the talker's level, and their times."""
    track = np.zeros(frames)
    said = []
    for start, text in talker.sentences:
        sentence = soxr.resample(synthesiser.speak(text, talker.voice), synthesiser.sample_rate, SAMPLE_RATE)
        first = round(start * SAMPLE_RATE)
        if first + len(sentence) > len(track) or np.any(track[first:]):
            raise SystemExit(f"{text!r} does not fit: move its start or make it shorter")
        sentence *= 10 ** ((talker.level - level(sentence)) / 20)
        track[first : first + len(sentence)] = sentence
        end = (first + len(sentence)) / SAMPLE_RATE
        said.append({"start": start, "end": round(end, 4), "text": text})
    return track, said


def position(scene: Scene, talker: Talker) -> Samples:
    """Return the position of a talker in metres from the corner of the room, (3,)."""
    return np.asarray(scene.microphone) + talker.distance * talker.direction


def mouth(scene: Scene, talker: Talker) -> Any:
    """Return the directivity of a talker who faces the microphone; None if it is omnidirectional."""
    if not scene.facing:
        return None
    from pyroomacoustics.directivities import CardioidFamily, DirectionVector

    towards = -talker.direction
    colatitude, azimuth = np.arccos(towards[2]), np.arctan2(towards[1], towards[0])
    return CardioidFamily(DirectionVector(azimuth, colatitude, degrees=False), 1 - scene.facing)


def room_responses(scene: Scene) -> tuple[list[Samples], list[float], dict[str, Any]]:
    """Return impulse response and measured RT60 (seconds) of each talker, and the parameters of the room."""
    import pyroomacoustics

    pyroomacoustics.random.seed(scene.seed)
    absorption, order = pyroomacoustics.inverse_sabine(scene.rt60, scene.room)
    room = pyroomacoustics.ShoeBox(
        scene.room,
        fs=SAMPLE_RATE,
        materials=pyroomacoustics.Material(absorption),
        max_order=order,
        use_rand_ism=True,
        max_rand_disp=IMAGE_JITTER,
    )
    for talker in scene.talkers.values():
        room.add_source(position(scene, talker), directivity=mouth(scene, talker))
    room.add_microphone(scene.microphone)
    room.compute_rir()
    # The fractional-delay filters delay every arrival by half their length.
    early = pyroomacoustics.constants.get("frac_delay_length") // 2
    responses = [np.asarray(response[early:], dtype=np.float64) for response in room.rir[0]]
    measured = [float(seconds) for seconds in room.measure_rt60(decay_db=30)[0]]
    about = {
        "size": scene.room,
        "rt60_asked": scene.rt60,
        "absorption": round(float(absorption), 4),
        "image_order": order,
        "image_jitter": IMAGE_JITTER,
        "facing": scene.facing,
    }
    return responses, measured, about


def direct_to_reverberant(response: Samples) -> float:
    """Return the ratio of the energies of the direct path and of the rest, in dB."""
    edge = int(np.argmax(np.abs(response))) + round(DIRECT_WINDOW * SAMPLE_RATE)
    return float(10 * np.log10(np.sum(response[:edge] ** 2) / np.sum(response[edge:] ** 2)))


def activity(said: dict[str, list[dict[str, Any]]], frames: int) -> dict[str, float]:
    """Return the seconds in which one talker, the other, both or nobody speaks."""
    active = {name: np.zeros(frames, dtype=bool) for name in said}
    for name, sentences in said.items():
        for sentence in sentences:
            first, last = (round(sentence[key] * SAMPLE_RATE) for key in ("start", "end"))
            active[name][first:last] = True
    near, far = active["near"], active["far"]
    parts = {
        "near_alone": near & ~far,
        "far_alone": far & ~near,
        "both": near & far,
        "nobody": ~near & ~far,
    }
    return {name: round(float(np.sum(part)) / SAMPLE_RATE, 4) for name, part in parts.items()}


def quantise(scene: Scene, near: Samples, far: Samples) -> tuple[dict[str, Steps], float]:
    """Mix and round to the scene's step, so that the parts sum to the mixture exactly.

    Returns:
        The tracks "mixture", "near", "far" and "noise", and their common gain in dB.
    """
    noise = room_noise(scene.frames, scene.seed)
    noise *= 10 ** ((level(near + far) - scene.snr) / 20)
    gain = 10 ** (PEAK / 20) * 2**15 / np.max(np.abs(near + far + noise))
    parts = {
        name: (scene.step * np.rint(gain * part / scene.step)).astype(np.int16)
        for name, part in (("near", near), ("far", far), ("noise", noise))
    }
    # |sum| <= 10^(PEAK / 20) * 2^15 + 3 halves of the scene's step: far from overflow.
    mixture = (parts["near"] + parts["far"] + parts["noise"]).astype(np.int16)
    return {"mixture": mixture, **parts}, float(20 * np.log10(gain / 2**15))


def make(scene: Scene, synthesiser: Synthesiser) -> tuple[dict[str, Steps], dict[str, Any]]:
    """Return the tracks of an example and the content of its JSON file."""
    from scipy.signal import oaconvolve

    responses, rt60, room = room_responses(scene)
    said, images = {}, {}
    for response, (name, talker) in zip(responses, scene.talkers.items(), strict=True):
        dry, said[name] = speak(talker, scene.frames, synthesiser)
        images[name] = oaconvolve(dry, response)[: len(dry)]
    tracks, gain = quantise(scene, images["near"], images["far"])

    full_scale = 20 * np.log10(2**15)
    talkers = {
        name: {
            "distance": talker.distance,
            "position": [round(float(value), 4) for value in position(scene, talker)],
            "speaking_level": talker.level,
            "level": round(level(tracks[name]) - full_scale, 2),
            "direct_to_reverberant": round(direct_to_reverberant(response), 2),
            "rt60": round(seconds, 3),
            "voice": asdict(talker.voice),
            "sentences": said[name],
        }
        for (name, talker), response, seconds in zip(scene.talkers.items(), responses, rt60, strict=True)
    }
    speech = tracks["near"].astype(np.int32) + tracks["far"]
    about = {
        "units": "seconds, Hz, metres, degrees; levels in dB, those of tracks in dB re full scale",
        "sample_rate": SAMPLE_RATE,
        "frames": scene.frames,
        "seed": scene.seed,
        "step": scene.step,
        "gain": round(gain, 2),
        "noise_level": round(level(tracks["noise"]) - full_scale, 2),
        "snr": round(level(speech) - level(tracks["noise"]), 2),
        "near_to_far": round(level(tracks["near"]) - level(tracks["far"]), 2),
        "room": room,
        "microphone": scene.microphone,
        "talkers": talkers,
        "activity": activity(said, scene.frames),
    }
    return tracks, about


def write(scene: Scene, synthesiser: Synthesiser, directory: Path) -> None:
    """Write the four files of an example into `directory`, which must exist."""
    tracks, about = make(scene, synthesiser)
    files = {"mixture": scene.name, "near": f"{scene.name}.near", "far": f"{scene.name}.far"}
    for track, stem in files.items():
        soundfile.write(
            directory / f"{stem}.flac", tracks[track], SAMPLE_RATE, "PCM_16", compression_level=1.0
        )
    text = json.dumps(about, indent=2, ensure_ascii=False)
    (directory / f"{scene.name}.json").write_text(text + "\n", encoding="utf-8")


def write_all(directory: Path) -> None:
    """Write all examples in the order of `SCENES`, because the synthesiser keeps state between them."""
    synthesiser = Synthesiser()
    for scene in SCENES:
        write(scene, synthesiser, directory)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the example recordings and their references.")
    parser.add_argument("--output-dir", type=Path, default=Path(__file__).parent)
    write_all(parser.parse_args().output_dir)
