"""Crowds made of the speech: their level, their share of the noise, and that no talker stands out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("soxr")

from dss_cli.simulation.babble import ALONE, babble, with_babble
from dss_cli.simulation.material import SPEECH_RMS, joined

RATE = 16_000


def bursts(rng, talker):
    """A talker of syllables, 4 a second, with pauses between them."""
    time = np.arange(5 * RATE) / RATE
    tone = np.sin(2 * np.pi * (100 + 20 * talker) * time)
    return (0.1 * tone * (np.sin(2 * np.pi * 4 * time + rng.uniform(0, 6)) > 0)).astype(np.float32)


@pytest.fixture(scope="module")
def speech():
    rng = np.random.default_rng(0)
    return joined((f"talker{i}", bursts(rng, i)) for i in range(24))


@pytest.fixture(scope="module")
def noise():
    rng = np.random.default_rng(1)
    pieces = [(f"wind{i}", (0.1 * rng.standard_normal(RATE)).astype(np.float32)) for i in range(9)]
    return replace(joined(pieces), notes=("two of them were resampled",))


def modulation(samples):
    """Standard deviation of the level over 50 ms, in dB."""
    frames = samples[RATE : len(samples) // 800 * 800].reshape(-1, 800)
    return float(np.std(10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)))


def test_a_crowd_is_steadier_than_its_talkers_and_as_loud_as_one(speech):
    crowd = babble(np.random.default_rng(2), speech, 4 * RATE)
    assert crowd.shape == (4 * RATE,) and crowd.dtype == np.float32
    assert np.sqrt(np.mean(crowd**2)) == pytest.approx(SPEECH_RMS, rel=1e-3)
    assert modulation(crowd) < 0.3 * modulation(speech.take(0, 0, 4 * RATE))


def test_a_crowd_can_be_made_of_few(speech):
    few = joined([("a", speech.take(0, 0, RATE)), ("b", speech.take(1, 0, RATE))])
    assert np.any(babble(np.random.default_rng(0), few, RATE))


def test_babble_is_the_share_that_was_asked_for_and_a_function_of_the_seed(noise, speech, monkeypatch):
    monkeypatch.setattr("dss_cli.simulation.babble.SECONDS", 1)
    more = with_babble(noise, speech, 0.25, seed=3)
    assert len(more.spans) == 12 and list(more.names[9:]) == ["babble 1", "babble 2", "babble 3"]
    assert more.notes == noise.notes
    for group in range(9):
        np.testing.assert_array_equal(more.take(group, 0, 100), noise.take(group, 0, 100))
    assert np.diff(more.spans[9:], axis=1).tolist() == [[RATE]] * 3
    again, other = (with_babble(noise, speech, 0.25, seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(more.samples, again.samples)
    assert np.any(more.samples != other.samples)
    assert not np.array_equal(more.take(9, 0, RATE), more.take(10, 0, RATE))


def test_without_noise_all_of_it_is_babble_and_with_no_share_nothing_is(noise, speech, monkeypatch):
    monkeypatch.setattr("dss_cli.simulation.babble.SECONDS", 1)
    assert len(with_babble(None, speech, 0.1, seed=1).spans) == ALONE
    assert with_babble(noise, speech, 0.0, seed=1) is noise
