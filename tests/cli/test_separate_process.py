"""`dss separate` in a separate process: pipes, signals, terminals, silent libraries."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile as sf

from dss_cli.separation.separator import DEFAULT_MODEL
from dss_cli.utils.machine import default_threads
from tests.helpers import terminal, tiny
from tests.helpers.stub import files


def test_pipes_in_and_out(stubbed, recording, here):
    samples = recording("a.wav")
    command = [*stubbed(), "separate", "-", "--near", "-"]
    result = subprocess.run(command, input=(here / "a.wav").read_bytes(), capture_output=True, timeout=60)
    assert result.returncode == 0, result.stderr
    (here / "out.wav").write_bytes(result.stdout)
    np.testing.assert_allclose(sf.read(here / "out.wav", always_2d=True)[0], 0.75 * samples, atol=1e-6)
    assert len(result.stderr.splitlines()) == 1


def test_a_reader_that_leaves_ends_it_quietly(stubbed, recording):
    recording("a.wav", seconds=30)
    process = subprocess.Popen(
        [*stubbed(), "separate", "a.wav", "--near", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.read(10)
    process.stdout.close()
    err = process.stderr.read().decode()
    assert process.wait(60) == 1
    assert "Traceback" not in err
    assert "Exception ignored" not in err


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("name", "status", "word"),
    [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated"), ("SIGHUP", 129, "hung up")],
)
def test_signals_in_mid_file_leave_nothing(stubbed, recording, here, name, status, word):
    """The third chunk takes a minute; the signal arrives during this chunk."""
    stalling = """
quick, calls = Stub.separate, []

def separate(self, mixture):
    calls.append(mixture)
    if len(calls) == 3:
        print("stalled", file=sys.stderr, flush=True)
        time.sleep(60)
    return quick(self, mixture)

Stub.separate = separate
"""
    recording("a.wav", seconds=10)
    process = subprocess.Popen([*stubbed(stalling), "separate", "a.wav"], stderr=subprocess.PIPE)
    assert process.stderr.readline() == b"stalled\n"
    process.send_signal(getattr(signal, name))
    err = process.stderr.read().decode().splitlines()
    assert process.wait(30) == status
    assert err == [f"dss: error: {word}; nothing half-written is left"]
    assert files(here) == ["a.wav"]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_program_under_nohup_outlives_its_terminal(stubbed, recording, here):
    recording("a.wav", seconds=2)
    started = "print('started', file=sys.stderr, flush=True)\nStub.pause = 0.02"
    command = ["nohup", *stubbed(started), "separate", "a.wav"]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    while process.stderr.readline() != b"started\n":
        pass
    process.send_signal(signal.SIGHUP)
    process.stderr.read()
    assert process.wait(60) == 0
    assert sf.info(here / "a.far.wav").frames == 32_000


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("milliseconds", [0, 5, 10, 20, 40, 60, 80, 100, 150, 200])
def test_ctrl_c_while_it_starts_is_130_without_a_traceback(recording, here, milliseconds):
    """The delay starts with the first import after the installation of the handler."""
    recording("a.wav", seconds=60)
    script = (
        "import os, sys\n"
        "class Finder:\n"
        "    def find_spec(name, *rest):\n"
        "        if name == 'typer': os.write(1, b'x'); sys.meta_path.remove(Finder)\n"
        "sys.meta_path.insert(0, Finder)\n"
        "from dss_cli.__main__ import main\n"
        "sys.exit(main())\n"
    )
    command = [sys.executable, "-c", script, "separate", "a.wav"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.read(1) == b"x"
    time.sleep(milliseconds / 1000)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"dss: error: interrupted; nothing half-written is left\n")
    assert files(here) == ["a.wav"]


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal")
def test_the_bar_is_for_terminals_alone(stubbed, recording):
    recording("a.wav", seconds=20)
    status, out, seen = terminal.run([*stubbed("Stub.pause = 0.02"), "separate", "a.wav"])
    assert (status, out) == (0, b"")
    assert b"%" in seen
    assert 0 < seen.index(b"a.wav: separating") < seen.index(b"a.wav: writing")
    assert b"a.wav -> a.near.wav" in seen


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal")
@pytest.mark.parametrize(
    ("variables", "escapes"), [({"NO_COLOR": "1"}, r"\x1b\[[\d;]*m"), ({"TERM": "dumb"}, r"\x1b")]
)
def test_terminals_without_colours_get_none(stubbed, recording, variables, escapes):
    """NO_COLOR allows no colour but a moving bar; a dumb terminal allows no escape sequence at all."""
    recording("a.wav", seconds=10)
    command = [*stubbed("Stub.pause = 0.02"), "separate", "a.wav"]
    status, out, seen = terminal.run(command, **{"TERM": "xterm-256color", **variables})
    assert (status, out) == (0, b"")
    assert b"a.wav -> a.near.wav" in seen
    colours = [
        code for code in re.findall(escapes, seen.decode()) if code not in ("\x1b[0m", "\x1b[m", "\x1b[1m")
    ]
    assert colours == []


@pytest.mark.parametrize("model", ["tiny", DEFAULT_MODEL])
def test_a_fallback_is_one_line_and_litert_is_silent(model, recording, here, no_gpu):
    """Smallest model, and bundled model with the graph of a complete network."""
    recording("a.wav", seconds=3)
    model = tiny.write(here) if model == "tiny" else model
    command = [sys.executable, "-m", "dss_cli", "separate", "a.wav", "--model", model, "--delegate", "gpu"]
    command += ["--subtype", "FLOAT"]  # float files never clip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
    warning, summary = done.stderr.splitlines()
    assert warning == "dss: warning: running on the CPU: no GPU adapter was found"
    assert summary.startswith("a.wav -> a.near.wav, a.far.wav (3.0 s of audio in ")


def test_without_a_gpu_an_ordinary_run_says_nothing_of_it(recording, here, no_gpu):
    recording("a.wav")
    path = tiny.write(here)
    command = [sys.executable, "-m", "dss_cli", "separate", "a.wav", "--model", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (0, "", 1)
    done = subprocess.run([*command, "--overwrite", "--json"], capture_output=True, text=True, timeout=60)
    report = json.loads(done.stdout)
    assert report["delegate"]["fallback_reason"] == "no GPU adapter was found"
    assert (report["warnings"], done.stderr) == ([], "")


def test_verbose_says_what_is_done_and_what_litert_says(recording, here, no_gpu):
    recording("a.wav")
    path = tiny.write(here)
    command = [sys.executable, "-m", "dss_cli", "separate", "a.wav", "--model", path, "--verbose"]
    err = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stderr.splitlines()
    assert "dss: info: a.wav: WAV PCM_24, 16000 Hz, channels: 1, frames: 16000" in err
    assert f"dss: info: model tiny ({path}): on the CPU, threads: {default_threads()}" in err
    assert any("No adapters found" in line for line in err)
    assert "dss: info: running on the CPU: no GPU adapter was found" in err
