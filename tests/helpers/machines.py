"""Machines with energy meters: fake sysfs trees and a fake NVML."""

from __future__ import annotations

import sys
import types
from pathlib import Path

RANGE = 262_143_328_850  # uJ, typical of a desktop's package


def files(folder: Path, **contents: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_text(f"{content}\n")
    return folder


def zone(root: Path, number: str, name: str, energy: object = 1_000_000, most: object = RANGE) -> Path:
    folder = root / "class" / "powercap" / f"intel-rapl:{number}"
    return files(folder, name=name, energy_uj=energy, max_energy_range_uj=most)


def supply(root: Path, name: str = "BAT0", **contents: object) -> Path:
    contents = {"type": "Battery", "status": "Discharging"} | contents
    return files(root / "class" / "power_supply" / name, **contents)


class FakeNvml(types.ModuleType):
    """Module `pynvml` with GPUs of 250 W; the energy counter can be missing."""

    class NVMLError(Exception):
        pass

    def __init__(self, names=("NVIDIA H200",), counter=True, power=True, driver=True) -> None:
        super().__init__("pynvml")
        self.names, self.counter, self.power, self.driver = names, counter, power, driver
        self.opened, self.millijoules, self.lost = 0, 5_000, False

    def _require(self, condition, words="Not Supported"):
        if self.lost:
            raise self.NVMLError("GPU is lost")
        if not condition:
            raise self.NVMLError(words)

    def nvmlInit(self):
        self._require(self.driver, "Driver Not Loaded")
        self.opened += 1

    def nvmlShutdown(self):
        self.opened -= 1

    def nvmlDeviceGetCount(self):
        return len(self.names)

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetName(self, handle):
        return self.names[handle]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        self._require(self.counter)
        return self.millijoules

    def nvmlDeviceGetPowerUsage(self, handle):
        self._require(self.power)
        return 250_000


def install(monkeypatch, module):
    """Make `import pynvml` return the module, or fail for None; hide `nvidia-smi`."""
    monkeypatch.setitem(sys.modules, "pynvml", module)
    monkeypatch.setattr("shutil.which", lambda name: None)
    return module
