"""Description of the machine that figures are measured on."""

from __future__ import annotations

import math
import os
import platform
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .._version import __version__

MOST_THREADS = 4
_BUSY = 0.25  # share of the processors; an idle machine's load is below it


def describe_machine() -> dict[str, Any]:
    """Return system, processor, versions and the load average of the last minute.

    Call this function before a measurement: a measurement raises the load itself.
    """
    return {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "processor": processor(),
        "processors": processors(),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "litert": version("ai-edge-litert"),
        "dss": __version__,
    }


def processor() -> str:
    """Return the processor's name as reported by the system."""
    with suppress(OSError):  # Linux only, where platform.processor() is usually empty
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def processors() -> int:
    """Return the number of logical processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_threads() -> int:
    """Return the default number of CPU threads of a model: beyond four, short chunks gain little."""
    return min(MOST_THREADS, physical_cores())


def physical_cores() -> int:
    """Return the number of physical cores that this process may use, limited by the container's CPU quota."""
    usable = processors()
    if hasattr(os, "sched_getaffinity"):
        cores = {_core(number) for number in os.sched_getaffinity(0)}
        usable = len(cores)
    return max(1, min(usable, _quota()))


def _core(number: int) -> tuple[str, str]:
    """Return (socket, core) of a logical processor; if unknown, the processor counts as a core of its own."""
    folder = Path(f"/sys/devices/system/cpu/cpu{number}/topology")
    try:
        socket, core = ((folder / name).read_text().strip() for name in ("physical_package_id", "core_id"))
    except OSError:
        return "", str(number)
    return socket, core


def _quota(cgroup: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return the CPU quota of the container in processors, rounded up; 65536 without a limit."""
    with suppress(OSError, ValueError):
        limit, period = cgroup.read_text().split()
        if limit != "max":
            return math.ceil(int(limit) / int(period))
    return 1 << 16


def busy(machine: dict[str, Any]) -> str | None:
    """Return a warning if other programs load the machine, else None."""
    load, count = machine["load_average"], machine["processors"]
    if load is None or load <= _BUSY * count:
        return None
    return f"the machine is busy (load {load:.1f} on {count} processors): an idle one is faster"
