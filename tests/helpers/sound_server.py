"""PulseAudio daemon for one test, with null sinks instead of sound cards."""

from __future__ import annotations

import contextlib
import ctypes.util
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RATE = 48_000
ROOM, SPEAKER = "room", "speaker"  # the microphone records the sound played into the room
ASOUND = "pcm.!default { type pulse }\nctl.!default { type pulse }\n"


def missing() -> str | None:
    """Return the missing program; None: nothing is missing."""
    for program in ("pulseaudio", "pactl", "paplay", "parecord"):
        if shutil.which(program) is None:
            return f"{program} (apt install pulseaudio pulseaudio-utils)"
    if ctypes.util.find_library("portaudio") is None:
        return "PortAudio (apt install libportaudio2)"
    if not any(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        return "ALSA's way to PulseAudio (apt install libasound2-plugins)"
    return None


@dataclass
class Server:
    """Running daemon; `environment` connects programs to the daemon."""

    environment: dict[str, str]
    process: subprocess.Popen

    def pactl(self, *arguments: str) -> str:
        """Return the output of pactl.

        Raises:
            CalledProcessError: pactl failed; the error contains its output.
        """
        done = subprocess.run(["pactl", *arguments], env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, arguments, done.stdout, done.stderr)
        return done.stdout

    def names(self, kind: str) -> list[str]:
        """Return the names of the `sources`, `sinks` or `modules`."""
        return [line.split("\t")[1] for line in self.pactl("list", "short", kind).splitlines()]

    def play(self, path: Path) -> None:
        """Play a file into the room; wait for its end."""
        subprocess.run(["paplay", f"--device={ROOM}", path], env=self.environment, check=True)

    def recorder(self, source: str, path: Path) -> subprocess.Popen:
        """Record a source into a WAV file until the process is terminated."""
        command = ["parecord", f"--device={source}", "--file-format=wav", "--channels=1", f"--rate={RATE}"]
        return subprocess.Popen([*command, "--format=s16le", "--latency-msec=20", path], env=self.environment)


@contextlib.contextmanager
def sound_server(folder: Path) -> Iterator[Server]:
    """Run a daemon with its files in a folder with a short path."""
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    (folder / ".asoundrc").write_text(ASOUND)
    environment = {
        **os.environ,
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(runtime),
        "PULSE_RUNTIME_PATH": str(runtime / "pulse"),
        "PULSE_COOKIE": str(folder / "cookie"),
    }
    environment.pop("PULSE_SERVER", None)
    sinks = [f"module-null-sink sink_name={name} rate={RATE} channels=1" for name in (ROOM, SPEAKER)]
    loads = [part for module in ("module-native-protocol-unix", *sinks) for part in ("-L", module)]
    process = subprocess.Popen(
        ["pulseaudio", "-n", "--exit-idle-time=-1", "--daemonize=no", "--use-pid-file=no", *loads],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    server = Server(environment, process)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                server.pactl("set-default-source", f"{ROOM}.monitor")
                server.pactl("set-default-sink", SPEAKER)
                break
            except subprocess.CalledProcessError:
                if time.monotonic() > until or process.poll() is not None:
                    raise
                time.sleep(0.2)
        yield server
    finally:
        process.terminate()
        process.wait(20)
