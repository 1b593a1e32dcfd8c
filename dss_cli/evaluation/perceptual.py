"""Perceptual scores: PESQ and STOI, by the packages of the extra `metrics`."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DssError

Floats = npt.NDArray[np.float32]
Perceptual = Callable[[Floats, Floats], dict[str, "float | None"]]  # reference, output -> by measure

MEASURES = ("pesq", "stoi")
_MODES = {8_000: "nb", 16_000: "wb"}  # modes of PESQ: narrow band, wide band


def measures(rate: int) -> Perceptual:
    """Return a function of an active reference and an output, `(samples,)` each, that computes both scores.

    PESQ (ITU-T P.862, mean opinion score from 1) is None if it finds no utterance. STOI (Taal et al. 2011, up
    to 1) is None if the reference has too little speech. A silent output gets the lowest scores, 1 and 0.

    Raises:
        DssError: the packages are missing, or PESQ is not defined at this rate.
    """
    try:
        import pesq
        import pystoi
    except ImportError as error:
        raise DssError(
            f"--perceptual needs more packages: pip install 'dss-cli[metrics]' ({error})"
        ) from None
    if rate not in _MODES:
        raise DssError(f"--perceptual: PESQ is defined at 8000 and 16000 Hz, and the test set has {rate} Hz")

    def both(reference: Floats, output: Floats) -> dict[str, float | None]:
        if not output.any():
            return {"pesq": 1.0, "stoi": 0.0}
        scores: dict[str, Any] = dict.fromkeys(MEASURES)
        with contextlib.suppress(pesq.NoUtterancesError, pesq.BufferTooShortError):
            scores["pesq"] = float(pesq.pesq(rate, reference, output, _MODES[rate]))
        with warnings.catch_warnings(), contextlib.suppress(RuntimeWarning):
            warnings.simplefilter("error", RuntimeWarning)  # pystoi warns about too little speech
            scores["stoi"] = float(pystoi.stoi(reference, output, rate))
        return {name: None if score is None else round(score, 4) for name, score in scores.items()}

    return both
