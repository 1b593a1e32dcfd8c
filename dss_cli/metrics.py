"""Scores of separated stems: SI-SDR, attenuation, leakage; for one channel, computed in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DssError

Signal = npt.NDArray[np.floating[Any]]

LIMIT_DB = 80.0  # limit of the scores, beyond which they measure rounding


def si_sdr(estimate: Signal, reference: Signal) -> float:
    """Return the scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019).

    The ratio is `10 log10(|a s|^2 / |a s - e|^2)` with `a = <e, s> / <s, s>`, clamped to +-80 dB. It is not
    defined for a silent reference; see `attenuation`.

    Args:
        estimate: samples `(samples,)`.
        reference: samples `(samples,)` at the same rate, time-aligned with the estimate.

    Raises:
        DssError: the reference is silent, the shapes differ, or a sample is not finite.
    """
    e, s = _checked(estimate=estimate, reference=reference)
    if not s.any():
        raise DssError("SI-SDR is not defined for a silent reference; attenuation is")
    # Normalise the peaks: the score is scale-invariant, and squares of tiny samples would underflow.
    s = s / np.abs(s).max()
    e = e / (np.abs(e).max() or 1.0)
    target = (np.dot(e, s) / np.dot(s, s)) * s
    return _decibels(_energy(target), _energy(target - e))


def si_sdr_improvement(estimate: Signal, reference: Signal, mixture: Signal) -> float:
    """Return SI-SDRi: the SI-SDR of the estimate minus that of the unprocessed mixture, in dB.

    Raises:
        DssError: as `si_sdr`.
    """
    return si_sdr(estimate, reference) - si_sdr(mixture, reference)


def attenuation(mixture: Signal, output: Signal) -> float:
    """Return the attenuation of an output that should be silent relative to the mixture, in dB, within +-80.

    Args:
        mixture, output: samples `(samples,)`.

    Raises:
        DssError: the mixture is silent, the shapes differ, or a sample is not finite.
    """
    m, o = _checked(mixture=mixture, output=output)
    if not m.any():
        raise DssError("attenuation is not defined for a silent mixture")
    return _decibels(_energy(m), _energy(o))


def leakage(right: Signal, wrong: Signal) -> float:
    """Return the share of the stems' energy in the wrong output, 0 to 1, for a scene with one talker.

    Above one half the talker is swapped. The result for two silent stems is 0.

    Args:
        right: stem of the talker's role, `(samples,)`.
        wrong: the other stem, `(samples,)`.

    Raises:
        DssError: the shapes differ, or a sample is not finite.
    """
    r, w = (_energy(samples) for samples in _checked(right=right, wrong=wrong))
    return w / (r + w) if w else 0.0


def _decibels(numerator: float, denominator: float) -> float:
    if numerator == 0.0:
        return -LIMIT_DB
    if denominator == 0.0:
        return LIMIT_DB
    ratio = 10.0 * (math.log10(numerator) - math.log10(denominator))
    return min(LIMIT_DB, max(-LIMIT_DB, ratio))


def _energy(samples: npt.NDArray[np.float64]) -> float:
    return float(np.dot(samples, samples))


def _checked(**signals: Signal) -> list[npt.NDArray[np.float64]]:
    """Return the signals as float64.

    Raises:
        DssError: the shapes differ or have several dimensions, or a sample is not finite.
    """
    arrays = [np.asarray(samples, dtype=np.float64) for samples in signals.values()]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or arrays[0].ndim != 1:
        found = ", ".join(f"{n} {a.shape}" for n, a in zip(signals, arrays, strict=True))
        raise DssError(f"scores need arrays of one shape (samples,), not {found}")
    for name, array in zip(signals, arrays, strict=True):
        if not np.isfinite(array).all():
            raise DssError(f"{name} has samples that are NaN or infinite")
    return arrays
