"""Latency of the engine: never exceeded, equal for all blocks; content of chunks, updates of the context."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from dss_cli import Separator, StreamingSeparator
from dss_cli.errors import DssError, UsageError
from dss_cli.runtime.timing import Timing, choose_timing, offered, whole_chunks
from dss_cli.separation.files import separate_file
from dss_cli.separation.multichannel import Splitter
from dss_cli.separation.stft import StreamingSTFT, compress
from tests.helpers.stub import SMALL, Mixer, Remembering

SHORT = (Timing(10, 3, 2, 1), Timing(8, 2, 0, 0), Timing(12, 4, 1, 4), Timing(5, 1, 0, 4))


class Halving:
    """Network with half of the mixture in each stem, for chunks of any length; records the chunks."""

    signal, overlap = SMALL, 0.25

    def __init__(self, timings=SHORT):
        self.timings, self.seen, self.updates = timings, [], []

    def begin(self):
        return []

    def listen(self, mixture, state):
        raise AssertionError("nobody listens ahead within a latency")

    def separate(self, mixture, state=None, update=True):
        self.seen.append(mixture.copy())
        self.updates.append(update)
        half = np.float32(0.5**SMALL.exponent) * mixture[..., 1:]
        return half, half


def seconds(timing):
    return timing.seconds(SMALL)


def noise(samples, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def streamed(network, samples, latency, cuts=(), context="past"):
    separator = StreamingSeparator(network, context=context, latency=latency)
    parts = [separator.push(block) for block in np.split(samples, sorted(cuts))]
    parts.append(separator.flush())
    return [np.concatenate(stem) for stem in zip(*parts, strict=True)]


@pytest.mark.parametrize("timing", SHORT)
@pytest.mark.parametrize("length", [1, 100, 512, 1280, 1281, 2000, 9000])
def test_half_the_mixture_gives_half_the_mixture_at_any_latency(timing, length):
    samples = noise(length)
    for stem in streamed(Halving((timing,)), samples, seconds(timing)):
        assert stem.dtype == np.float32
        np.testing.assert_allclose(stem, samples / 2, rtol=0, atol=1e-6)


@given(data=st.data(), length=st.integers(0, 9000), timing=st.sampled_from(SHORT))
def test_any_partition_gives_bit_equal_output_at_any_latency(data, length, timing):
    samples = noise(length, length)
    cuts = data.draw(st.lists(st.integers(0, length), max_size=12))
    whole = streamed(Mixer(timings=(timing,)), samples, seconds(timing))
    assert [len(stem) for stem in whole] == [length, length]
    for pieces, stem in zip(
        streamed(Mixer(timings=(timing,)), samples, seconds(timing), cuts), whole, strict=True
    ):
        np.testing.assert_array_equal(pieces, stem)


@pytest.mark.parametrize("timing", SHORT)
def test_the_latency_is_reached_and_never_exceeded(timing):
    separator = StreamingSeparator(Halving((timing,)), latency=seconds(timing))
    assert separator.latency == (timing.advance + timing.shared + timing.ahead) * 128 + 512 - 128
    given_back, slack = 0, []
    for pushed, sample in enumerate(noise(6000), start=1):
        given_back += len(separator.push(np.array([sample]))[0])
        slack.append(given_back - (pushed - separator.latency + 1))
    assert min(slack) == 0


def test_the_longest_latency_that_fits_is_taken():
    network = Halving()
    assert [timing.behind for timing in offered(network)] == [2, 5, 6, 9]
    for timing in SHORT:
        assert choose_timing(network, seconds(timing)) == timing
    between = (seconds(SHORT[0]) + seconds(SHORT[2])) / 2
    assert StreamingSeparator(network, latency=between).timing == SHORT[0]
    assert StreamingSeparator(network, latency=60.0).timing == whole_chunks(SMALL, 0.25)
    assert StreamingSeparator(network).timing == whole_chunks(SMALL, 0.25)


@pytest.mark.parametrize("latency", [0.0, 0.01, -1.0, float("nan")])
def test_a_latency_that_is_not_offered_is_refused_with_those_that_are(latency):
    with pytest.raises(UsageError, match=r"latency .*: the model offers 0\.04, 0\.064, .* and 0\.184 s"):
        StreamingSeparator(Halving(), latency=latency)
    with pytest.raises(UsageError, match=r"the model offers only 0\.184 s"):
        StreamingSeparator(Mixer(), latency=latency)


def test_the_whole_recording_cannot_be_heard_within_a_latency(tmp_path):
    with pytest.raises(UsageError, match="exclude each other"):
        StreamingSeparator(Halving(), context="recording", latency=0.1)
    with pytest.raises(UsageError, match="exclude each other"):
        Separator(Halving(), context="recording", latency=0.1)
    soundfile.write(tmp_path / "in.wav", noise(4000), 16_000)
    with pytest.raises(UsageError, match="exclude each other"):
        separate_file(
            tmp_path / "in.wav",
            near=tmp_path / "near.wav",
            network=Halving(),
            context="recording",
            latency=0.1,
        )
    assert not (tmp_path / "near.wav").exists()


@pytest.mark.parametrize("timing", SHORT)
def test_chunks_read_again_on_the_left_and_look_ahead_on_the_right(timing):
    network = Halving((timing,))
    samples = noise(128 * 40)
    streamed(network, samples, seconds(timing))
    analysis = StreamingSTFT(SMALL)
    frames = np.concatenate((analysis.push(samples), analysis.flush()))
    before = np.concatenate((np.zeros((timing.frames, 257), np.complex64), frames))
    for number, chunk in enumerate(network.seen):
        newest = min(timing.behind + number * timing.advance, len(frames))
        expected = compress(before[newest : newest + timing.frames, :-1], SMALL.exponent)
        np.testing.assert_array_equal(chunk[0], expected, err_msg=str(number))
    assert timing.behind + (len(network.seen) - 1) * timing.advance >= len(frames) - timing.advance


@pytest.mark.parametrize("timing", SHORT)
def test_hardly_a_frame_counts_twice_for_the_context_and_none_is_left_out_at_the_start(timing):
    network = Halving((timing,))
    streamed(network, noise(128 * 100), seconds(timing))
    counting = [number for number, update in enumerate(network.updates) if update]
    ends = [timing.behind + number * timing.advance for number in counting]
    assert timing.frames - timing.advance < ends[0] <= timing.frames
    apart = set(np.diff(ends))
    assert len(apart) == 1
    assert timing.frames - timing.advance < apart.pop() <= timing.frames


def test_whole_chunks_count_every_time():
    network = Halving()
    streamed(network, noise(128 * 100), None)
    assert all(network.updates)


def test_a_network_keeps_to_the_latency_that_it_was_loaded_for(tmp_path):
    network = Halving()
    network.latency = seconds(SHORT[0])
    assert StreamingSeparator(network).timing == SHORT[0]
    assert Separator(network).stream().timing == SHORT[0]
    assert Separator(network).context == "past"
    soundfile.write(tmp_path / "in.wav", noise(4000), 16_000)
    report = separate_file(tmp_path / "in.wav", near=tmp_path / "near.wav", network=network)
    assert (report.context, report.latency) == ("past", pytest.approx(seconds(SHORT[0])))


def test_a_report_tells_the_latency_that_was_kept_to_not_the_one_asked_for(tmp_path):
    soundfile.write(tmp_path / "in.wav", noise(4000), 16_000)
    options = {"near": tmp_path / "near.wav", "network": Halving(), "overwrite": True}
    assert separate_file(tmp_path / "in.wav", **options, latency=0.07).latency == pytest.approx(0.064)
    assert separate_file(tmp_path / "in.wav", **options, context="past").latency is None


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 8000])
def test_other_rates_and_channels_keep_their_stems_aligned_at_a_short_latency(rate):
    samples = np.stack([noise(rate), noise(rate, 1)], axis=1)
    splitter = Splitter(Halving(), None, rate, 2, latency=seconds(SHORT[0]))
    parts = [splitter.push(block) for block in np.array_split(samples, 50)] + [splitter.flush()]
    near, far, residual = (np.concatenate(part) for part in zip(*parts, strict=True))
    assert len(near) == len(samples)
    np.testing.assert_allclose(near + far + residual, samples, atol=1e-6)


def test_context_goes_on_over_short_chunks():
    """Near is the share of loud chunks so far, which is nearly one for a loud recording."""

    class Shorter(Remembering):
        timings = SHORT

    near, _ = streamed(Shorter(), noise(30_000), seconds(SHORT[0]))
    samples = noise(30_000)
    assert np.linalg.norm(near[-8000:]) > 0.95 * np.linalg.norm(samples[-8000:])
    assert np.linalg.norm(near[:600]) == pytest.approx(0.5 * np.linalg.norm(samples[:600]), rel=0.05)


@pytest.mark.parametrize(
    "numbers", [(10, 0, 0, 0), (10, 6, 3, 2), (10, 2, 6, 0), (10, -1, 0, 0), (10, 1.5, 0, 0)]
)
def test_timings_that_fit_no_chunk_are_refused(numbers):
    with pytest.raises(DssError):
        Timing(*numbers)
