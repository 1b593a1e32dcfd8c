"""How well two stems are separated: SI-SDR, attenuation, leakage. All in float64, one channel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DssError

Signal = npt.NDArray[np.floating[Any]]

LIMIT_DB = 80.0  # scores end here: beyond it they measure rounding


def si_sdr(estimate: Signal, reference: Signal) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019), in dB.

    `10 log10(|a s|^2 / |a s - e|^2)` with `a = <e, s> / <s, s>`, clamped to +-80 dB. Defined
    only where the reference is active: for a silent one, see `attenuation`.

    Args:
        estimate: `(samples,)`.
        reference: `(samples,)`, at the same rate, in step with the estimate.

    Raises:
        DssError: a silent reference, shapes that differ, or samples that are not finite.
    """
    e, s = _checked(estimate=estimate, reference=reference)
    if not s.any():
        raise DssError("SI-SDR has no meaning for a silent reference; attenuation has")
    # Unit peaks first: the score has no scale, and the squares of tiny samples would vanish.
    s = s / np.abs(s).max()
    e = e / (np.abs(e).max() or 1.0)
    target = (np.dot(e, s) / np.dot(s, s)) * s
    return _decibels(_energy(target), _energy(target - e))


def si_sdr_improvement(estimate: Signal, reference: Signal, mixture: Signal) -> float:
    """SI-SDRi: the estimate's SI-SDR less the unprocessed mixture's, in dB.

    Raises:
        DssError: as `si_sdr`.
    """
    return si_sdr(estimate, reference) - si_sdr(mixture, reference)


def attenuation(mixture: Signal, output: Signal) -> float:
    """How far an output that should be silent lies under the mixture, in dB, clamped to +-80 dB.

    Raises:
        DssError: a silent mixture, shapes that differ, or samples that are not finite.
    """
    m, o = _checked(mixture=mixture, output=output)
    if not m.any():
        raise DssError("attenuation has no meaning for a silent mixture")
    return _decibels(_energy(m), _energy(o))


def leakage(right: Signal, wrong: Signal) -> float:
    """Share of the stems' energy that left by the wrong output, 0 to 1.

    For a scene of one talker: `right` is the stem the talker belongs to, `wrong` the other. Above
    one half the talker was swapped. Two silent stems leak nothing.

    Raises:
        DssError: shapes that differ, or samples that are not finite.
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
    """The signals as float64, all of one length."""
    arrays = [np.asarray(samples, dtype=np.float64) for samples in signals.values()]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or arrays[0].ndim != 1:
        found = ", ".join(f"{n} {a.shape}" for n, a in zip(signals, arrays, strict=True))
        raise DssError(f"scores are taken of arrays of one shape (samples,), not {found}")
    for name, array in zip(signals, arrays, strict=True):
        if not np.isfinite(array).all():
            raise DssError(f"{name} holds samples that are NaN or infinite")
    return arrays
