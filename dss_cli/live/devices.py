"""Microphones and loudspeakers through PortAudio (extra `live`), with reconnection of lost devices."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DssError, UsageError
from .ring import Ring
from .session import QUEUE_SECONDS

EXTRA = "`pip install 'dss-cli[live]'`, on Debian also `apt install libportaudio2`, installs it"
CALLBACK_SECONDS = 0.01  # requested length of sound per callback
DEVICE_SECONDS = 0.04  # length of the system's buffer on each side
SILENT_SECONDS = 2.0  # a device without callbacks for longer is considered lost
AGAIN_SECONDS = 1.0  # interval between searches for a lost device


@dataclass(frozen=True)
class DeviceFacts:
    """Description of a device by PortAudio.

    Attributes:
        number, name: identification of the device.
        system: ALSA, PulseAudio, Core Audio or another system.
        inputs, outputs: numbers of channels.
        rate: default sample rate in Hz.
        default: `input`, `output`, `both` or empty.
    """

    number: int
    name: str
    system: str
    inputs: int
    outputs: int
    rate: int
    default: str


def portaudio() -> Any:
    """Return the module `sounddevice`.

    Raises:
        DssError: the module or PortAudio is not installed.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise DssError(f"`dss live` needs the Python package sounddevice: {EXTRA}") from error
    except OSError as error:
        raise DssError(f"`dss live` needs PortAudio ({error}): {EXTRA}") from error
    if sys.platform.startswith("linux"):
        _silence_alsa()
    return sounddevice


@functools.cache
def _silence_alsa() -> Any:
    """Suppress ALSA's messages on stderr; the callbacks count the relevant events."""
    kind = ctypes.CFUNCTYPE(
        None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
    )
    handler = kind(lambda file, line, function, error, form: None)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(handler)
    return handler  # kept, because ALSA calls it until the end of the program


def list_devices() -> list[DeviceFacts]:
    """Return all devices.

    Raises:
        DssError: PortAudio is not installed, or does not run.
    """
    sd = portaudio()
    try:
        systems = sd.query_hostapis()
        first, second = sd.default.device
        found = []
        for number, device in enumerate(sd.query_devices()):
            roles = [name for name, at in (("input", first), ("output", second)) if at == number]
            found.append(
                DeviceFacts(
                    number,
                    device["name"],
                    systems[device["hostapi"]]["name"],
                    device["max_input_channels"],
                    device["max_output_channels"],
                    round(device["default_samplerate"]),
                    "both" if len(roles) == 2 else "".join(roles),
                )
            )
    except sd.PortAudioError as error:
        raise DssError(f"PortAudio does not run: {_reason(error)}") from error
    return found


def find_device(asked: str | None, role: str) -> DeviceFacts:
    """Return the device with a number or name, or the default device.

    Args:
        asked: number, name or unique part of a name; None: default device.
        role: `input` or `output`.

    Raises:
        UsageError: no device or several devices match.
        DssError: PortAudio is not installed, or does not run.
    """
    devices = list_devices()
    fitting = [d for d in devices if (d.inputs if role == "input" else d.outputs)]
    way_out = "`dss live --list` shows the devices"
    if asked is None:
        usual = [d for d in fitting if d.default in (role, "both")]
        if not usual:
            raise UsageError(f"there is no {role} device; {way_out}")
        return usual[0]
    if asked.isdecimal():
        found = [d for d in fitting if d.number == int(asked)]
    else:
        found = [d for d in fitting if d.name == asked]
        found = found or [d for d in fitting if asked.lower() in d.name.lower()]
    if not found:
        raise UsageError(f"--{role} {asked}: no such {role} device; {way_out}")
    if len(found) > 1:
        names = ", ".join(f"{d.number} {d.name} ({d.system})" for d in found[:4])
        raise UsageError(f"--{role} {asked}: several devices match: {names}; use the number")
    return found[0]


