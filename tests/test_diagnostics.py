"""`dss info`: report of installed and working parts; missing parts are no error."""

from __future__ import annotations

import ctypes.util
import json
import os
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest

from dss_cli import diagnostics
from dss_cli._version import __version__
from dss_cli.runtime import probe
from dss_cli.runtime.probe import Trial
from dss_cli.runtime.registry import folders
from tests.helpers import tiny
from tests.helpers.machines import install, zone
from tests.helpers.vulkan import DRIVER


@pytest.fixture
def trials(monkeypatch):
    """`trials(*Trial)`: set the results of the trials of the delegates; by default both work."""

    def give(*outcomes):
        monkeypatch.setattr("dss_cli.runtime.probe.try_delegates", lambda: list(outcomes))

    give(Trial("cpu", True), Trial("gpu", True, "Card (Vulkan, discrete GPU)"))
    return give


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Folder of the user's own models."""
    folder = tmp_path / "models"
    folder.mkdir()
    bundled = folders()[0]
    monkeypatch.setattr("dss_cli.runtime.registry.folders", lambda: [bundled, folder])
    return folder


@pytest.fixture
def sysfs(tmp_path):
    """Machine with one package with RAPL, and without NVML."""
    zone(tmp_path / "sys", "0", "package-0")
    return tmp_path / "sys"


def run(*arguments, **environment):
    command = [sys.executable, "-m", "dss_cli", "info", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
    )


