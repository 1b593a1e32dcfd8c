"""Energy meters of batteries, NVIDIA GPUs and Macs, tested with fakes."""

from __future__ import annotations

import errno
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from dss_cli.energy import MeterError, apple, battery, measure, measure_idle, nvml
from tests.helpers.machines import FakeNvml, files, install, supply

# Batteries.


def test_energy_gauges_give_joules_and_percent(tmp_path):
    folder = supply(tmp_path, energy_now=40_000_000, energy_full=50_000_000, capacity=80)
    found = battery.find(tmp_path)
    (meter,) = found.meters
    assert (meter.name, meter.scope, found.problems) == ("battery BAT0", "machine", [])
    with measure([meter]) as run:
        files(folder, energy_now=39_990_000)
    (energy,) = run.energies
    assert energy.joules == pytest.approx(36)  # 10 mWh
    assert energy.percent == pytest.approx(0.02)


@pytest.mark.parametrize("gauge", ["charge_now", "charge_counter"])
@pytest.mark.parametrize("full", [{"charge_full": 4_000_000}, {"capacity": 50}])
def test_charge_gauges_count_what_flowed_at_the_mean_voltage(tmp_path, gauge, full):
    folder = supply(tmp_path, "battery", **{gauge: 2_000_000}, voltage_now=4_000_000, **full)
    (meter,) = battery.find(tmp_path).meters
    with measure([meter]) as run:
        files(folder, **{gauge: 1_998_000}, voltage_now=3_900_000)
    (energy,) = run.energies
    assert energy.joules == pytest.approx(0.002 * 3600 * 3.95)
    assert energy.percent == pytest.approx(0.05)


def test_a_sagging_voltage_alone_is_no_energy(tmp_path):
    folder = supply(tmp_path, charge_now=2_000_000, voltage_now=4_000_000)
    (meter,) = battery.find(tmp_path).meters
    with measure([meter]) as run:
        files(folder, voltage_now=3_800_000)
    (energy,) = run.energies
    assert energy.joules is None and energy.problem.startswith("did not change in 0.0 s")
    assert meter.percent() is None  # the battery reports no full charge


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging", "Unknown"])
def test_a_battery_that_does_not_discharge_is_a_problem(tmp_path, status):
    supply(tmp_path, status=status, energy_now=1, energy_full=2)
    found = battery.find(tmp_path)
    assert found.meters == []
    assert found.problems == [
        f"battery BAT0: does not discharge ({status}), so it measures nothing: unplug the charger"
    ]


def test_plugging_in_ends_the_reading(tmp_path):
    folder = supply(tmp_path, energy_now=40_000_000)
    (meter,) = battery.find(tmp_path).meters
    with measure([meter]) as run:
        files(folder, status="Charging", energy_now=39_000_000)
    (energy,) = run.energies
    assert energy.joules is None and energy.problem.startswith("does not discharge (Charging)")


def test_only_the_machines_batteries_count(tmp_path):
    supply(tmp_path, "AC", type="Mains")
    supply(tmp_path, "mouse", scope="Device", energy_now=1)
    supply(tmp_path, "BAT1", scope="System", energy_now=1)
    supply(tmp_path, "BAT2", charge_now=1)  # a charge without a voltage
    found = battery.find(tmp_path)
    assert [meter.name for meter in found.meters] == ["battery BAT1"]
    (problem,) = found.problems
    assert problem.startswith("battery BAT2: has a gauge neither of energy")


