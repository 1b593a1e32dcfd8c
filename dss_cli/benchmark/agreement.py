"""How far a row's stems are from those of the CPU on one thread."""

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

SAME = 20.0  # dB of SI-SDR: half the width in floating point leaves 40 and more, another computation 0


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


def check(compared: Mapping[str, Any]) -> None:
    """The speed of a row whose stems are not the CPU's is that of another computation.

    Raises:
        Refused: a stem is further than `SAME` from the reference's.
    """
    scores = [(stem, compared[f"{stem}_si_sdr_db"]) for stem in STEMS]
    if any(score is not None and score < SAME for _, score in scores):
        told = ", ".join(f"{stem} {score:.1f} dB" for stem, score in scores if score is not None)
        raise Refused(
            f"it computes something else than the CPU on one thread (SI-SDR of its stems against the CPU's: "
            f"{told}; {SAME:g} are wanted): report it to the GPU driver's makers, or try another driver"
        )


def _read(path: Path) -> tuple[npt.NDArray[np.float64], int]:
    with sf.SoundFile(path) as file:
        return file.read(PERIOD * file.samplerate, dtype="float64"), file.samplerate