def test_the_installed_command_reports_this_installation(no_gpu):
    done = run("--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert set(report) == {"versions", "machine", "models", "delegates", "meters", "problems"}
    assert report["versions"]["dss"] == __version__
    for name in ("ai-edge-litert", "numpy", "soundfile", "soxr"):
        assert report["versions"][name] == metadata.version(name)
    assert "lite" in [model["name"] for model in report["models"] if model["origin"] == "bundled"]
    cpu, gpu = report["delegates"]
    assert cpu == {"name": "cpu", "works": True, "adapter": None, "software": False}
    assert gpu == {"name": "gpu", "works": False, "adapter": None, "software": False}
    (problem,) = [line for line in report["problems"] if line.startswith("gpu: ")]
    assert problem.startswith("gpu: no GPU adapter was found; ") and "driver" in problem


def test_the_table_says_the_same(no_gpu):
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert f"dss {__version__}" in lines
    assert "cpu yes -" in lines and "gpu no -" in lines
    assert any(line.startswith("lite bundled ") for line in lines)
    assert any(line.startswith("gpu: no GPU adapter") for line in lines[lines.index("problems:") :])


@pytest.mark.gpu
@pytest.mark.skipif(
    not DRIVER.exists() or ctypes.util.find_library("vulkan") is None, reason=f"no software driver: {DRIVER}"
)
def test_a_software_adapter_is_named_as_such():
    variables = dict.fromkeys(("VK_DRIVER_FILES", "VK_ICD_FILENAMES"), str(DRIVER))
    gpu = json.loads(run("--json", **variables).stdout)["delegates"][1]
    assert (gpu["works"], gpu["software"]) == (True, True)
    assert gpu["adapter"].startswith("SwiftShader")
    assert "software, slower than the CPU" in run(**variables).stdout


def test_neither_tensorflow_nor_the_runtime_is_loaded_by_the_command_itself(no_gpu):
    script = (
        "import sys\nfrom dss_cli.__main__ import main\nstatus = main(['info'])\n"
        "heavy = {'tensorflow', 'keras', 'ai_edge_litert.compiled_model'} & set(sys.modules)\n"
        "sys.exit(status or ', '.join(heavy) or None)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_meters_models_and_trials_are_reported(trials, home, sysfs, monkeypatch):
    install(monkeypatch, None)
    path = tiny.write(home)
    report = diagnostics.describe_installation(sysfs)
    assert report["meters"] == [{"name": "RAPL package-0", "scope": "CPU package"}]
    mine = next(model for model in report["models"] if model["name"] == "tiny")
    assert (mine["origin"], mine["path"], mine["bytes"]) == ("cached", str(path), path.stat().st_size)
    assert [entry["name"] for entry in report["delegates"]] == ["cpu", "gpu"]
    assert report["problems"] == []


def test_a_damaged_model_is_a_problem_with_its_remedy(trials, home, sysfs):
    path = tiny.write(home)
    path.write_bytes(path.read_bytes()[:-4])
    problems = diagnostics.describe_installation(sysfs)["problems"]
    (line,) = [line for line in problems if str(path) in line]
    assert "truncated" in line and line.endswith(
        "; remove it, or replace it by a complete model with its card"
    )


def test_packages_that_are_missing_are_problems(trials, sysfs, monkeypatch):
    original = metadata.version

    def version(name):
        if name in ("soxr", "scipy"):
            raise metadata.PackageNotFoundError(name)
        return original(name)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    report = diagnostics.describe_installation(sysfs)
    assert (report["versions"]["soxr"], report["versions"]["libsndfile"]) == (None, None)
    assert "soxr: is not installed; `pip install --force-reinstall dss-cli` repairs it" in report["problems"]
    assert any(line.startswith("soundfile: cannot be loaded: ") for line in report["problems"])
    assert not any(line.startswith("scipy") for line in report["problems"])  # an extra


@pytest.mark.parametrize(
    ("place", "name", "emptied"),
    [
        ("dss_cli.utils.machine.processor", "machine", None),
        ("dss_cli.runtime.registry.list_models", "models", "models"),
        ("dss_cli.runtime.probe.try_delegates", "delegates", "delegates"),
        ("dss_cli.energy.find_meters", "energy", "meters"),
    ],
)
def test_a_part_that_breaks_leaves_the_others_standing(dss, trials, monkeypatch, place, name, emptied):
    def broken(*arguments):
        raise ImportError("no such library")

    monkeypatch.setattr(place, broken)
    status, out, err = dss("info", "--json")
    assert (status, err) == (0, [])
    report = json.loads(out)
    assert emptied is None or report[emptied] == []
    assert [
        line.split("; ")[0] for line in report["problems"] if line.startswith(f"{name}: ImportError")
    ] == [f"{name}: ImportError: no such library"]
    assert report["versions"]["dss"] == __version__
    assert dss("info")[0] == 0


# Trials.


def started(monkeypatch, script):
    monkeypatch.setattr(
        probe,
        "_start",
        lambda delegate: subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ),
    )


def test_a_driver_that_crashes_is_survived(monkeypatch):
    started(monkeypatch, "import os; os._exit(7)")
    cpu, gpu = probe.try_delegates()
    assert (cpu.works, gpu.works) == (False, False)
    assert gpu.problem.startswith("crashed with exit code 7; update the GPU's driver")
    assert "`pip install --force-reinstall ai-edge-litert`" in cpu.problem


def test_a_driver_that_hangs_is_given_up(monkeypatch):
    started(monkeypatch, "import time; time.sleep(60)")
    (gpu,) = probe.try_delegates(["gpu"], patience=0.1)
    assert not gpu.works and gpu.problem.startswith("gave no answer in time; ")


class Wrong:
    """Network on a GPU with wrong results."""

    adapter, software, fallback_reason = "Card (Vulkan, discrete GPU)", False, None
    error = np.float32(0.25)

    def __init__(self, model, delegate):
        pass

    def separate(self, mixture):
        stem = mixture[..., 1:]
        return tiny.NEAR_GAIN * stem, tiny.FAR_GAIN * stem + self.error


@pytest.mark.parametrize(("error", "off"), [(np.float32(0.25), "0.25"), (np.float32("nan"), "nan")])
def test_wrong_results_do_not_pass(monkeypatch, error, off):
    monkeypatch.setattr(Wrong, "error", error)
    monkeypatch.setattr("dss_cli.runtime.litert.LiteRTNetwork", Wrong)
    found = probe._try("gpu")
    assert (found.works, found.adapter) == (False, Wrong.adapter)
    assert found.problem.startswith(f"gives wrong results (off by {off} of 1); update")
    monkeypatch.setattr(Wrong, "error", np.float32(0))
    assert probe._try("gpu") == Trial("gpu", True, Wrong.adapter)