def test_power_supplies_that_android_hides(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    (problem,) = battery.find(tmp_path).problems
    assert "may not be read" in problem and "`adb shell dumpsys battery`" in problem


# NVML.


def test_the_energy_counter_of_a_gpu_is_read(tmp_path, monkeypatch):
    fake = install(monkeypatch, FakeNvml())
    found = nvml.find(tmp_path)
    (meter,) = found.meters
    assert (meter.name, meter.scope, found.problems) == ("NVML NVIDIA H200", "GPU", [])
    with measure([meter]) as run:
        fake.millijoules += 1_500
    assert run.energies[0].joules == pytest.approx(1.5)
    found.close()
    assert fake.opened == 0


def test_a_gpu_without_a_counter_has_its_power_integrated(monkeypatch, tmp_path):
    fake = install(monkeypatch, FakeNvml(names=(b"NVIDIA GTX 980",), counter=False))
    found = nvml.find(tmp_path)
    (meter,) = found.meters
    assert meter.name == "NVML NVIDIA GTX 980 (sampled power)"
    (energy,) = measure_idle([meter], 0.1)
    assert energy.watts == pytest.approx(250, rel=0.2)  # the two clock readings differ
    found.close()
    assert fake.opened == 0
    assert "power" not in {thread.name for thread in threading.enumerate()}


def test_integration_is_the_trapezoidal_rule(monkeypatch):
    monkeypatch.setattr(nvml, "_PERIOD", 3600)  # only samples of the reads
    fake = FakeNvml(counter=False)
    times, milliwatts = iter([0.0, 1.0, 3.0]), iter([0, 10_000, 20_000, 40_000])
    monkeypatch.setattr(fake, "nvmlDeviceGetPowerUsage", lambda handle: next(milliwatts))
    fake.nvmlInit()
    meter = nvml.NvmlMeter(fake, 0, clock=lambda: next(times))
    assert meter.read() == pytest.approx(15)
    assert meter.read() == pytest.approx(15 + 60)
    meter.close()


@pytest.mark.parametrize("counter", [True, False])
def test_a_gpu_that_is_lost_gives_no_number(tmp_path, monkeypatch, counter):
    fake = install(monkeypatch, FakeNvml(counter=counter))
    found = nvml.find(tmp_path)
    with measure(found.meters) as run:
        fake.millijoules += 1_500
        fake.lost = True
    (energy,) = run.energies
    assert (energy.joules, energy.problem) == (None, "vanished: GPU is lost")
    found.close()


def test_several_gpus_are_numbered_and_the_mute_one_is_a_problem(tmp_path, monkeypatch):
    fake = install(monkeypatch, FakeNvml(names=("A", "B")))
    assert [meter.name for meter in nvml.find(tmp_path).meters] == ["NVML 0 A", "NVML 1 B"]
    fake.opened, fake.counter, fake.power = 0, False, False
    found = nvml.find(tmp_path)
    assert (found.meters, fake.opened) == ([], 0)
    assert found.problems == [
        f"NVML GPU {i}: reports neither energy nor power: Not Supported; a newer driver may report it"
        for i in (0, 1)
    ]


def test_nvml_is_no_problem_without_an_nvidia_driver(tmp_path, monkeypatch):
    for module in (None, FakeNvml(driver=False)):
        install(monkeypatch, module)
        assert nvml.find(tmp_path) == nvml.Found()


def test_nvml_that_is_missing_beside_a_driver_is_a_problem(tmp_path, monkeypatch):
    (tmp_path / "module" / "nvidia").mkdir(parents=True)
    install(monkeypatch, None)
    (problem,) = nvml.find(tmp_path).problems
    assert "`pip install 'dss-cli[energy]'`" in problem
    install(monkeypatch, FakeNvml(driver=False))
    (problem,) = nvml.find(tmp_path).problems
    assert problem == "NVML: Driver Not Loaded; `nvidia-smi` must work first"


# powermetrics.

SAMPLES = """
import sys, time
for milliwatts in ({samples}):
    print("*** Sampled system activity (Fri Jan  2 10:00:00 2026 +0000) (200.00ms elapsed) ***")
    print("CPU Power: 7 mW")
    print({line!r}.format(milliwatts), flush=True)
time.sleep({pause})
"""
SILICON = "Combined Power (CPU + GPU + ANE): {} mW"
INTEL = "Intel energy model derived package power (CPUs+GT+SA): {}W"


def powermetrics(samples, line=SILICON, pause=60):
    script = SAMPLES.format(samples=samples, line=line, pause=pause)
    return apple.PowermetricsMeter([sys.executable, "-c", textwrap.dedent(script)])


@pytest.mark.parametrize(("line", "samples"), [(SILICON, "1000, 3000,"), (INTEL, "1.0, 3.0,")])
def test_samples_of_powermetrics_are_integrated(line, samples):
    meter = powermetrics(samples, line)
    deadline = time.monotonic() + 10
    while meter.read() < 0.79 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert meter.read() == pytest.approx(0.8)
    meter.close()
    assert meter._process.returncode is not None


def test_a_powermetrics_that_ends_has_vanished():
    meter = powermetrics("1000,", pause=0)
    meter._thread.join(10)
    with pytest.raises(MeterError, match="vanished"):
        meter.read()


def test_a_powermetrics_for_root_alone_is_a_problem(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(apple, "_PATH", "/nonexistent/powermetrics")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    found = apple.find()
    assert found.meters == []
    assert found.problems == [
        "powermetrics: cannot be run: No such file or directory; it needs root: "
        "run `sudo -v` right before this command"
    ]
