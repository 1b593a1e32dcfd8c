"""Separation of one recording from file to stems, on a network with known output."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
import soundfile as sf

from dss_cli.errors import DssError, UsageError
from dss_cli.separation.files import separate_file
from tests.helpers.stub import SMALL, Mixer, Remembering
from tests.helpers.synth import noise, quantised, read, tone, write


class Shouting:
    """Network whose stems are louder than the mixture, so that they clip."""

    signal, overlap = SMALL, 0.25

    def separate(self, mixture):
        estimate = np.float32(2.0**SMALL.exponent) * mixture[..., 1:]
        return estimate, estimate


class Failing:
    """Network that fails in the middle of a recording."""

    signal, overlap = SMALL, 0.25

    def __init__(self, error):
        self.error, self.calls = error, 0

    def separate(self, mixture):
        self.calls += 1
        if self.calls == 5:
            raise self.error
        return mixture[..., 1:], mixture[..., 1:]


@pytest.fixture
def network(scaling_network):
    return scaling_network(SMALL, near=0.75, far=0.125)


def three(folder, extension="wav"):
    return {stem: folder / f"{stem}.{extension}" for stem in ("near", "far", "residual")}


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_each_channel_keeps_its_place(tmp_path, network, channels):
    samples = noise(30_000, channels)
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    report = separate_file(path, **three(tmp_path), network=network)
    np.testing.assert_allclose(read(tmp_path / "near.wav"), 0.75 * samples, rtol=0, atol=1e-5)
    np.testing.assert_allclose(read(tmp_path / "far.wav"), 0.125 * samples, rtol=0, atol=1e-5)
    np.testing.assert_allclose(read(tmp_path / "residual.wav"), samples / 8, rtol=0, atol=1e-5)
    assert report.channels == channels


@pytest.mark.parametrize("channels", [2, 6])
def test_identical_channels_are_separated_once(tmp_path, scaling_network, channels):
    calls = []
    for width in (1, channels):
        one = scaling_network(SMALL, near=0.75)
        samples = np.repeat(noise(30_000), width, axis=1)
        path = write(tmp_path / f"{width}.wav", samples, 44_100, "FLOAT")
        separate_file(path, near=tmp_path / f"{width}.near.wav", network=one)
        calls.append(one.calls)
    assert calls[0] == calls[1]
    np.testing.assert_array_equal(
        read(tmp_path / f"{channels}.near.wav"), np.repeat(read(tmp_path / "1.near.wav"), channels, axis=1)
    )


@pytest.mark.parametrize(
    ("network", "context"),
    [(Mixer, "none"), (Remembering, "none"), (Remembering, "past"), (Remembering, "recording")],
)
def test_channels_that_part_on_the_way_are_as_if_they_had_always_been_apart(tmp_path, network, context):
    """Three channels start equal; one differs after a second, another after two seconds."""
    samples = np.repeat(noise(200_000), 3, axis=1)
    samples[:50_000] = 0  # included in a context
    samples[70_000:, 1] = noise(130_000, seed=1)[:, 0]
    samples[140_000:, 2] = noise(60_000, seed=2)[:, 0]
    path = write(tmp_path / "a.wav", samples, 44_100, "FLOAT")
    report = separate_file(path, **three(tmp_path), network=network(), context=context)
    assert report.context == context
    for channel in range(3):
        alone = write(tmp_path / "b.wav", samples[:, [channel]], 44_100, "FLOAT")
        separate_file(alone, near=tmp_path / "c.wav", network=network(), context=context, overwrite=True)
        np.testing.assert_array_equal(read(tmp_path / "near.wav")[:, [channel]], read(tmp_path / "c.wav"))


def test_more_channels_than_the_bound_are_refused_and_can_be_mixed(tmp_path, network):
    path = write(tmp_path / "a.wav", noise(50, 255))
    with pytest.raises(DssError, match=r"255 channels are more than the 64 .* `--channels mix`"):
        separate_file(path, near=tmp_path / "n.wav", network=network)
    assert network.calls == 0
    assert separate_file(path, near=tmp_path / "n.wav", network=network, channels="mix").channels == 1
    path = write(tmp_path / "b.wav", noise(50, 64))
    separate_file(path, near=tmp_path / "m.wav", network=network)
    assert sf.info(tmp_path / "m.wav").channels == 64


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 192_000])
def test_stems_stay_aligned_at_any_rate(tmp_path, network, rate):
    samples = tone(rate, rate, 1000)
    path = write(tmp_path / "a.wav", samples, rate, "FLOAT")
    report = separate_file(path, **three(tmp_path), network=network)
    near = read(tmp_path / "near.wav")
    assert near.shape == samples.shape
    inner = slice(rate // 10, -rate // 10)
    np.testing.assert_allclose(near[inner], 0.75 * samples[inner], rtol=0, atol=1e-4)
    assert report.seconds == 1.0


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_the_three_stems_sum_to_the_input(tmp_path, network, rate, subtype):
    samples = quantised(noise(rate))
    path = write(tmp_path / "a.wav", samples, rate, subtype)
    separate_file(path, **three(tmp_path), network=network)
    step = {"PCM_16": 2.0**-15, "PCM_24": 2.0**-23, "FLOAT": 0.0}[subtype]
    total = sum(read(path).astype(np.float64) for path in three(tmp_path).values())
    np.testing.assert_allclose(total, samples, rtol=0, atol=1.5 * step + 2e-7)
    assert sf.info(tmp_path / "near.wav").subtype == subtype


def test_stems_that_clip_share_the_gain_and_still_sum(tmp_path):
    samples = noise(20_000, peak=0.9)
    path = write(tmp_path / "a.wav", samples)
    told: list[str] = []
    report = separate_file(path, **three(tmp_path), network=Shouting(), warn=told.append)
    assert 0.3 < report.gain < 0.4  # the residual is three times the mixture, which peaks at 0.9
    assert report.clipped > 0
    assert told == report.warnings
    assert f"{report.clipped} samples would clip" in report.warnings[0]
    total = sum(read(path).astype(np.float64) for path in three(tmp_path).values())
    np.testing.assert_allclose(total, report.gain * read(path), rtol=0, atol=2.0**-14)


def test_mix_is_the_mean_of_the_channels(tmp_path, network):
    samples = noise(20_000, 3)
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    report = separate_file(path, near=tmp_path / "n.wav", network=network, channels="mix")
    assert report.channels == 1
    expected = 0.75 * samples.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(read(tmp_path / "n.wav"), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("stem", ["near", "far", "residual"])
def test_a_single_stem_is_the_same_as_among_three(tmp_path, network, stem):
    path = write(tmp_path / "a.wav", noise(20_000), 22_050)
    separate_file(path, **three(tmp_path), network=network)
    separate_file(path, **{stem: tmp_path / "alone.wav"}, network=network)
    assert (tmp_path / "alone.wav").read_bytes() == (tmp_path / f"{stem}.wav").read_bytes()


def test_the_same_input_gives_the_same_bytes(tmp_path, network):
    path = write(tmp_path / "a.wav", noise(30_000), 44_100)
    contents = set()
    for name in ("1.flac", "2.flac"):
        separate_file(path, near=tmp_path / name, network=network)
        contents.add((tmp_path / name).read_bytes())
    assert len(contents) == 1


def test_the_report_is_json(tmp_path, network):
    path = write(tmp_path / "a.wav", noise(32_000, 2))
    report = separate_file(str(path), near=tmp_path / "n.wav", far=str(tmp_path / "f.wav"), network=network)
    loaded = json.loads(json.dumps(report.to_dict()))
    assert loaded == report.to_dict()
    assert loaded["input"] == str(path)
    assert loaded["outputs"] == {"near": str(tmp_path / "n.wav"), "far": str(tmp_path / "f.wav")}
    assert (loaded["frames"], loaded["seconds"], loaded["rate"]) == (32_000, 2.0, 16_000)
    assert (loaded["gain"], loaded["clipped"], loaded["warnings"]) == (1.0, 0, [])
    assert loaded["elapsed"] > 0
    assert loaded["rtf"] == pytest.approx(loaded["elapsed"] / 2)


def test_progress_reaches_the_end_and_never_goes_back(tmp_path, network):
    path = write(tmp_path / "a.wav", noise(200_000))
    seen: list[tuple[str, int, int | None]] = []
    stems = {"near": tmp_path / "n.wav", "far": tmp_path / "f.flac"}
    separate_file(path, **stems, network=network, progress=lambda *at: seen.append(at))
    assert seen == sorted(seen)  # "separating" comes before "writing"
    for phase, total in (("separating", 200_000), ("writing", 400_000)):
        steps = [(done, of) for name, done, of in seen if name == phase]
        assert len(steps) > 3
        assert steps[-1] == (total, total)


def test_the_overlap_reaches_the_engine(tmp_path, network, scaling_network):
    path = write(tmp_path / "a.wav", noise(50_000))
    calls = []
    for overlap in (0.0, 0.5):
        one = scaling_network(SMALL)
        separate_file(path, near=tmp_path / "n.wav", network=one, overlap=overlap, overwrite=True)
        calls.append(one.calls)
    assert calls[1] > 1.8 * calls[0]
    with pytest.raises(UsageError, match="overlap"):
        separate_file(path, near=tmp_path / "m.wav", network=network, overlap=0.9)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), DssError("broken"), MemoryError()])
def test_an_interruption_leaves_only_the_input(tmp_path, error):
    path = write(tmp_path / "a.wav", noise(100_000))
    with pytest.raises(type(error)):
        separate_file(path, **three(tmp_path), network=Failing(error))
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_asked_for(tmp_path, network):
    path = write(tmp_path / "a.wav", noise(1000))
    with pytest.raises(UsageError, match="no output requested"):
        separate_file(path, network=network)


def test_an_output_over_the_input_is_refused(tmp_path, network):
    path = write(tmp_path / "a.wav", noise(1000))
    with pytest.raises(UsageError, match="the input itself"):
        separate_file(path, near=path, network=network, overwrite=True)
    assert sf.info(path).frames == 1000


def test_memory_does_not_follow_the_length(tmp_path, network):
    peaks = []
    for seconds in (30, 120):
        path = write(tmp_path / f"{seconds}.wav", noise(8000 * seconds), 8000)
        tracemalloc.start()
        separate_file(path, near=tmp_path / f"{seconds}.flac", network=network)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
