"""Make examples/two_talkers.flac: two synthetic voices in one simulated room, and its references.

    python examples/make_example.py [--output-dir examples]

Writes the mixture, the reverberant images of the two talkers at the microphone and every number
of the scene, such that `mixture = near + far + noise` holds exactly in 16-bit steps. Needs the
`train` and `dev` extras (pyroomacoustics, scipy, espeakng-loader); numpy is enough to import it.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from dss_cli.simulation.tts import SpeechVoice, Synthesiser

Samples = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int16]  # one 16-bit quantisation step is 1

NAME = "two_talkers"
SAMPLE_RATE = 16_000  # Hz
SECONDS = 10.0
SEED = 20_250_103
RT60 = 0.36  # seconds, asked of the room; the jitter makes the measured one (in the JSON) longer
SNR = 25.0  # dB, both talkers together over the noise
PEAK = -3.0  # dBFS, of the mixture
ROOM = (5.6, 4.3, 2.7)  # metres
MICROPHONE = (1.9, 1.7, 1.2)  # metres
IMAGE_JITTER = 0.05  # metres; a perfect shoebox would ring with sweeping echoes
DIRECT_WINDOW = 0.0025  # seconds around the direct path's peak that count as direct sound


@dataclass(frozen=True)
class Talker:
    """One voice at one place. Angles in degrees, seen from the microphone."""

    distance: float  # metres
    azimuth: float
    elevation: float
    level: float  # dB: how much louder than the other talker at equal distance
    voice: SpeechVoice
    sentences: tuple[tuple[float, str], ...]  # when it starts (seconds), what is said

    @property
    def position(self) -> Samples:
        """In metres, from the room's corner; shape (3,)."""
        azimuth, elevation = np.radians([self.azimuth, self.elevation])
        direction = [
            np.cos(elevation) * np.cos(azimuth),
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
        ]
        return np.asarray(MICROPHONE) + self.distance * np.asarray(direction)


TALKERS = {
    "near": Talker(
        distance=0.4,
        azimuth=200.0,
        elevation=12.0,
        level=0.0,
        voice=SpeechVoice("en-us", "f3", words_per_minute=165, pitch=62, pitch_range=55),
        sentences=(
            (0.3, "The kettle is on, and two blue cups are waiting on the table."),
            (5.2, "Give me a minute, I am still looking for the sugar."),
        ),
    ),
    # Who speaks across a room raises the voice: the level alone must not give the distance away.
    "far": Talker(
        distance=3.0,
        azimuth=35.0,
        elevation=8.0,
        level=4.0,
        voice=SpeechVoice("en-gb-scotland", "m3", words_per_minute=150, pitch=28, pitch_range=45),
        sentences=(
            (2.3, "Bring them over to the window, the light is much better here."),
            (6.5, "You will find it behind the flour, on the second shelf."),
        ),
    ),
}


def level(samples: npt.ArrayLike) -> float:
    """Mean power in dB re a power of one."""
    return float(10 * np.log10(np.mean(np.square(np.asarray(samples, dtype=np.float64)))))


def room_noise(frames: int) -> Samples:
    """Steady noise that falls by 3 dB per octave above 50 Hz, unit power; shape (frames,)."""
    spectrum = np.fft.rfft(np.random.default_rng(SEED).standard_normal(frames))
    frequencies = np.fft.rfftfreq(frames, 1 / SAMPLE_RATE)
    spectrum /= np.sqrt(np.maximum(frequencies, 50.0))
    spectrum[0] = 0.0
    samples: Samples = np.fft.irfft(spectrum, frames)
    samples /= np.sqrt(np.mean(samples**2))
    return samples


def speak(talker: Talker, synthesiser: Synthesiser) -> tuple[Samples, list[dict[str, Any]]]:
    """What a talker says, dry and at unit power while speaking, and from when to when."""
    track = np.zeros(round(SECONDS * SAMPLE_RATE))
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


