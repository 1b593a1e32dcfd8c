"""How far a row's stems are from those of the CPU on one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile as sf

from ..metrics import si_sdr
from ..signal import STEMS
from .recording import PERIOD


def agreement(stems: Path, reference: Path) -> dict[str, Any]:
    """SI-SDR of each stem against the reference's, and the largest difference of any sample.

    Args:
        stems: folder with `near.wav` and `far.wav`.
        reference: the same of the reference.

    Returns:
        `near_si_sdr_db` and `far_si_sdr_db` (80 stands for 80 and more; None where the reference
        is silent), `largest_difference` (full scale is 1), and `seconds` that were compared: as
        many as pass before the recording begins again.
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


def _read(path: Path) -> tuple[npt.NDArray[np.float64], int]:
    with sf.SoundFile(path) as file:
        return file.read(PERIOD * file.samplerate, dtype="float64"), file.samplerate
