"""Whole recordings in memory, on networks with known output."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import dss_cli
from dss_cli.errors import DssError, UsageError
from dss_cli.runtime.registry import find_model
from dss_cli.separation.files import separate_file
from dss_cli.separation.separator import Separator, load_model
from dss_cli.utils.machine import default_threads
from tests.helpers import tiny
from tests.helpers.stub import SMALL, Mixer, Recorder
from tests.helpers.synth import read, write


@pytest.mark.parametrize("overlap", [-0.1, 0.51, float("nan")])
def test_an_overlap_out_of_range_is_refused_at_once(overlap):
    with pytest.raises(UsageError, match="overlap"):
        Separator(Recorder(), overlap=overlap)


FALLBACK = """
import sys
from types import SimpleNamespace
from dss_cli import Separator
separator = Separator(sys.argv[1], sys.argv[2])
separator.separate(__import__("numpy").zeros(8000), 16000)
"""


def test_without_a_gpu_auto_is_silent(tmp_path, no_gpu):
    command = [sys.executable, "-W", "always", "-c", FALLBACK, tiny.write(tmp_path), "auto"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_fallback_is_one_warning_and_nothing_else(tmp_path, no_gpu):
    command = [sys.executable, "-W", "always", "-c", FALLBACK, tiny.write(tmp_path), "gpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
    said = [line for line in done.stderr.splitlines() if not line.startswith(" ")]
    (warning,) = said  # the indented line is the line of source code
    assert warning.endswith("UserWarning: running on the CPU: no GPU adapter was found")


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 44_100, 192_000])
@pytest.mark.parametrize(("frames", "channels"), [(1, 1), (70_001, 2), (200_000, 1)])
def test_arrays_and_files_give_equal_stems(tmp_path, noise, rate, frames, channels):
    samples = noise(frames * channels).reshape(frames, channels)
    path = write(tmp_path / "a.wav", samples, rate, "FLOAT")
    targets = {stem: tmp_path / f"{stem}.wav" for stem in ("near", "far", "residual")}
    separate_file(path, **targets, network=Mixer())
    stems = Separator(Mixer()).separate(samples, rate)
    for name, target in targets.items():
        np.testing.assert_array_equal(getattr(stems, name), read(target))


def test_a_model_is_found_and_loaded_as_asked(monkeypatch):
    found, loaded = [], []

    def network(*arguments, warn, **options):
        loaded.append((arguments, options))
        warn("running on the CPU: no GPU adapter was found")
        return Recorder()

    model = SimpleNamespace(card={}, untrained=False)
    monkeypatch.setattr("dss_cli.runtime.registry.find_model", lambda name: found.append(name) or model)
    monkeypatch.setattr("dss_cli.runtime.litert.LiteRTNetwork", network)
    with pytest.warns(UserWarning, match="running on the CPU"):
        separator = Separator("toy", "gpu", threads=3, strict_delegate=True, overlap=0.5)
    assert found == ["toy"]
    rest = {"verbose": False, "gpu_precision": "float32", "latency": None}
    assert loaded == [((model, "gpu", 3), {"strict": True, **rest})]
    assert isinstance(separator.network, Recorder)
    with pytest.warns(UserWarning):
        Separator()
    assert found == ["toy", "lite"]
    assert loaded[1] == ((model, "auto", default_threads()), {"strict": False, **rest})


def test_a_model_that_was_never_trained_is_told(tmp_path):
    path = tiny.write(tmp_path)
    said = []
    load_model(path, "cpu", warn=said.append)
    assert not said
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**card, "training": {"untrained": True, "seed": 0}}))
    load_model(path, "cpu", warn=said.append)
    assert said == ["tiny: the model is untrained: it separates nothing"]


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 96_000])
@pytest.mark.parametrize("shape", [(30_001,), (30_001, 1), (30_001, 3)])
def test_stems_have_the_recordings_shape_and_add_up_to_it(rate, shape, noise, scaling_network):
    samples = noise(int(np.prod(shape))).reshape(shape)
    stems = Separator(scaling_network(SMALL, 0.6, 0.3)).separate(samples, rate)
    for stem in (stems.near, stems.far, stems.residual):
        assert stem.dtype == np.float32
        assert stem.shape == shape
    np.testing.assert_allclose(stems.near + stems.far + stems.residual, samples, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 44_100, 192_000])
def test_other_rates_are_converted_and_back_without_a_delay(rate, scaling_network):
    time = np.arange(rate) / rate
    tone = (0.5 * np.sin(2 * np.pi * 1000 * time) * np.hanning(rate)).astype(np.float32)
    stems = Separator(scaling_network(SMALL, 0.5, 0.25)).separate(tone, rate)
    np.testing.assert_allclose(stems.near, tone / 2, atol=1e-4)
    np.testing.assert_allclose(stems.far, tone / 4, atol=1e-4)


def test_each_channel_is_separated_on_its_own(noise):
    left, right = noise(8000, seed=1), 3 * noise(8000, seed=2)
    separator = Separator(Mixer())
    both = separator.separate(np.stack((left, right), axis=1), 16_000)
    for channel, samples in enumerate((left, right)):
        alone = separator.separate(samples, 16_000)
        np.testing.assert_array_equal(both.near[:, channel], alone.near)
        np.testing.assert_array_equal(both.far[:, channel], alone.far)


def test_arrays_and_streams_agree(noise):
    separator = Separator(Mixer(), overlap=0.5)
    stream = separator.stream()
    parts = (stream.push(noise(8000)), stream.flush())
    expected = separator.separate(noise(8000).astype(np.float64), 16_000)
    np.testing.assert_array_equal(np.concatenate([near for near, _ in parts]), expected.near)


def test_the_input_array_is_left_alone(noise):
    samples = noise(5000)
    Separator(Mixer()).separate(samples, 16_000)
    np.testing.assert_array_equal(samples, noise(5000))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 16_000), np.float32), r"\(2, 16000\) .* pass array\.T"),
        (np.zeros((1, 33), np.float32), r"pass array\.T"),
        (np.zeros((2, 2, 2), np.float32), r"\(frames, channels\), not \(2, 2, 2\)"),
        (np.zeros((), np.float32), r"not \(\)"),
        (np.zeros(0, np.float32), r"not \(0,\)"),
        (np.zeros((10, 0), np.float32), r"not \(10, 0\)"),
        (np.zeros(10, np.int16), r"floating-point array, not int16 \(10,\)"),
        ([0.0], "floating-point array, not list"),
    ],
)
def test_arrays_that_are_no_recording_are_refused(array, message):
    with pytest.raises(UsageError, match=message):
        Separator(Recorder()).separate(array, 16_000)


def test_non_finite_arrays_are_refused():
    array = np.array([[0.0, np.nan]] * 3)
    with pytest.raises(DssError, match="3 of 6 samples"):
        Separator(Recorder()).separate(array, 16_000)


@pytest.mark.parametrize("rate", [0, -1, 7999, 384_001, float("nan"), float("inf")])
def test_sample_rates_that_are_none_are_refused(rate, noise):
    with pytest.raises(UsageError, match=r"sample rate .* lies outside 8000 to 384000 Hz"):
        Separator(Recorder()).separate(noise(10), rate)


def test_a_network_a_name_and_a_path_make_the_same_separator(noise):
    model = find_model("lite")
    samples = noise(8000)
    by_network, by_name, by_path = (
        Separator(given).separate(samples, 16_000) for given in (load_model("lite"), "lite", model.path)
    )
    np.testing.assert_array_equal(by_name.near, by_network.near)
    np.testing.assert_array_equal(by_path.near, by_network.near)


def test_a_file_is_separated_by_the_bundled_model_unless_another_is_given(noise, tmp_path):
    path = tmp_path / "a.wav"
    write(path, noise(8000), 16_000, subtype="FLOAT")
    report = dss_cli.separate_file(path, near=tmp_path / "near.wav", far=tmp_path / "far.wav")
    assert report.frames == 8000
    expected = Separator().separate(noise(8000), 16_000)
    for stem in ("near", "far"):
        written = read(tmp_path / f"{stem}.wav")
        np.testing.assert_allclose(np.ravel(written), np.ravel(getattr(expected, stem)), atol=1e-6)


def test_a_wrong_request_is_a_value_error():
    with pytest.raises(ValueError, match="no model"):
        Separator("nothing")
