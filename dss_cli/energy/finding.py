"""Find the energy meters of this machine."""

from __future__ import annotations

from pathlib import Path

from . import apple, battery, nvml, rapl
from .meter import Found


def find_meters(root: Path = Path("/sys")) -> Found:
    """Open all readable meters; for each meter that exists but is not readable, add a line with the remedy.

    A kind of meter that the machine does not have (no NVIDIA GPU, no battery) is not reported. Close the
    result after use.

    Args:
        root: mount point of sysfs.
    """
    found = Found()
    for kind in (rapl.find, nvml.find, battery.find):
        found += kind(root)
    found += apple.find()
    if not found.meters and not found.problems:
        found.problems.append(
            "energy: no meter here: dss reads RAPL and batteries on Linux, NVIDIA GPUs, powermetrics on macOS"
        )
    return found
