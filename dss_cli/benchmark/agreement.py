"""Compare a row's stems with the stems of the CPU on one thread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile as sf

from ..constants import STEMS
from ..metrics import si_sdr
from .recording import PERIOD
from .subject import Refused

SAME = 20.0  # dB of SI-SDR: float16 leaves 40 or more, a wrong computation about 0


def agreement(stems: Path, reference: Path) -> dict[str, Any]:
    """Return the SI-SDR of each stem against the reference, and the largest difference of all samples.

    Args:
        stems: folder with `near.wav` and `far.wav`.
        reference: folder with the same files of the reference.

    Returns:
        `near_si_sdr_db` and `far_si_sdr_db` (at most 80; None if the reference is silent),
        `largest_difference` (full scale is 1), and `seconds`, the compared duration: one period of the
        recording.
    """
    result: dict[str, Any] = {}
    largest, seconds = 0.0, 0.0
    for stem in STEMS:
        estimate, rate = _read(stems / f"{stem}.wav")
        expected, _ = _read(reference / f"{stem}.wav")
        result[f"{stem}_si_sdr_db"] = round(si_sdr(estimate, expected), 2) if expected.any() else None
        largest = max(largest, float(np.abs(estimate - expected).max()))
        seconds = len(expected) / rate
    return {**result, "largest_difference": largest, "seconds": seconds}


def check(compared: Mapping[str, Any]) -> None:
    """Check that a row computes the same as the CPU; the speed of a wrong computation is meaningless.

    Raises:
        Refused: the SI-SDR of a stem against the reference is below `SAME`.
    """
    scores = [(stem, compared[f"{stem}_si_sdr_db"]) for stem in STEMS]
    if any(score is not None and score < SAME for _, score in scores):
        told = ", ".join(f"{stem} {score:.1f} dB" for stem, score in scores if score is not None)
        raise Refused(
            f"its results differ from those of the CPU on one thread (SI-SDR of its stems against the CPU's: "
            f"{told}; at least {SAME:g} needed): report it to the GPU driver's makers, or try another driver"
        )


def _read(path: Path) -> tuple[npt.NDArray[np.float64], int]:
    with sf.SoundFile(path) as file:
        return file.read(PERIOD * file.samplerate, dtype="float64"), file.samplerate
