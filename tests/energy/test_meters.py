"""Energy meters of CPUs with fake sysfs trees; intervals; search for meters on a machine."""

from __future__ import annotations

import errno
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.energy import Energy, EnergyRun, Meter, MeterError, find_meters, measure, measure_idle, rapl
from tests.helpers.machines import RANGE, FakeNvml, files, install, supply, zone


def denied(monkeypatch, name: str) -> None:
    """Forbid opening files of this name, even for root."""
    original = Path.open

    def refuse(self, *arguments, **options):
        if self.name == name:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return original(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)


# RAPL.


def test_packages_and_platform_are_found_once_each(tmp_path):
    zone(tmp_path, "0", "package-0")
    zone(tmp_path, "0:0", "core")
    zone(tmp_path, "1", "package-1")
    zone(tmp_path, "2", "psys")
    mirrored = tmp_path / "class" / "powercap" / "intel-rapl-mmio:0"
    files(mirrored, name="package-0", energy_uj=1, max_energy_range_uj=RANGE)
    found = rapl.find(tmp_path)
    assert [(meter.name, meter.scope) for meter in found.meters] == [
        ("RAPL package-0", "CPU package"),
        ("RAPL package-1", "CPU package"),
        ("RAPL psys", "platform"),
    ]
    assert found.problems == []


def test_a_counter_that_wraps_once_loses_nothing(tmp_path):
    folder = zone(tmp_path, "0", "package-0", RANGE - 2_000_000)
    (meter,) = rapl.find(tmp_path).meters
    assert meter.read() == 0
    files(folder, energy_uj=3_000_000)
    assert meter.read() == pytest.approx(5.0)
    files(folder, energy_uj=3_500_000)
    assert meter.read() == pytest.approx(5.5)


@given(st.lists(st.integers(0, 999), max_size=30))
def test_wrapping_counters_add_up_to_what_was_spent(steps):
    """The counter wraps at 1000 uJ and is read before it can wrap twice."""
    with tempfile.TemporaryDirectory() as folder:
        package = zone(Path(folder), "0", "package-0", 990, 1000)
        meter = rapl.RaplMeter(package)
        counter = 990
        for step in steps:
            counter = (counter + step) % 1000
            files(package, energy_uj=counter)
            meter.read()
        assert meter.read() == pytest.approx(sum(steps) * 1e-6)


def test_a_counter_that_may_have_wrapped_twice_gives_no_number(tmp_path):
    """A package of 1 kW draws 65.5 kJ in 65.5 s."""
    folder = zone(tmp_path, "0", "package-0", 0, 65_500_000_000)
    (meter,) = rapl.find(tmp_path).meters
    now = 0.0
    run = EnergyRun([meter], clock=lambda: now)
    now = 65.0
    files(folder, energy_uj=3_000_000)
    run.read()
    now = 131.0  # as after a computer's sleep
    files(folder, energy_uj=5_000_000)
    run.end()
    (energy,) = run.energies
    assert (energy.joules, energy.watts) == (None, None)
    assert energy.problem == "was not read for 66 s, and its counter may have wrapped around more than once"


def test_a_long_run_reads_often_enough_by_itself(tmp_path):
    """A counter of 200 J wraps eight times in a run during which the clock stands still."""
    folder = zone(tmp_path, "0", "package-0", 0, 200_000_000)
    meter = rapl.RaplMeter(folder)
    assert meter.longest_gap == pytest.approx(0.2)
    counted, original = threading.Event(), meter.read
    meter.read = lambda: (original(), counted.set())[0]
    run = EnergyRun([meter], clock=lambda: 0.0)
    for turn in range(1, 17):
        (files(folder, new=turn * 100 % 200 * 1_000_000) / "new").replace(folder / "energy_uj")
        for _ in range(2):  # the first call may have read before
            counted.clear()
            assert counted.wait(10)
    run.end()
    assert run.energies[0].joules == pytest.approx(1600)


def test_counters_for_root_alone_are_one_problem_with_its_remedy(tmp_path, monkeypatch):
    zone(tmp_path, "0", "package-0")
    zone(tmp_path, "1", "package-1")
    denied(monkeypatch, "energy_uj")
    found = rapl.find(tmp_path)
    assert found.meters == []
    (problem,) = found.problems
    assert f"`sudo chmod a+r {tmp_path}/class/powercap/intel-rapl:*/energy_uj`" in problem


