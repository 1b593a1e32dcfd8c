"""Energy meter of Macs: integrates the power samples of `powermetrics`, a tool of macOS for root."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Sequence

from .meter import Found, Meter, MeterError

_PATH = "/usr/bin/powermetrics"
_PERIOD = 100  # milliseconds between samples, and accuracy of the ends of an interval
_OPTIONS = ("--samplers", "cpu_power,gpu_power", "--sample-rate", str(_PERIOD))
_PATIENCE = 2.0  # seconds to wait for the first sample, and for the end of the process
_ELAPSED = re.compile(r"\*\*\* Sampled system activity .*\((?P<milliseconds>[\d.]+)ms elapsed\)")
_POWER = re.compile(
    r"Combined Power \(CPU \+ GPU \+ ANE\): (?P<milliwatts>\d+) mW"  # Apple silicon
    r"|Intel energy model derived package power \(.*\): (?P<watts>[\d.]+)W"
)


class PowermetricsMeter(Meter):
    """Meter of CPU, GPU and neural engine (or the Intel package) of a Mac.

    Args:
        command: command that prints samples until it is terminated.

    Raises:
        MeterError: the command cannot be run, or prints no sample.
    """

    name, scope = "powermetrics", "CPU and GPU"

    def __init__(self, command: Sequence[str]) -> None:
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise MeterError(f"cannot be run: {error.strerror}") from error
        self._joules, self._samples = 0.0, 0
        self._known = threading.Event()  # set when there are samples, or none will come
        self._closing = self._ended = False
        self._thread = threading.Thread(target=self._follow, name="powermetrics", daemon=True)
        self._thread.start()
        if not self._known.wait(_PATIENCE) or not self._samples:
            self.close()
            raise MeterError("gives no sample")

    def read(self) -> float:
        """Return the joules from the opening of the meter to the last sample.

        Raises:
            MeterError: powermetrics has ended.
        """
        if self._ended:
            raise MeterError("vanished: it has ended")
        return self._joules

    def close(self) -> None:
        """Terminate powermetrics."""
        self._closing = True
        with contextlib.suppress(PermissionError):  # a process of root ends when its pipe is closed
            self._process.terminate()
        self._thread.join(_PATIENCE)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)

    def _follow(self) -> None:
        seconds = 0.0
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                if self._closing:
                    break
                if elapsed := _ELAPSED.search(line):
                    seconds = float(elapsed["milliseconds"]) * 1e-3
                elif power := _POWER.search(line):
                    watts = float(power["watts"] or 0) or float(power["milliwatts"] or 0) * 1e-3
                    self._joules += watts * seconds
                    self._samples += 1
                    self._known.set()
        self._ended = True
        self._known.set()


def find() -> Found:
    """Find `powermetrics` on macOS, if this process is root or may use sudo without a password."""
    found = Found()
    if sys.platform != "darwin":
        return found
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    try:
        found.meters.append(PowermetricsMeter([*sudo, _PATH, *_OPTIONS]))
    except MeterError as error:
        found.problems.append(
            f"powermetrics: {error}; it needs root: run `sudo -v` right before this command"
        )
    return found
