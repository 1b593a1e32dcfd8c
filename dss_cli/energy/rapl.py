"""Energy meter of Intel and AMD packages: RAPL, through Linux's powercap (`intel-rapl` for both).

Source: the kernel's Documentation/power/powercap/powercap.rst. Only the top zones are read: the packages
and, if present, the platform (`psys`), which includes the packages and is therefore another scope.
`intel-rapl-mmio` repeats the same packages and is ignored.
"""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path

from .meter import Found, Meter, MeterError, read_number, read_word

_ZONE = re.compile(r"intel-rapl:\d+")
_PLATFORM = "psys"
_MOST_WATTS = 1000.0  # more than any package draws; gives the shortest time until a wrap-around


class RaplMeter(Meter):
    """Meter of one top zone of powercap.

    Args:
        zone: folder of the zone.

    Raises:
        MeterError: the counter cannot be read.
        PermissionError: the counter exists, but this user may not read it.
    """

    def __init__(self, zone: Path) -> None:
        self._counter = zone / "energy_uj"
        self._counter.open("rb").close()  # raises PermissionError, for which there is a remedy
        kind = read_word(zone / "name")
        self.name = f"RAPL {kind}"
        self.scope = "platform" if kind == _PLATFORM else "CPU package"
        self._range = read_number(zone / "max_energy_range_uj")
        if self._range <= 0:
            raise MeterError(f"wraps around at {self._range} uJ, which cannot be corrected")
        self.longest_gap = self._range * 1e-6 / _MOST_WATTS
        self._last = read_number(self._counter)
        self._microjoules = 0

    def read(self) -> float:
        """Return the joules since the meter was opened, corrected for one wrap-around since the last read."""
        now = read_number(self._counter)
        self._microjoules += now - self._last + (self._range if now < self._last else 0)
        self._last = now
        return self._microjoules * 1e-6


def find(root: Path) -> Found:
    """Find the packages and the platform in powercap; `root` is `/sys`."""
    found = Found()
    folder = root / "class" / "powercap"
    # Containers may show links whose targets are missing.
    zones = sorted(path for path in folder.glob("*") if _ZONE.fullmatch(path.name) and path.exists())
    denied = False
    for zone in zones:
        try:
            found.meters.append(RaplMeter(zone))
        except PermissionError:
            denied = True
        except (MeterError, OSError) as error:
            found.problems.append(f"RAPL {zone.name}: {error}; a reboot may bring it back")
    if denied:
        counters = folder / "intel-rapl:*" / "energy_uj"
        found.problems.append(
            f"RAPL: only root may read the counters; `sudo chmod a+r {counters}` allows all until a reboot"
        )
    if not zones and sys.platform == "linux" and platform.machine() in ("x86_64", "i686"):
        found.problems.append(
            f"RAPL: {folder} shows no package: virtual machines and containers mostly hide it (measure on "
            "the host); otherwise `sudo modprobe intel_rapl_msr` adds it"
        )
    return found
