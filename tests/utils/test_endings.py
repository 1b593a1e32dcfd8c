"""Signals that end a process, wherever Python is when they arrive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

IN_A_DESTRUCTOR = """
import os, signal, sys, time
from dss_cli.utils.endings import raise_on

raise_on([signal.SIGTERM], lambda number: SystemExit(128 + number))

class Thing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)

try:
    Thing()
    time.sleep(30)
finally:
    print("tidied up")
"""
IN_THE_OPEN = IN_A_DESTRUCTOR.replace("    Thing()\n", "    os.kill(os.getpid(), signal.SIGTERM)\n")
AN_ERROR = """
import signal
from dss_cli.utils.endings import raise_on

raise_on([signal.SIGTERM], lambda number: SystemExit(128 + number))

class Thing:
    def __del__(self):
        raise ValueError("in a destructor")

Thing()
"""


def run(script, *start):
    return subprocess.run([*start, sys.executable, "-c", script], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("script", [IN_A_DESTRUCTOR, IN_THE_OPEN], ids=["in a destructor", "in the open"])
def test_a_signal_ends_the_process_without_a_traceback(script):
    done = run(script)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGTERM, "tidied up\n", "")


def test_an_ignored_signal_stays_ignored():
    script = IN_THE_OPEN.replace("SIGTERM", "SIGHUP").replace("time.sleep(30)", "pass")
    done = run(script, "nohup")
    assert (done.returncode, done.stdout) == (0, "tidied up\n")


def test_errors_of_destructors_are_still_told():
    done = run(AN_ERROR)
    assert done.returncode == 0
    assert "ValueError: in a destructor" in done.stderr
