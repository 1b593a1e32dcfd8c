"""Energy meter of discharging batteries, through Linux's power supply class.

Source: the kernel's Documentation/ABI/testing/sysfs-class-power. A gauge counts either energy
(`energy_now`, uWh) or charge (`charge_now`; `charge_counter` on phones, uAh). Charge is converted to energy
with the mean voltage between two reads. The product of charge and voltage at each end would count the
voltage drop under load, a few percent of the whole battery, as spent energy. Gauges have coarse steps
(often 10 mWh = 36 J, every few seconds), so a measurement should take minutes.
"""

from __future__ import annotations

from pathlib import Path

from .meter import Found, Meter, MeterError, read_number, read_word

_JOULES_PER_MICROWATT_HOUR = 3600e-6
_CHARGES = ("charge_now", "charge_counter")


class BatteryMeter(Meter):
    """Meter of one battery that powers the machine.

    Args:
        folder: sysfs folder of the power supply.

    Raises:
        MeterError: the battery has no usable gauge, or does not discharge.
    """

    scope = "machine"

    def __init__(self, folder: Path) -> None:
        self.name = f"battery {folder.name}"
        self._status = folder / "status"
        self._voltage: Path | None = None
        self._gauge, full = folder / "energy_now", folder / "energy_full"
        if not self._gauge.exists():
            self._voltage, full = folder / "voltage_now", folder / "charge_full"
            gauges = [folder / name for name in _CHARGES if (folder / name).exists()]
            if not gauges or not self._voltage.exists():
                raise MeterError(
                    "has a gauge neither of energy nor of charge with voltage; use another meter"
                )
            self._gauge = gauges[0]
        self._joules = 0.0
        self._last = self._read()
        self._full = self._full_amount(full, folder / "capacity")

    def read(self) -> float:
        """Return the joules drained since the meter was opened.

        Raises:
            MeterError: the battery does not discharge, or its files have vanished.
        """
        amount, volts = self._read()
        before, volts_before = self._last
        self._joules += (before - amount) * (volts_before + volts) / 2 * _JOULES_PER_MICROWATT_HOUR
        self._last = amount, volts
        return self._joules

    def percent(self) -> float | None:
        """Return the charge at the last read in percent of the full charge; None if that is unknown."""
        return None if self._full is None else 100.0 * self._last[0] / self._full

    def _read(self) -> tuple[int, float]:
        """Return the gauge's count, and the volts that convert it to uWh (1 if the gauge counts uWh)."""
        status = read_word(self._status)
        if status != "Discharging":
            raise MeterError(f"does not discharge ({status}), so it measures nothing: unplug the charger")
        amount = read_number(self._gauge)
        return amount, 1.0 if self._voltage is None else read_number(self._voltage) * 1e-6

    def _full_amount(self, full: Path, capacity: Path) -> float | None:
        """Return the full charge in the gauge's unit, derived from whole percents if it is not stated."""
        if full.exists() and (amount := read_number(full)) > 0:
            return amount
        if capacity.exists() and (percent := read_number(capacity)) > 0:
            return 100.0 * self._last[0] / percent
        return None


def find(root: Path) -> Found:
    """Find the batteries that power the machine; `root` is `/sys`."""
    found = Found()
    folder = root / "class" / "power_supply"
    try:
        supplies = sorted(folder.iterdir())
    except PermissionError:
        found.problems.append(
            f"battery: {folder} may not be read; on Android root may (`su`), and over USB `adb shell "
            "dumpsys battery` prints the charge before and after"
        )
        return found
    except OSError:  # no power supplies
        return found
    for supply in supplies:
        try:
            if _is_ours(supply):
                found.meters.append(BatteryMeter(supply))
        except MeterError as error:
            found.problems.append(f"battery {supply.name}: {error}")
    return found


def _is_ours(supply: Path) -> bool:
    """Return whether a supply is a battery of the machine, and not of a device such as a mouse."""
    if read_word(supply / "type") != "Battery":
        return False
    return not (supply / "scope").exists() or read_word(supply / "scope") != "Device"
