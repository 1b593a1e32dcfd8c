"""Virtual microphone on PulseAudio and PipeWire, created and removed with `pactl`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from types import TracebackType

from ..errors import DssError, UsageError

_PREFIX = "dss_"  # prefix of the names in PulseAudio
# Waits for the end of its input, which ends with the program at the other end, even after a kill.
_GUARD = 'cat >/dev/null; for module in "$@"; do pactl unload-module "$module" 2>/dev/null; done'


class VirtualMicrophone:
    """Source that other programs list as a microphone; its sound is the output played into a null sink.

    The source is removed when it is closed, and by a separate process when the program is killed.

    Args:
        name: name in other programs.

    Attributes:
        sink: PulseAudio's name of the null sink.

    Raises:
        UsageError: the system is not Linux, or PulseAudio does not accept the name.
        DssError: pactl is missing, or the sound server does not answer.
    """

    def __init__(self, name: str) -> None:
        if not sys.platform.startswith("linux"):
            raise UsageError("--virtual requires Linux; docs/user/live.md describes macOS and Windows")
        if not re.fullmatch(r"[\w .-]{1,60}", name):
            raise UsageError(f"--virtual {name!r}: use only letters, digits, spaces, '.', '_' and '-'")
        if shutil.which("pactl") is None:
            raise DssError("--virtual needs pactl (Debian package pulseaudio-utils)")
        self.name = name
        self.sink = _PREFIX + re.sub(r"\W+", "_", name)
        self._remove_leftovers()
        modules: list[str] = []
        try:
            modules.append(
                _pactl(
                    "load-module",
                    "module-null-sink",
                    f"sink_name={self.sink}",
                    f"sink_properties=device.description='{name}_feed'".replace(" ", "_"),
                )
            )
            modules.append(
                _pactl(
                    "load-module",
                    "module-remap-source",
                    f"master={self.sink}.monitor",
                    f"source_name={self.sink}_microphone",
                    "source_properties=device.description=" + name.replace(" ", "_"),
                )
            )
        except DssError:
            _unload(modules)
            raise
        self._modules = modules
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "sh", *reversed(modules)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # not affected by Ctrl-C in the terminal
        )

    @property
    def source(self) -> str:
        """PulseAudio's name of the microphone."""
        return f"{self.sink}_microphone"

    def __enter__(self) -> VirtualMicrophone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the microphone."""
        _unload(list(reversed(self._modules)))
        self._modules = []
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.wait(5)

    def play_into(self) -> None:
        """Route the output of this process into the sink; to be called before PortAudio starts."""
        os.environ["PULSE_SINK"] = self.sink

    def _remove_leftovers(self) -> None:
        """Return modules of the same name, left by a program that ended with the computer."""
        listed = _pactl("list", "short", "modules")
        old = [line.split("\t")[0] for line in listed.splitlines() if re.search(rf"={self.sink}\b", line)]
        _unload(list(reversed(old)))


def _pactl(*arguments: str) -> str:
    try:
        done = subprocess.run(["pactl", *arguments], capture_output=True, text=True, timeout=10)
    except subprocess.TimeoutExpired as error:
        raise DssError("--virtual: the sound server does not answer") from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise DssError(f"--virtual: pactl {arguments[0]}: {reason}")
    return done.stdout.strip()


def _unload(modules: list[str]) -> None:
    for module in modules:
        with contextlib.suppress(DssError):
            _pactl("unload-module", module)
