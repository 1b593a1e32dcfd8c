"""`dss separate` in a process of its own, on a stub network: pipes, signals, terminals."""

from __future__ import annotations

import os
import signal
import subprocess

import numpy as np
import pytest
import soundfile as sf
from stub import files


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
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_in_mid_file_leave_nothing(stubbed, recording, here, number, status):
    """The third chunk takes a minute; the signal comes then."""
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
    process.send_signal(number)
    err = process.stderr.read().decode().splitlines()
    assert process.wait(30) == status
    assert err == (["dss: error: interrupted; nothing half-written is left"] if status == 130 else [])
    assert files(here) == ["a.wav"]


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal")
def test_the_bar_is_for_terminals_alone(stubbed, recording):
    import pty

    recording("a.wav", seconds=20)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*stubbed("Stub.pause = 0.02"), "separate", "a.wav"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65_536):
            seen += chunk
    except OSError:  # how Linux says that the other end has closed
        pass
    os.close(ours)
    assert process.stdout.read() == b""
    assert process.wait(60) == 0
    assert b"%" in seen
    assert b"a.wav -> a.near.wav" in seen
