"""Open a path or a pipe as a libsndfile stream, whichever way works."""

from __future__ import annotations

import io
import logging
import os
import shlex
import shutil
import stat
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import soundfile as sf

from ..errors import DssError
from ..utils.captured_output import captured_stderr
from .containers import Header, read_header

_log = logging.getLogger(__name__)

_LONGEST_PIPE_HEADER = 1 << 20  # bytes kept for a second look when a pipe is no plain WAV


@dataclass
class Source:
    """An open recording. `frames` is what should come, None where nobody knows.

    `header` is what our own parser read of a WAV or AIFF, and `present` how many bytes stand
    from its first sample to the end of the file (None for a pipe).
    """

    sound: sf.SoundFile
    format: str
    frames: int | None
    header: Header | None
    present: int | None


class _Recorder:
    """Read a pipe for the header parser and keep what was read."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self.taken = bytearray()

    def read(self, size: int, /) -> bytes:
        start = len(self.taken)
        wanted = min(size, _LONGEST_PIPE_HEADER - start)
        while wanted > 0 and (data := self._pipe.read(wanted)):
            self.taken += data
            wanted -= len(data)
        return bytes(self.taken[start:])

    def seek(self, offset: int, whence: int, /) -> int:
        self.read(offset)
        return len(self.taken)


class _Tail:
    """A file from its present position on; libsndfile has no bare samples at an offset."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = file.tell()

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(size)

    def tell(self) -> int:
        return self._file.tell() - self._start

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._file.seek(offset + (self._start if whence == io.SEEK_SET else 0), whence)
        return self.tell()


def open_source(source: str | os.PathLike[str], name: str, stack: ExitStack) -> Source:
    """Open `source`, a path or '-' for standard input; `stack` closes it.

    A WAV of plain samples is read from a pipe as it comes, and so is one whose header does not
    know its length; any other format on a pipe is first copied to a temporary file.

    Raises:
        DssError: it cannot be opened, is empty, or is nothing that libsndfile reads.
    """
    try:
        if os.fspath(source) == "-":
            raw: BinaryIO = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115
        else:
            raw = open(source, "rb", buffering=0)  # noqa: SIM115, PTH123
        stack.enter_context(raw)
        status = os.fstat(raw.fileno())
        if stat.S_ISREG(status.st_mode):
            return _open_file(raw, status.st_size, name, stack)
        return _open_pipe(raw, name, stack)
    except OSError as error:
        raise DssError(f"{name}: cannot be read: {error.strerror or error}") from error


def _open_file(raw: BinaryIO, size: int, name: str, stack: ExitStack) -> Source:
    if size == 0:
        raise DssError(f"{name}: the file is empty")
    header = read_header(raw)
    present = max(size - raw.tell(), 0) if header else None
    if header and header.audio_bytes is None and header.subtype:
        sound = _open_samples(_Tail(raw), header, name, stack)
        return Source(sound, "WAV", sound.frames, header, present)
    os.lseek(raw.fileno(), 0, os.SEEK_SET)  # a buffered file's own seek may move nothing
    sound = _open_sound(raw.fileno(), name, stack)
    return Source(sound, sound.format, sound.frames, header, present)


def _open_pipe(raw: BinaryIO, name: str, stack: ExitStack) -> Source:
    recorder = _Recorder(raw)
    header = read_header(recorder)
    if not recorder.taken:
        raise DssError(f"{name}: the stream is empty")
    if header and header.subtype:
        frames = None if header.audio_bytes is None else header.audio_bytes // header.frame_bytes
        sound = _open_samples(raw.fileno(), header, name, stack)
        return Source(sound, "WAV", frames, header, None)
    _log.info("%s: not a plain WAV stream; copied to a temporary file first", name)
    spool = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    spool.write(recorder.taken)
    shutil.copyfileobj(raw, spool)
    size = spool.tell()
    spool.seek(0)
    return _open_file(spool, size, name, stack)


def _open_samples(file: int | _Tail, header: Header, name: str, stack: ExitStack) -> sf.SoundFile:
    """What is left of `file` as bare samples of the header's layout."""
    return _open_sound(
        file,
        name,
        stack,
        samplerate=header.rate,
        channels=header.channels,
        subtype=header.subtype,
        endian="LITTLE" if header.little_endian else "BIG",
        format="RAW",
    )


def _open_sound(file: int | _Tail, name: str, stack: ExitStack, **layout: object) -> sf.SoundFile:
    try:
        with captured_stderr() as lines:
            sound = stack.enter_context(sf.SoundFile(file, closefd=False, **layout))
    except (sf.SoundFileError, TypeError) as error:
        reason = getattr(error, "error_string", str(error)).rstrip(". ")
        raise DssError(
            f"{name}: not audio that can be read ({reason}); if a player opens it, convert it "
            f"first: {_conversion(name)}"
        ) from error
    for line in lines:
        _log.info("%s: %s", name, line)
    return sound


def _conversion(name: str) -> str:
    path = Path(name)
    target = path.with_suffix(".flac" if path.suffix.lower() == ".wav" else ".wav")
    return f"ffmpeg -i {shlex.quote(name)} {shlex.quote(target.name)}"
