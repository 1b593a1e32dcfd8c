"""Streaming analysis and synthesis: perfect reconstruction for any division into blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.constants import SignalConfig
from dss_cli.errors import DssError
from dss_cli.separation.stft import StreamingISTFT, StreamingSTFT, compress, decompress

hops = pytest.mark.parametrize("hop", [64, 128, 256])


def analyse(samples: np.ndarray, signal: SignalConfig, cuts: Sequence[int] = ()) -> np.ndarray:
    analysis = StreamingSTFT(signal)
    frames = [analysis.push(block) for block in np.split(samples, sorted(cuts))]
    return np.concatenate([*frames, analysis.flush()])


@hops
@pytest.mark.parametrize("length", [1, 127, 128, 129, 511, 512, 513, 16_000, 16_001])
def test_reconstruction_is_perfect_and_of_equal_length(hop, length, noise):
    signal = SignalConfig(hop=hop)
    samples = noise(length)
    frames = analyse(samples, signal)
    assert frames.dtype == np.complex64
    assert frames.shape == (-(-length // hop) + signal.window // hop - 1, signal.bins + 1)

    synthesis = StreamingISTFT(signal)
    early, late = np.split(frames, [length // hop])  # from push, from flush
    output = np.concatenate((synthesis.push(early), synthesis.flush(late, length)))

    assert output.dtype == np.float32
    assert output.shape == samples.shape
    np.testing.assert_allclose(output, samples, rtol=0, atol=3e-7)


@pytest.mark.parametrize("place", [0, 999])
def test_an_impulse_at_either_end_survives(place):
    signal = SignalConfig()
    samples = np.zeros(1000, np.float32)
    samples[place] = 1.0
    output = StreamingISTFT(signal).flush(analyse(samples, signal), 1000)
    np.testing.assert_allclose(output, samples, rtol=0, atol=3e-7)


@hops
def test_frame_k_covers_the_samples_the_contract_names(hop):
    signal = SignalConfig(hop=hop)
    for place in (0, hop - 1, hop, 3000):
        samples = np.zeros(4096, np.float32)
        samples[place] = 1.0
        frames = analyse(samples, signal)
        k = np.arange(len(frames))
        covered = (k * hop - (signal.window - hop) <= place) & (place < k * hop + hop)
        # The window is zero at its first sample, which has no effect on the frame.
        seen = covered & (place > k * hop - (signal.window - hop))
        np.testing.assert_array_equal(np.abs(frames).sum(axis=1) > 1e-3, seen)


def test_spectrum_is_that_of_the_windowed_samples(noise):
    signal = SignalConfig()
    samples = noise(2000)
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512))
    expected = np.fft.rfft(samples[640 - 384 : 640 + 128] * window)  # frame 5
    np.testing.assert_allclose(analyse(samples, signal)[5], expected, atol=2e-6)


@given(data=st.data(), length=st.integers(1, 3000), hop=st.sampled_from([128, 256]))
def test_any_partition_gives_bit_equal_frames_and_samples(data, length, hop):
    signal = SignalConfig(hop=hop)
    samples = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    whole = analyse(samples, signal)
    cuts = data.draw(st.lists(st.integers(0, length), max_size=8))
    np.testing.assert_array_equal(analyse(samples, signal, cuts), whole)

    expected = StreamingISTFT(signal).flush(whole, length)
    synthesis = StreamingISTFT(signal)
    frame_cuts = data.draw(st.lists(st.integers(0, length // hop), max_size=8))
    *blocks, last = np.split(whole, sorted(frame_cuts))
    parts = [synthesis.push(block) for block in blocks]
    np.testing.assert_array_equal(np.concatenate([*parts, synthesis.flush(last, length)]), expected)


def test_samples_leave_as_soon_as_they_are_complete(noise):
    signal = SignalConfig()
    frames = analyse(noise(4000), signal)
    synthesis = StreamingISTFT(signal)
    given_back = [len(synthesis.push(frame[np.newaxis])) for frame in frames[:6]]
    assert given_back == [0, 0, 0, 128, 128, 128]


def test_synthesis_refuses_a_length_the_frames_do_not_hold(noise):
    signal = SignalConfig()
    frames = analyse(noise(1000), signal)
    with pytest.raises(DssError, match="after 0 to 1024 samples, not after 1025"):
        StreamingISTFT(signal).flush(frames, 1025)
    synthesis = StreamingISTFT(signal)
    synthesis.push(frames)
    with pytest.raises(DssError, match="after 1024 to 1024 samples, not after 1000"):
        synthesis.flush(frames[:0], 1000)


@pytest.mark.parametrize("exponent", [0.3, 0.5, 1.0])
def test_compression_follows_its_definition_and_is_undone(exponent, noise):
    spectrum = analyse(noise(4000), SignalConfig())
    compressed = compress(spectrum, exponent)
    assert compressed.dtype == np.float32
    assert compressed.shape == (*spectrum.shape, 3)
    magnitude, phase = np.abs(spectrum), np.angle(spectrum)
    np.testing.assert_allclose(compressed[..., 0], magnitude**exponent, rtol=1e-5)
    compressed_spectrum = magnitude**exponent * np.exp(1j * phase)
    np.testing.assert_allclose(compressed[..., 1], compressed_spectrum.real, atol=1e-5)
    np.testing.assert_allclose(compressed[..., 2], compressed_spectrum.imag, atol=1e-5)
    restored = decompress(compressed[..., 1:], exponent)
    assert restored.dtype == np.complex64
    np.testing.assert_allclose(restored, spectrum, rtol=2e-6, atol=1e-12)


@pytest.mark.parametrize("exponent", [0.01, 0.3, 1.0])
def test_silence_and_denormal_numbers_stay_finite(exponent):
    spectrum = np.array([0, 1e-45, 1e-38j, 1e-37, 1e4], np.complex64)
    compressed = compress(spectrum, exponent)
    assert np.isfinite(compressed).all()
    assert not compressed[0].any()
    assert np.isfinite(decompress(compressed[..., 1:], exponent)).all()
