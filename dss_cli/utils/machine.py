"""Where the figures were measured."""

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
_BUSY = 0.25  # of the processors: a load above this is not an idle machine's


def describe_machine() -> dict[str, Any]:
    """System, processor, versions, and the load of the last minute, before anything is measured."""
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
    """The processor's name, as far as the system tells."""
    with suppress(OSError):  # Linux alone has it; platform.processor() is mostly empty there
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def processors() -> int:
    """How many logical processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_threads() -> int:
    """CPU threads of a model where nobody says otherwise: more than four gain little on such chunks."""
    return min(MOST_THREADS, physical_cores())


def physical_cores() -> int:
    """How many cores this process may use, hyperthreads of one counted once, within a container's quota."""
    usable = processors()
    if hasattr(os, "sched_getaffinity"):
        cores = {_core(number) for number in os.sched_getaffinity(0)}
        usable = len(cores)
    return max(1, min(usable, _quota()))


def _core(number: int) -> tuple[str, str]:
    """Socket and core of a logical processor; where Linux does not tell, each is a core of its own."""
    folder = Path(f"/sys/devices/system/cpu/cpu{number}/topology")
    try:
        socket, core = ((folder / name).read_text().strip() for name in ("physical_package_id", "core_id"))
    except OSError:
        return "", str(number)
    return socket, core


def _quota(cgroup: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Processors that a container may use at a time, rounded up; very many without a limit."""
    with suppress(OSError, ValueError):
        limit, period = cgroup.read_text().split()
        if limit != "max":
            return math.ceil(int(limit) / int(period))
    return 1 << 16


def busy(machine: dict[str, Any]) -> str | None:
    """A line where other programs were at work, else None."""
    load, count = machine["load_average"], machine["processors"]
    if load is None or load <= _BUSY * count:
        return None
    return f"the machine is busy (load {load:.1f} on {count} processors): an idle one is faster"
