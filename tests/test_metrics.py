"""Scores against their definition, their symmetries and an independent implementation."""

from __future__ import annotations

import numpy as np
import pytest
from fast_bss_eval import numpy as fast_bss_eval
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.errors import DssError
from dss_cli.metrics import attenuation, leakage, si_sdr, si_sdr_improvement


def orthogonal(*energies: float) -> list[np.ndarray]:
    """Return orthogonal sines with the given energies."""
    time = np.arange(1000)
    sines = [np.sin(2 * np.pi * (k + 3) * time / 1000) for k in range(len(energies))]
    return [s * np.sqrt(energy / (s @ s)) for s, energy in zip(sines, energies, strict=True)]


@pytest.mark.parametrize("decibels", [-30.0, -3.0, 0.0, 10.0, 60.0])
def test_si_sdr_of_known_distortion(decibels):
    reference, distortion = orthogonal(1.0, 10 ** (-decibels / 10))
    assert si_sdr(reference + distortion, reference) == pytest.approx(decibels, abs=1e-6)


@given(
    seed=st.integers(0, 1000),
    distortion=st.floats(0.01, 100),
    gain=st.floats(1e-6, 1e6),
    sign=st.sampled_from([-1, 1]),
)
def test_si_sdr_has_no_scale_and_agrees_with_fast_bss_eval(seed, distortion, gain, sign):
    reference, noise = np.random.default_rng(seed).standard_normal((2, 500))
    estimate = reference + distortion * noise
    score = si_sdr(estimate, reference)
    assert si_sdr(sign * gain * estimate, reference) == pytest.approx(score, abs=1e-6)
    assert si_sdr(estimate, sign * gain * reference) == pytest.approx(score, abs=1e-6)
    theirs = fast_bss_eval.si_sdr(reference[np.newaxis], estimate[np.newaxis])
    assert score == pytest.approx(float(theirs[0]), abs=1e-6)


def test_si_sdr_ends_at_80_decibels(noise):
    reference = noise(1000)
    assert si_sdr(reference, reference) == 80.0
    assert si_sdr(-3 * reference, reference) == 80.0
    assert si_sdr(np.zeros(1000), reference) == -80.0
    one, other = orthogonal(1.0, 1.0)
    assert si_sdr(other, one) == -80.0


def test_si_sdr_of_tiny_samples_is_not_lost():
    reference, distortion = orthogonal(1.0, 0.1)
    estimate = 1e-200 * (reference + distortion)
    assert si_sdr(estimate, 1e-200 * reference) == pytest.approx(10.0, abs=1e-6)


def test_a_silent_reference_has_no_score(noise):
    with pytest.raises(DssError, match="silent reference"):
        si_sdr(noise(10), np.zeros(10))


def test_improvement_is_the_difference_to_the_mixture():
    reference, distortion = orthogonal(1.0, 1.0)
    estimate = reference + distortion * 0.1
    improvement = si_sdr_improvement(estimate, reference, reference + distortion)
    assert improvement == pytest.approx(20.0, abs=1e-6)


def test_attenuation_is_the_energy_ratio(noise):
    mixture = noise(1000)
    assert attenuation(mixture, 0.1 * mixture) == pytest.approx(20.0, abs=1e-6)
    assert attenuation(mixture, 2 * mixture) == pytest.approx(-6.0206, abs=1e-4)
    assert attenuation(mixture, np.zeros(1000)) == 80.0
    with pytest.raises(DssError, match="silent mixture"):
        attenuation(np.zeros(10), noise(10))


def test_leakage_is_the_wrong_stems_share_of_energy():
    right, wrong = orthogonal(3.0, 1.0)
    assert leakage(right, wrong) == pytest.approx(0.25)
    assert leakage(wrong, right) == pytest.approx(0.75)
    assert leakage(right, np.zeros(1000)) == 0.0
    assert leakage(np.zeros(1000), wrong) == 1.0
    assert leakage(np.zeros(1000), np.zeros(1000)) == 0.0


@pytest.mark.parametrize("score", [si_sdr, attenuation, leakage])
def test_what_is_no_pair_of_signals_is_refused(score, noise):
    with pytest.raises(DssError, match=r"\(10,\), \w+ \(9,\)"):
        score(noise(10), noise(9))
    with pytest.raises(DssError, match=r"\(5, 2\)"):
        score(noise(10).reshape(5, 2), noise(10).reshape(5, 2))
    with pytest.raises(DssError, match="NaN or infinite"):
        score(noise(10), np.full(10, np.nan))