@pytest.mark.parametrize(
    ("contents", "told"),
    [({"energy_uj": "lots"}, "holds 'lots'"), ({"max_energy_range_uj": 0}, "wraps around at 0 uJ")],
)
def test_a_zone_that_makes_no_sense_is_told_and_left_out(tmp_path, contents, told):
    files(zone(tmp_path, "0", "package-0"), **contents)
    zone(tmp_path, "1", "package-1")
    found = rapl.find(tmp_path)
    assert [meter.name for meter in found.meters] == ["RAPL package-1"]
    (problem,) = found.problems
    assert problem.startswith("RAPL intel-rapl:0: ") and told in problem


def test_a_machine_that_hides_rapl_is_told_why(tmp_path, monkeypatch):
    links = tmp_path / "class" / "powercap"
    links.mkdir(parents=True)
    (links / "intel-rapl:0").symlink_to("../../devices/virtual/powercap/masked")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    (problem,) = rapl.find(tmp_path).problems
    assert "virtual machines and containers" in problem and "`sudo modprobe intel_rapl_msr`" in problem
    monkeypatch.setattr("platform.machine", lambda: "aarch64")  # this machine never has RAPL
    assert rapl.find(tmp_path).problems == []


# Intervals.


class Scripted(Meter):
    """Meter that returns the given readings one after the other and raises those that are exceptions."""

    name, scope = "scripted", "bench"

    def __init__(self, *readings: float | MeterError) -> None:
        self.readings = list(readings)

    def read(self):
        reading = self.readings.pop(0)
        if isinstance(reading, MeterError):
            raise reading
        return reading


def test_net_is_gross_without_what_idling_costs_in_that_time():
    idle = Energy("m", "GPU", seconds=10, joules=20)
    busy = Energy("m", "GPU", seconds=3, joules=30)
    assert (idle.watts, busy.watts, busy.net(idle)) == (2, 10, 24)
    assert Energy("m", "GPU", 3, 5).net(idle) == -1  # as measured
    unknown = Energy("m", "GPU", 10, None, problem="vanished")
    assert (unknown.watts, unknown.net(idle), busy.net(unknown)) == (None, None, None)


def test_one_failing_meter_leaves_the_others_alone():
    good = Scripted(1.0, 4.0)
    at_once = Scripted(MeterError("vanished: early"))
    later = Scripted(1.0, MeterError("vanished: late"))
    with measure([at_once, good, later]) as run:
        pass
    assert [energy.joules for energy in run.energies] == [None, 3.0, None]
    assert [energy.problem for energy in run.energies] == ["vanished: early", None, "vanished: late"]


@pytest.mark.parametrize(
    ("readings", "told"), [((2.0, 2.0), "did not change in"), ((2.0, 1.0), "ran backwards")]
)
def test_counters_that_say_nothing_give_no_number(readings, told):
    with measure([Scripted(*readings)]) as run:
        pass
    (energy,) = run.energies
    assert energy.joules is None and energy.problem.startswith(told)


def test_a_package_that_vanishes_in_mid_run_is_told(tmp_path):
    folder = zone(tmp_path, "0", "package-0")
    (meter,) = rapl.find(tmp_path).meters
    with measure([meter]) as run:
        (folder / "energy_uj").unlink()
    (energy,) = run.energies
    assert energy.joules is None
    assert energy.problem == f"vanished: {folder}/energy_uj: No such file or directory"


def test_the_energies_stand_even_where_the_block_failed():
    with pytest.raises(ZeroDivisionError), measure([Scripted(1.0, 2.0)]) as run:
        raise ZeroDivisionError
    assert run.energies[0].joules == 1


def test_idling_sleeps_as_long_as_asked():
    slept = []
    (energy,) = measure_idle([Scripted(0.0, 5.0)], 7, sleep=slept.append)
    assert (slept, energy.joules) == ([7], 5.0)


def test_everything_of_a_machine_is_found_and_closed(tmp_path, monkeypatch):
    zone(tmp_path, "0", "package-0")
    supply(tmp_path, energy_now=1)
    fake = install(monkeypatch, FakeNvml())
    found = find_meters(tmp_path)
    assert [meter.name for meter in found.meters] == ["RAPL package-0", "NVML NVIDIA H200", "battery BAT0"]
    assert found.problems == []
    found.close()
    assert fake.opened == 0


def test_a_machine_without_any_meter_says_so(tmp_path, monkeypatch):
    install(monkeypatch, None)
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    (problem,) = find_meters(tmp_path).problems
    assert problem.startswith("energy: no meter here")
