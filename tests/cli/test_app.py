"""Command line: help, exit codes, error lines, and `dss models`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from types import ModuleType

import pytest

import dss_cli
from dss_cli.__main__ import main
from dss_cli.constants import SignalConfig
from dss_cli.errors import DssError, ExitCode, UsageError
from tests.helpers.stub import files


def python(*arguments, **options):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, **options)


def test_version(dss):
    assert dss("--version") == (0, f"dss {dss_cli.__version__}\n", [])


def test_dss_alone_prints_its_help(dss):
    status, out, err = dss()
    assert (status, err) == (0, [])
    assert (status, out, err) == dss("--help")
    assert "separate" in out


def test_help_names_the_commands_and_loads_nothing_heavy():
    heavy = ["tensorflow", "keras", "ai_edge_litert", "pyroomacoustics", "scipy", "soxr"]
    script = (
        "import sys; from dss_cli.__main__ import main; main(sys.argv[1:]); "
        f"print([name for name in {[*heavy, 'soundfile', 'numpy']} if name in sys.modules])"
    )
    for arguments in (["--help"], ["separate", "--help"], ["models", "--help"]):
        result = python("-c", script, *arguments)
        assert result.returncode == 0
        assert result.stderr == ""
        assert result.stdout.splitlines()[-1] == "[]"
    result = python("-m", "dss_cli", "--help")
    assert "separate" in result.stdout
    assert "models" in result.stdout


@pytest.mark.alone
def test_help_is_quick():
    """Less than 0.4 s in the best of three runs, because other processes may occupy the processor."""

    def seconds():
        started = time.perf_counter()
        python("-m", "dss_cli", "--help")
        return time.perf_counter() - started

    assert min(seconds() for _ in range(3)) < 0.4


def test_the_package_offers_its_names_without_loading_them():
    script = "import sys, dss_cli; print('numpy' in sys.modules, dss_cli.Separator.__module__)"
    assert python("-c", script).stdout.split() == ["False", "dss_cli.separation.separator"]
    for name in dss_cli.__all__:
        assert getattr(dss_cli, name) is not None
    assert set(dss_cli.__all__) <= set(dir(dss_cli))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dss_cli.nothing


# Errors and exit codes.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["separate"], "Missing argument 'INPUT"),
        (["separate", "--nonsense"], "--nonsense"),
        (["separate", "a.wav", "--overlap", "0.6"], "Invalid value for '--overlap'"),
        (["separate", "a.wav", "--threads", "0"], "Invalid value for '--threads'"),
        (["separate", "a.wav", "--delegate", "tpu"], "Invalid value for '--delegate'"),
        (["separate", "a.wav", "b.wav", "--near", "n.wav"], "--near names the output of one"),
        (["separate", "-", "--near", "-", "--json"], "--json and '-'"),
    ],
)
def test_wrong_command_lines_are_one_line_and_exit_2(dss, stub, here, arguments, message):
    status, out, err = dss(*arguments)
    assert (status, out, len(err)) == (ExitCode.USAGE, "", 1)
    assert err[0].startswith("dss: error: ")
    assert message in err[0]
    assert stub.calls == []
    assert files(here) == []


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (DssError("no luck"), 1, "dss: error: no luck"),
        (DssError("two\nlines"), 1, "dss: error: two lines"),
        (UsageError("wrong"), 2, "dss: error: wrong"),
        (PermissionError(13, "Permission denied", "x.wav"), 1, "x.wav: Permission denied"),
        (OSError(28, "No space left on device"), 1, "dss: error: No space left on device"),
        (KeyboardInterrupt(), 130, "dss: error: interrupted"),
    ],
)
def test_every_ending_has_its_code_and_line(dss, stub, recording, monkeypatch, error, status, line):
    def fail(*arguments, **options):
        raise error

    recording("a.wav")
    monkeypatch.setattr("dss_cli.separation.separator.load_model", fail)
    code, out, err = dss("separate", "a.wav")
    assert (code, out, len(err)) == (status, "", 1)
    assert line in err[0]


def test_debug_gives_the_traceback(stub, here):
    with pytest.raises(DssError, match=r"missing\.wav"):
        main(["separate", "missing.wav", "--debug"])


def test_bugs_are_not_hidden(stub, here, monkeypatch):
    monkeypatch.setattr("dss_cli.separation.separator.load_model", lambda *a, **o: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["separate", "a.wav"])


# dss models


class Model:
    def __init__(self, name, card, path):
        self.name, self.card, self.path, self.signal = name, card, path, SignalConfig()


@pytest.fixture
def store(monkeypatch, tmp_path):
    """Store of two models, one of them with a minimal card."""
    module = ModuleType("dss_cli.runtime.registry")
    scores = {"first, seed 1": {"strata": {}}, "quick, seed 3": {"strata": {}}}
    card = {"parameters": 123_456, "sha256": "0123456789abcdef" * 4, "scores": scores}

    def list_models(warn):
        warn("broken.tflite: truncated")
        models = {"lite": card, "other": {}}
        return [Model(name, card, tmp_path / f"{name}.tflite") for name, card in models.items()]

    module.list_models = list_models
    monkeypatch.setitem(sys.modules, "dss_cli.runtime.registry", module)
    monkeypatch.setattr(dss_cli, "store", module, raising=False)
    return module


def test_models_are_listed_with_the_figures_of_their_cards(dss, store, tmp_path):
    status, out, err = dss("models")
    assert (status, err) == (0, ["dss: warning: broken.tflite: truncated"])
    assert [re.split("  +", line.strip()) for line in out.splitlines()] == [
        ["lite"],
        ["parameters", "123,456"],
        ["sha256", "0123456789ab"],
        ["latency", "unknown"],
        ["scored on", "first, seed 1; quick, seed 3"],
        ["path", str(tmp_path / "lite.tflite")],
        [""],
        ["other"],
        ["parameters", "unknown"],
        ["sha256", "-"],
        ["latency", "unknown"],
        ["scored on", "nothing"],
        ["path", str(tmp_path / "other.tflite")],
    ]


def test_the_list_of_models_fits_eighty_columns(dss):
    lines = dss("models")[1].splitlines()
    assert len(lines) > 4
    assert all(len(line) <= 80 for line in lines if not line.startswith("  path"))


def test_models_as_json_hold_the_whole_card(dss, store, tmp_path):
    status, out, _ = dss("models", "--json")
    assert status == 0
    lite, other = json.loads(out)["models"]
    assert lite["name"] == "lite"
    assert lite["path"] == str(tmp_path / "lite.tflite")
    assert lite["card"]["parameters"] == 123_456
    assert other["card"] == {}