def room_responses() -> tuple[list[Samples], list[float], dict[str, Any]]:
    """Impulse response and measured RT60 (seconds) of each talker, and how the room was made."""
    import pyroomacoustics

    pyroomacoustics.random.seed(SEED)
    absorption, order = pyroomacoustics.inverse_sabine(RT60, ROOM)
    room = pyroomacoustics.ShoeBox(
        ROOM,
        fs=SAMPLE_RATE,
        materials=pyroomacoustics.Material(absorption),
        max_order=order,
        use_rand_ism=True,
        max_rand_disp=IMAGE_JITTER,
    )
    for talker in TALKERS.values():
        room.add_source(talker.position)
    room.add_microphone(MICROPHONE)
    room.compute_rir()
    # The fractional-delay filters put half their length before every arrival.
    early = pyroomacoustics.constants.get("frac_delay_length") // 2
    responses = [np.asarray(response[early:], dtype=np.float64) for response in room.rir[0]]
    measured = [float(seconds) for seconds in room.measure_rt60(decay_db=30)[0]]
    about = {
        "size": ROOM,
        "rt60_asked": RT60,
        "absorption": round(float(absorption), 4),
        "image_order": order,
        "image_jitter": IMAGE_JITTER,
    }
    return responses, measured, about


def direct_to_reverberant(response: Samples) -> float:
    """Energy of the direct path over the energy of all that follows it, in dB."""
    edge = int(np.argmax(np.abs(response))) + round(DIRECT_WINDOW * SAMPLE_RATE)
    return float(10 * np.log10(np.sum(response[:edge] ** 2) / np.sum(response[edge:] ** 2)))


def activity(said: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """For how many seconds one talker, the other, both or nobody speaks."""
    frames = round(SECONDS * SAMPLE_RATE)
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


def quantise(near: Samples, far: Samples) -> tuple[dict[str, Steps], float]:
    """Mix and round to 16-bit steps, so that the parts sum to the mixture exactly.

    Returns:
        The tracks "mixture", "near", "far" and "noise", and the gain in dB that they were given.
    """
    noise = room_noise(len(near))
    noise *= 10 ** ((level(near + far) - SNR) / 20)
    gain = 10 ** (PEAK / 20) * 2**15 / np.max(np.abs(near + far + noise))
    parts = {
        name: np.rint(gain * part).astype(np.int16)
        for name, part in (("near", near), ("far", far), ("noise", noise))
    }
    # |sum| <= 10^(PEAK / 20) * 2^15 + 3 half steps: far from overflow.
    mixture = (parts["near"] + parts["far"] + parts["noise"]).astype(np.int16)
    return {"mixture": mixture, **parts}, float(20 * np.log10(gain / 2**15))


def make() -> tuple[dict[str, Steps], dict[str, Any]]:
    """The tracks of the example and the contents of its JSON file."""
    from scipy.signal import oaconvolve

    synthesiser = Synthesiser()
    responses, rt60, room = room_responses()
    said, images = {}, {}
    for response, (name, talker) in zip(responses, TALKERS.items(), strict=True):
        dry, said[name] = speak(talker, synthesiser)
        images[name] = oaconvolve(dry, response)[: len(dry)]
    tracks, gain = quantise(images["near"], images["far"])

    full_scale = 20 * np.log10(2**15)
    talkers = {
        name: {
            "distance": talker.distance,
            "position": [round(float(value), 4) for value in talker.position],
            "speaking_level": talker.level,
            "level": round(level(tracks[name]) - full_scale, 2),
            "direct_to_reverberant": round(direct_to_reverberant(response), 2),
            "rt60": round(seconds, 3),
            "voice": asdict(talker.voice),
            "sentences": said[name],
        }
        for (name, talker), response, seconds in zip(TALKERS.items(), responses, rt60, strict=True)
    }
    speech = tracks["near"].astype(np.int32) + tracks["far"]
    about = {
        "units": "seconds, Hz, metres, degrees; levels in dB, those of tracks in dB re full scale",
        "sample_rate": SAMPLE_RATE,
        "frames": len(tracks["mixture"]),
        "seed": SEED,
        "gain": round(gain, 2),
        "noise_level": round(level(tracks["noise"]) - full_scale, 2),
        "snr": round(level(speech) - level(tracks["noise"]), 2),
        "near_to_far": round(level(tracks["near"]) - level(tracks["far"]), 2),
        "room": room,
        "microphone": MICROPHONE,
        "talkers": talkers,
        "activity": activity(said),
    }
    return tracks, about


def write(directory: Path) -> None:
    """Make the example's four files in `directory`, which must exist."""
    tracks, about = make()
    files = {"mixture": NAME, "near": f"{NAME}.near", "far": f"{NAME}.far"}
    for track, stem in files.items():
        soundfile.write(
            directory / f"{stem}.flac", tracks[track], SAMPLE_RATE, "PCM_16", compression_level=1.0
        )
    text = json.dumps(about, indent=2, ensure_ascii=False)
    (directory / f"{NAME}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the example recording and its references.")
    parser.add_argument("--output-dir", type=Path, default=Path(__file__).parent)
    write(parser.parse_args().output_dir)
