"""The page's engine against Python's: the same samples, the same network, equal stems."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from dss_cli.audio.resampling import Resampler
from dss_cli.constants import SignalConfig
from dss_cli.separation.listening import chunks_ahead
from dss_cli.separation.stft import StreamingISTFT, StreamingSTFT, compress
from dss_cli.separation.streaming import StreamingSeparator
from tests.helpers.pages import sdr

ROOT = Path(__file__).parents[2]
NODE = shutil.which("node")
SMALL = SignalConfig(sample_rate=8000, frames=20, hop=256)
EQUAL = 100.0  # dB: float32 and float64 round differently, nothing more
LENGTHS = [1, 5000, 777, 256]

pytestmark = pytest.mark.skipif(NODE is None, reason="no node: the page's JavaScript cannot be run")


@pytest.fixture
def engine(tmp_path):
    """`engine(case, arrays, **settings)` runs a case of engine.mjs; gives a function that reads a result."""

    def run(name, arrays, **settings):
        for key, array in arrays.items():
            (tmp_path / key).write_bytes(np.ascontiguousarray(array, np.float32).tobytes())
        (tmp_path / "case.json").write_text(json.dumps({"name": name, **settings}))
        script = Path(__file__).with_name("engine.mjs")
        command = [NODE, str(script), str(ROOT / "web" / "page"), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return lambda key: np.fromfile(tmp_path / f"{key}.out", np.float32)

    run.folder = tmp_path
    return run


class Pupil:
    """Depends on the whole chunk and on what was heard before; its twin is in engine.mjs."""

    overlap = 0.25

    def __init__(self, signal=SMALL):
        self.signal = signal
        self.calls = []

    def begin(self):
        return [0.0]

    def listen(self, mixture, state):
        self.calls.append("listen")
        state[0] = 0.75 * state[0] + 0.25 * float(mixture[..., 0].mean(dtype=np.float64))

    def separate(self, mixture, state=None, update=True):
        share = 0.5 if state is None else state[0] / (state[0] + 0.1)
        if state is not None and update:
            self.listen(mixture, state)
        self.calls.append("separate")
        ramp = np.arange(self.signal.frames)[:, np.newaxis, np.newaxis] / self.signal.frames
        near = (mixture[..., 1:] * (share * ramp)).astype(np.float32)
        return near, mixture[..., 1:] - near


def interleaved(spectrum):
    return np.ascontiguousarray(spectrum, np.complex64).view(np.float32)


def test_frames_are_those_of_python_however_the_samples_are_cut(engine, noise):
    mixture = noise(20_000)
    analysis = StreamingSTFT(SMALL)
    expected = interleaved(np.concatenate((analysis.push(mixture), analysis.flush())))
    result = engine("spectra", {"mixture": mixture}, signal=SMALL.to_dict(), lengths=LENGTHS)
    assert sdr(result("frames"), expected.ravel()) > EQUAL


def test_compression_is_that_of_python_and_is_undone(engine, noise):
    frames = StreamingSTFT(SMALL).push(noise(8000))
    frames[3] = 0.0  # digital silence
    result = engine("compression", {"frames": interleaved(frames)}, signal=SMALL.to_dict())
    expected = compress(frames[:, :-1], SMALL.exponent)
    assert sdr(result("compressed"), expected.ravel()) > EQUAL
    assert sdr(result("again"), interleaved(frames).ravel()) > EQUAL


def test_synthesis_gives_back_the_samples_however_the_frames_are_cut(engine, noise):
    mixture = noise(8001)
    analysis = StreamingSTFT(SMALL)
    frames = np.concatenate((analysis.push(mixture), analysis.flush()))
    samples = engine(
        "synthesis",
        {"frames": interleaved(frames)},
        signal=SMALL.to_dict(),
        length=len(mixture),
        lengths=[1, 3, 7],
    )("samples")
    assert len(samples) == len(mixture)
    assert sdr(samples, mixture) > EQUAL
    other = StreamingISTFT(SMALL)
    assert sdr(samples, other.flush(frames, len(mixture))) > EQUAL


CHUNK = SMALL.frames * SMALL.hop
LONG = (chunks_ahead(SMALL) + 5) * CHUNK + 1234  # the first chunks leave before the last ones are heard


@pytest.mark.parametrize(
    ("context", "length", "overlap"),
    [
        ("none", 12 * CHUNK + 100, 0.25),
        ("none", 5 * CHUNK, 0.0),
        ("past", 12 * CHUNK + 100, 0.25),
        ("past", 7 * CHUNK, 0.5),
        ("recording", 12 * CHUNK + 100, 0.25),
        ("recording", LONG, 0.25),
        ("recording", 700, 0.25),
        ("recording", 1, 0.25),
    ],
)
def test_stems_are_those_of_python_with_every_context(engine, noise, context, length, overlap):
    mixture = noise(length) * np.linspace(0.1, 1, length, dtype=np.float32)
    network = Pupil()
    separator = StreamingSeparator(network, overlap, context)
    expected = [
        np.concatenate(parts) for parts in zip(separator.push(mixture), separator.flush(), strict=True)
    ]
    result = engine(
        "separation",
        {"mixture": mixture},
        signal=SMALL.to_dict(),
        overlap=overlap,
        context=context,
        lengths=[30_011, 5],
    )
    for name, stem in zip(("near", "far"), expected, strict=True):
        assert len(result(name)) == length
        assert sdr(result(name), stem) > EQUAL, name
    assert json.loads((engine.folder / "calls.out").read_text()) == network.calls


def test_an_empty_recording_gives_empty_stems(engine):
    settings = {"signal": SMALL.to_dict(), "overlap": 0.25, "context": "recording", "lengths": [1]}
    assert len(engine("separation", {"mixture": np.zeros(0)}, **settings)("near")) == 0


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_resampling_to_the_model_and_back_is_that_of_the_command(engine, noise, rate):
    speech, inner = sf.read(ROOT / "examples" / "two_talkers.flac", dtype="float32", frames=48_000)
    to_rate = Resampler(inner, rate)
    mixture = np.concatenate((to_rate.push(speech[:, np.newaxis]), to_rate.flush()))[:, 0]
    mixture = mixture + noise(len(mixture)) * np.float32(0.05)  # reaches up to half of either rate
    for source, target in ((rate, inner), (inner, rate)):
        converter = Resampler(source, target)
        expected = np.concatenate((converter.push(mixture[:, np.newaxis]), converter.flush()))[:, 0]
        settings = {"source": source, "target": target, "lengths": LENGTHS}
        samples = engine("resampling", {"mixture": mixture}, **settings)("samples")
        assert len(samples) == len(expected)
        assert sdr(samples, expected) > 60
