"""Change of the vocal tract: formants move, pitch and words stay."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

pytest.importorskip("soxr")

from dss_cli.simulation import vtlp
from dss_cli.simulation.corpus import joined
from dss_cli.simulation.vtlp import BLOCK, LEAST, REACH, another_tract, with_more_voices

RATE = 16_000
PITCH, FORMANT = 125, 1500  # Hz


def vowel(seconds, formant=FORMANT):
    """Return pulses filtered by a resonance."""
    pulses = np.zeros(int(seconds * RATE))
    pulses[:: RATE // PITCH] = 1.0
    width = np.exp(-np.pi * 150 / RATE)
    resonance = [1, -2 * width * np.cos(2 * np.pi * formant / RATE), width**2]
    return (0.05 * signal.lfilter([1], resonance, pulses)).astype(np.float32)


def peak(samples):
    """Return the frequency in Hz of the maximum of a smooth spectrum, above the first harmonics."""
    hertz, power = signal.welch(samples, RATE, nperseg=128)
    return hertz[power.argmax()]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    for name in ("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_formants_move_by_the_factor_and_the_pitch_stays(factor):
    moved = another_tract(vowel(1.0), factor)
    assert moved.shape == (RATE,) and moved.dtype == np.float32
    assert peak(moved) == pytest.approx(FORMANT * factor, abs=RATE / 128)
    period = RATE // PITCH
    inner = moved[2000:-2000].astype(float)
    repeated = np.corrcoef(inner[:-period], inner[period:])[0, 1]
    assert repeated > 0.99, "pulses come as they did"


def test_the_same_tract_gives_the_same_speech():
    rng = np.random.default_rng(0)
    speech = (0.1 * rng.standard_normal(RATE)).astype(np.float32)
    np.testing.assert_allclose(another_tract(speech, 1.0), speech, atol=1e-5)


@pytest.mark.parametrize("length", [0, 1, 100, 5000])
def test_any_length_and_silence_stay_what_they_are(length):
    silence = np.zeros(length, np.float32)
    np.testing.assert_allclose(another_tract(silence, 1.1), silence, atol=1e-9)
    assert len(another_tract(np.ones(length, np.float32), 0.9)) == length


def test_long_speech_goes_in_blocks(monkeypatch):
    monkeypatch.setattr(vtlp, "BLOCK", RATE)
    assert BLOCK > RATE
    pieces = another_tract(vowel(2.5), 1.2)
    assert len(pieces) == 2.5 * RATE and peak(pieces) == pytest.approx(1800, abs=RATE / 128)


def test_every_talker_is_followed_by_others_of_another_tract():
    speech = joined([("a", vowel(0.5)), ("b", vowel(0.7, 2000))])
    more = with_more_voices(speech, 2, seed=4)
    assert len(more.spans) == 6 and len(set(more.names)) == 6
    assert np.diff(more.spans, axis=1)[:, 0].tolist() == [8000] * 3 + [11200] * 3
    for group, own in ((0, 0), (3, 1)):
        kept, before = more.take(group, 0, 8000), speech.take(own, 0, 8000)
        np.testing.assert_array_equal(kept, before)
    factors = [float(name.partition(" x ")[2]) for name in more.names if " x " in name]
    assert len(factors) == 4
    assert all(1 + LEAST <= max(f, 1 / f) <= 1 + REACH + 1e-3 for f in factors)


def test_voices_are_a_function_of_the_seed_and_kept(monkeypatch):
    speech = joined([("a", vowel(0.3))])
    first, other = (with_more_voices(speech, 1, seed=seed) for seed in (1, 2))
    assert first.names[1] != other.names[1]
    monkeypatch.setattr(vtlp, "another_tract", None)
    np.testing.assert_array_equal(with_more_voices(speech, 1, seed=1).samples, first.samples)
    assert with_more_voices(speech, 0, seed=1) is speech
