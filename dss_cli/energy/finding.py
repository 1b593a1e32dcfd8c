"""Which meters work on this machine."""

from __future__ import annotations

from pathlib import Path

from . import apple, battery, nvml, rapl
from .meter import Found


def find_meters(root: Path = Path("/sys")) -> Found:
    """Every meter that can be read here, and a line with its remedy for each that could be.

    A kind of meter that a machine does not have at all (no NVIDIA card, no battery) is no problem.
    Close the result after use.

    Args:
        root: where sysfs is mounted.
    """
    found = Found()
    for kind in (rapl.find, nvml.find, battery.find):
        found += kind(root)
    found += apple.find()
    if not found.meters and not found.problems:
        found.problems.append(
            "energy: no meter here; dss reads RAPL and batteries on Linux, NVIDIA GPUs, powermetrics on macOS"
        )
    return found
