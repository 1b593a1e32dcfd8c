"""Streaming engine and array API, on networks with known output."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.constants import SignalConfig
from dss_cli.errors import DssError, UsageError
from dss_cli.separation.stft import StreamingSTFT, compress
from dss_cli.separation.streaming import StreamingSeparator
from tests.helpers.stub import SMALL, Mixer, Recorder

SMALL_HOP_256 = SignalConfig(hop=256, frames=11)


def run(network, samples, overlap=None, cuts=()):
    separator = StreamingSeparator(network, overlap)
    parts = [separator.push(block) for block in np.split(samples, sorted(cuts))]
    parts.append(separator.flush())
    near, far = (np.concatenate(stem) for stem in zip(*parts, strict=True))
    return near, far


@pytest.mark.parametrize("signal", [SMALL, SMALL_HOP_256, SignalConfig()])
@pytest.mark.parametrize("overlap", [None, 0.0, 0.3, 0.5])
@pytest.mark.parametrize("length", [1, 100, 512, 2560, 2561, 20_000])
def test_half_the_mixture_gives_half_the_mixture(signal, overlap, length, noise, scaling_network):
    samples = np.clip(5 * noise(length), -1, 1)
    near, far = run(scaling_network(signal), samples, overlap)
    for stem in (near, far):
        assert stem.dtype == np.float32
        assert stem.shape == samples.shape
        np.testing.assert_allclose(stem, samples / 2, rtol=0, atol=1e-6)


def test_unequal_shares_reach_the_right_stems(noise, scaling_network):
    samples = noise(9000)
    near, far = run(scaling_network(SMALL, near=0.8, far=0.1), samples)
    np.testing.assert_allclose(near, 0.8 * samples, rtol=0, atol=1e-6)
    np.testing.assert_allclose(far, 0.1 * samples, rtol=0, atol=1e-6)


def test_impulses_at_both_ends_are_undamaged(scaling_network):
    samples = np.zeros(7777, np.float32)
    samples[[0, -1]] = 1.0
    near, _ = run(scaling_network(SMALL), samples)
    np.testing.assert_allclose(near, samples / 2, rtol=0, atol=1e-6)


@given(
    data=st.data(),
    length=st.integers(0, 12_000),
    overlap=st.sampled_from([0.0, 0.25, 0.5]),
    signal=st.sampled_from([SMALL, SMALL_HOP_256]),
)
def test_any_partition_gives_bit_equal_output(data, length, overlap, signal):
    samples = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    cuts = data.draw(st.lists(st.integers(0, length), max_size=12))
    whole = run(Mixer(signal), samples, overlap)
    assert [len(stem) for stem in whole] == [length, length]
    for pieces, stem in zip(run(Mixer(signal), samples, overlap, cuts), whole, strict=True):
        np.testing.assert_array_equal(pieces, stem)


def test_sample_by_sample_equals_the_whole():
    samples = np.random.default_rng(0).standard_normal(6000).astype(np.float32)
    whole = run(Mixer(), samples)
    single = run(Mixer(), samples, cuts=range(1, 6000))
    np.testing.assert_array_equal(np.stack(single), np.stack(whole))


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("signal", [SMALL, SMALL_HOP_256])
def test_latency_is_exact(signal, overlap, noise):
    separator = StreamingSeparator(Recorder(signal), overlap)
    assert separator.latency == signal.frames * signal.hop + signal.window - signal.hop
    given_back, slack = 0, []
    for pushed, sample in enumerate(noise(9000), start=1):
        given_back += len(separator.push(np.array([sample]))[0])
        slack.append(given_back - (pushed - separator.latency + 1))
    assert min(slack) == 0


def test_chunks_advance_by_what_is_not_shared(noise):
    network = Recorder()
    run(network, noise(128 * 80), overlap=0.25)  # 83 frames: 20, then 15 at a time to 80, then 83
    assert len(network.seen) == 6
    analysis = StreamingSTFT(SMALL)
    frames = np.concatenate((analysis.push(noise(128 * 80)), analysis.flush()))
    starts = [0, 15, 30, 45, 60, 83 - 20]  # the last chunk starts earlier, so that it is complete
    for chunk, start in zip(network.seen, starts, strict=True):
        expected = compress(frames[start : start + 20, :-1], SMALL.exponent)
        np.testing.assert_array_equal(chunk[0], expected)


def test_short_recording_is_padded_with_silence_at_its_end(noise):
    network = Recorder()
    run(network, noise(128 * 5))  # 8 frames of 20
    (chunk,) = network.seen
    assert chunk[0, :8].any(axis=(1, 2)).all()
    assert not chunk[0, 8:].any()


def test_crossfade_weights_are_a_raised_cosine(noise):
    """A first chunk with gain one and a second with gain zero reveal the crossfade weights."""
    samples = np.full(128 * 60, 0.5, np.float32)
    near, _ = run(Recorder(gains=[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]), samples, overlap=0.5)
    gain = near / samples
    np.testing.assert_allclose(gain[: 10 * 128 - 384], 1, atol=1e-5)
    np.testing.assert_allclose(gain[20 * 128 :], 0, atol=1e-5)
    # Frames 10 to 19 are crossfaded; each hop of samples has the Hann-weighted mean of four frames' weights.
    weights = np.concatenate(
        (np.ones(10), 0.5 + 0.5 * np.cos(np.pi * (np.arange(10) + 0.5) / 10), np.zeros(10))
    )
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)).reshape(4, 128) / 2
    for block in range(7, 20):  # samples [block * 128, + 128) lie in frames block .. block + 3
        expected = sum(weights[block + late] * hann[3 - late] for late in range(4))
        np.testing.assert_allclose(
            gain[block * 128 : (block + 1) * 128], expected, atol=1e-4, err_msg=str(block)
        )


def test_no_overlap_joins_without_a_fade(noise):
    network = Recorder(gains=[1.0, 0.0])
    near, _ = run(network, noise(128 * 60), overlap=0.0)
    np.testing.assert_allclose(near[: 20 * 128 - 384], noise(128 * 60)[: 20 * 128 - 384], atol=1e-6)
    assert np.abs(near[20 * 128 : 40 * 128 - 384]).max() < 1e-6


def test_nyquist_follows_its_neighbours_mask():
    """A tone at 8 kHz also fills the neighbour bin, whose scaling is applied to the Nyquist bin."""
    samples = np.tile(np.array([0.5, -0.5], np.float32), 4000)
    near, far = run(Recorder(gains=[0.25]), samples)
    np.testing.assert_allclose(near, 0.25 * samples, atol=1e-6)
    np.testing.assert_array_equal(far, 0)


def test_nyquist_never_grows(noise):
    class Louder(Recorder):
        def separate(self, mixture):
            loud = mixture[..., 1:].copy()
            loud[:, :, -1] *= 10
            return loud, np.zeros_like(loud)

    nyquist = []
    for network in (Recorder(), Louder()):
        near, _ = run(network, noise(5000))
        analysis = StreamingSTFT(SMALL)
        nyquist.append(np.linalg.norm(analysis.push(near)[:, -2:], axis=0))
    (bin_255, bin_256), (loud_255, loud_256) = nyquist
    assert loud_255 > 100 * bin_255  # 10 ** (1 / 0.3)
    assert loud_256 < 2 * loud_255
    assert bin_256 > 0


def test_silence_stays_silence(scaling_network):
    for stem in run(scaling_network(SMALL), np.zeros(5000, np.float32)):
        np.testing.assert_array_equal(stem, np.zeros(5000, np.float32))


def test_nothing_in_nothing_out(scaling_network):
    network = scaling_network(SMALL)
    assert [len(stem) for stem in run(network, np.zeros(0, np.float32))] == [0, 0]
    assert network.calls == 0


@pytest.mark.parametrize("block", [48_000, 16_000 * 120])
def test_memory_does_not_grow_with_the_recording(block, scaling_network):
    """Two minutes need as much memory as six seconds, in blocks or at once (apart from the output itself)."""
    samples = np.zeros(16_000 * 120, np.float32)
    separator = StreamingSeparator(scaling_network(SignalConfig()))
    separator.push(samples[: 16_000 * 6])
    kept = 0
    tracemalloc.start()
    for start in range(0, len(samples), block):
        kept += sum(stem.nbytes for stem in separator.push(samples[start : start + block]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    output = 0 if block < len(samples) else 2 * kept  # the parts, and their concatenation
    assert peak - output < 40e6


@pytest.mark.parametrize(
    "block",
    [np.zeros((2, 5), np.float32), np.zeros(5), np.zeros(5, np.int16), [0.0, 0.0]],
    ids=["two-dimensional", "float64", "int16", "list"],
)
def test_other_blocks_are_refused(block):
    with pytest.raises(UsageError, match=r"float32 array of shape \(samples,\), not "):
        StreamingSeparator(Recorder()).push(block)


def test_non_finite_blocks_are_refused():
    block = np.array([0, np.nan, np.inf, 1], np.float32)
    with pytest.raises(DssError, match="2 of 4 samples are NaN or infinite"):
        StreamingSeparator(Recorder()).push(block)


def test_a_network_that_overflows_is_an_error(noise):
    class Overflowing(Recorder):
        def separate(self, mixture):
            return np.full_like(mixture[..., 1:], self.value), mixture[..., 1:]

    for value in (np.nan, np.inf, 1e38):  # the last value overflows in the decompression
        network = Overflowing()
        network.value = value
        with warnings.catch_warnings(), pytest.raises(DssError, match="not finite"):
            warnings.simplefilter("error")
            run(network, noise(5000))


def test_a_flushed_separator_is_spent(noise):
    separator = StreamingSeparator(Recorder())
    separator.push(noise(100))
    separator.flush()
    with pytest.raises(UsageError, match="flushed"):
        separator.push(noise(1))
    with pytest.raises(UsageError, match="flushed"):
        separator.flush()


@pytest.mark.parametrize("own", [0.0, 0.5])
def test_the_networks_own_overlap_is_the_default(own, noise):
    expected = run(Mixer(overlap=0.25), noise(9000), own)
    found = run(Mixer(overlap=own), noise(9000))
    np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(found, run(Mixer(overlap=own), noise(9000), 0.25))


@pytest.mark.parametrize("overlap", [-0.1, 0.51, float("nan")])
def test_overlap_out_of_range_is_refused(overlap):
    with pytest.raises(UsageError, match="overlap"):
        StreamingSeparator(Recorder(), overlap)