class _Device:
    """Stream in one direction, reopened after a loss; callbacks never wait and never raise an error."""

    def __init__(
        self, asked: str | None, role: str, channels: int | None, say: Callable[[str], None]
    ) -> None:
        self.facts = find_device(asked, role)
        self._asked, self._role, self._say = asked, role, say
        limit = self.facts.inputs if role == "input" else self.facts.outputs
        self._channels = min(channels or 2, limit)
        self.rate = self.facts.rate
        self.queue = Ring(round(QUEUE_SECONDS * self.rate))
        self.errors = 0
        self._called = time.monotonic()
        self._stream: Any = None
        self._missed = False  # whether the loss was reported

    def open(self) -> None:
        """Start recording or playback.

        Raises:
            DssError: the device cannot be opened: no permission, in use, unsupported rate.
        """
        sd = portaudio()
        make = sd.InputStream if self._role == "input" else sd.OutputStream
        try:
            self._stream = make(
                device=self.facts.number,
                channels=self._channels,
                samplerate=self.rate,
                blocksize=round(CALLBACK_SECONDS * self.rate),
                dtype="float32",
                latency=DEVICE_SECONDS,
                callback=self._hear if self._role == "input" else self._play,
            )
            self._stream.start()
        except (sd.PortAudioError, ValueError) as error:
            self.close()
            raise DssError(f"{self._role} {self.facts.name!r}: {_reason(error)}") from error
        self._called = time.monotonic()

    def close(self) -> None:
        """Stop the stream in any state of the device."""
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.abort()
                stream.close()
            except Exception:  # a lost device cannot be stopped
                return

    @property
    def gone(self) -> bool:
        """Return whether the callbacks have stopped."""
        return time.monotonic() - self._called > SILENT_SECONDS

    def say_gone(self) -> None:
        """Report the loss of the device, once."""
        if not self._missed:
            self._say(f"{self._role} {self.facts.name!r} is lost; waiting for it")
        self._missed = True

    def reopen(self) -> None:
        """Open the device again if it exists."""
        try:
            self.facts = find_device(self._asked or self.facts.name, self._role)
            self.open()
        except DssError:
            self._called = time.monotonic() - SILENT_SECONDS + AGAIN_SECONDS
            return
        if self._missed:
            self._say(f"{self._role} {self.facts.name!r} is back")
        self._missed = False

    def _hear(self, block: Any, frames: int, when: Any, status: Any) -> None:
        self._called = time.monotonic()
        lost = self.queue.write(block.mean(axis=1) if block.shape[1] > 1 else block[:, 0])
        if lost or (status and status.input_overflow):
            self.errors += 1

    def _play(self, block: Any, frames: int, when: Any, status: Any) -> None:
        self._called = time.monotonic()
        samples = self.queue.read(frames)
        block[: len(samples)] = np.clip(samples, -1.0, 1.0)[:, np.newaxis]
        block[len(samples) :] = 0.0
        if self._started and (len(samples) < frames or (status and status.output_underflow)):
            self.errors += 1
        self._started = self._started or len(samples) > 0

    _started = False  # silence before the first sample is not a gap


class InputDevice(_Device):
    """Recording device; several channels are averaged.

    Args:
        asked: number or name; None: default device.
        channels: largest number of channels; None: two.
        say: receives one line when the device is lost and when it returns.

    Raises:
        UsageError, DssError: as `find_device`.
    """

    def __init__(self, asked: str | None, channels: int | None, say: Callable[[str], None]) -> None:
        super().__init__(asked, "input", channels, say)

    @property
    def lost(self) -> int:
        """Number of losses of input."""
        return self.errors


class OutputDevice(_Device):
    """Playback device, with equal channels.

    Args:
        asked: number or name; None: default device.
        say: receives one line when the device is lost and when it returns.

    Raises:
        UsageError, DssError: as `find_device`.
    """

    def __init__(self, asked: str | None, say: Callable[[str], None]) -> None:
        super().__init__(asked, "output", None, say)

    @property
    def starved(self) -> int:
        """Number of gaps in the output."""
        return self.errors


def look_after(devices: Sequence[_Device]) -> None:
    """Detect lost devices, and reopen them when they return; to be called regularly.

    PortAudio searches for devices only at its start, which ends all streams: all devices are reopened.
    """
    gone = [device for device in devices if device.gone]
    if not gone:
        return
    for device in gone:
        device.say_gone()
    for device in devices:
        device.close()
    sd = portaudio()
    sd._terminate()
    sd._initialize()
    for device in devices:
        device.reopen()


def _reason(error: Exception) -> str:
    """Return PortAudio's message without its numbers."""
    text = str(error.args[0] if error.args else error)
    return text.split(" [PaErrorCode")[0].rstrip(".")
