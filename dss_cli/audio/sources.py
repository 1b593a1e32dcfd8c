"""Open a path or a pipe with the decoder that reads the whole recording."""

from __future__ import annotations

import io
import logging
import os
import shlex
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from ..errors import DssError, UsageError
from ..utils.captured_output import captured_stderr
from ..utils.descriptors import PIPE
from . import decoding
from .chain import ChainedSound
from .containers import Header, read_header
from .layouts import STANDARD
from .mpeg import InfoFrame, holds_sound, id3_size, info_frame
from .ogg import Link, links

Floats = NDArray[np.float32]

_log = logging.getLogger(__name__)

_UNKNOWN_FRAMES = 1 << 48  # or more: libsndfile's value for a FLAC stream of unknown length
_FIRST_FRAME = 2048  # bytes, more than any MPEG audio frame
_LONGEST_TAGS = 1 << 25  # most bytes searched for tags at the end of an MP3
_LONGEST_PIPE_HEADER = 1 << 20  # bytes kept for a second parser if a pipe does not carry plain WAV


class Sound(Protocol):
    """Open decoder: libsndfile, a chain of libsndfile decoders, or FFmpeg."""

    samplerate: int
    channels: int
    subtype: str
    frames: int | None

    def read(self, *, out: Floats) -> Floats:
        """Fill `out` (frames, channels) with the next samples; return the filled part, shorter at the end."""


@dataclass
class Source:
    """Open recording.

    Attributes:
        sound: the decoder.
        format: name of the container.
        frames: exact number of frames, None if unknown.
        header: header of a WAV or AIFF, parsed by `containers`.
        present: bytes from the first sample to the end of the file, None for a pipe.
        log: libsndfile's log of opening the file.
        notes: lines for the user about choices made, such as the audio track.
        mask: channel mask (see `layouts`), None if unknown.
        estimate: estimated number of frames for a progress bar.
        complaints: function of the number of frames read, called at the end; returns messages about
            damaged or missing parts.
    """

    sound: Sound
    format: str
    frames: int | None
    header: Header | None = None
    present: int | None = None
    log: str = ""
    notes: list[str] = field(default_factory=list)
    mask: int | None = None
    estimate: int | None = None
    complaints: Callable[[int], list[str]] = lambda delivered: []


class _ForwardSound(sf.SoundFile):  # type: ignore[misc,unused-ignore]
    """libsndfile without the seek after each block, which fails if the length is unknown."""

    def seekable(self) -> bool:
        return False


class _Recorder:
    """Byte source that reads a pipe for the header parser and keeps the bytes read."""

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


class _Window:
    """Part of a file from `start` to `end` (None: to its end), because libsndfile has no offset option."""

    def __init__(self, file: BinaryIO, start: int, end: int | None = None) -> None:
        self._file = file
        self._start = start
        self._end = end
        self._file.seek(start)

    def read(self, size: int = -1, /) -> bytes:
        if self._end is not None:
            left = max(0, self._end - self._file.tell())
            size = left if size < 0 else min(size, left)
        return self._file.read(size)

    def tell(self) -> int:
        return self._file.tell() - self._start

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_END and self._end is not None:
            offset, whence = self._end - self._start + offset, io.SEEK_SET
        self._file.seek(offset + (self._start if whence == io.SEEK_SET else 0), whence)
        return self.tell()


def open_source(source: str | os.PathLike[str], name: str, track: int, stack: ExitStack) -> Source:
    """Open a recording.

    A WAV of plain samples is read from a pipe directly, even if its header does not state the length; any
    other format on a pipe is first copied to a temporary file. libsndfile decodes the formats that it reads
    exactly. FFmpeg (the extra `formats`) decodes MP3 and all formats that libsndfile refuses.

    Args:
        source: path, or '-' for standard input.
        name: name of the source, for messages.
        track: number of the audio track, from 1.
        stack: exit stack that closes the source.

    Raises:
        DssError: the source cannot be opened, is empty, or no decoder can read it.
        UsageError: there is no audio track of that number.
    """
    try:
        if os.fspath(source) == PIPE:
            raw: BinaryIO = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115
        else:
            raw = open(source, "rb", buffering=0)  # noqa: SIM115, PTH123
        stack.enter_context(raw)
        status = os.fstat(raw.fileno())
        if stat.S_ISREG(status.st_mode):
            return _open_file(raw, status.st_size, name, track, stack)
        if stat.S_ISCHR(status.st_mode) and not os.path.samestat(status, os.stat(os.devnull)):  # noqa: PTH116
            kind = "a terminal" if raw.isatty() else "a device, which may never end"
            raise DssError(f"{name}: {kind}, not a recording")
        return _open_pipe(raw, name, track, stack)
    except OSError as error:
        raise DssError(f"{name}: cannot be read: {error.strerror or error}") from error


def _open_file(raw: BinaryIO, size: int, name: str, track: int, stack: ExitStack) -> Source:
    if size == 0:
        raise DssError(f"{name}: the file is empty")
    header = read_header(raw)
    present = max(size - raw.tell(), 0) if header else None
    if header and header.audio_bytes is None and header.subtype and track == 1:
        sound = _open_samples(_Window(raw, raw.tell()), header, name, stack)
        return Source(sound, "WAV", sound.frames, header, present, mask=header.mask)
    chain = links(raw, size)
    if len(chain) > 1 and track == 1 and all(link.streams == 1 for link in chain):
        try:
            return _open_chain(raw, chain, name, stack)
        except _Refused as refusal:
            return _open_by_ffmpeg(raw, name, track, stack, None, refusal)
    info = _mp3_info(raw)
    raw.seek(0)
    try:
        sound = _open_sound(raw.fileno(), stack)
    except _Refused as refusal:
        return _open_by_ffmpeg(raw, name, track, stack, info, refusal)
    if track > 1 or (sound.format == "MP3" and decoding.available()):
        return _open_by_ffmpeg(raw, name, track, stack, info)
    frames = sound.frames if sound.frames < _UNKNOWN_FRAMES else None
    estimate = frames
    if sound.format == "MP3" and (info is None or info.length is None):
        frames = None  # libsndfile only estimates it
    return Source(
        sound,
        sound.format,
        frames,
        header,
        present,
        sound.extra_info,
        mask=STANDARD.get(sound.channels) if sound.format == "FLAC" else header.mask if header else None,
        estimate=estimate,
        complaints=partial(_undecoded, raw, size, sound.format, name),
    )


def _mp3_info(raw: BinaryIO) -> InfoFrame | None:
    """Return the info frame of an MP3, which follows an ID3 tag of any length; None without one."""
    raw.seek(0)
    raw.seek(id3_size(raw.read(10)))
    return info_frame(raw.read(_FIRST_FRAME))


def _open_chain(raw: BinaryIO, chain: list[Link], name: str, stack: ExitStack) -> Source:
    _log.info("%s: a chain of %d Ogg streams", name, len(chain))

    def first() -> sf.SoundFile:
        return _open_sound(_Window(raw, chain[0].start, chain[0].end), stack)

    def following(link: Link) -> sf.SoundFile:
        try:
            return _open_sound(_Window(raw, link.start, link.end), stack)
        except _Refused as refusal:
            raise DssError(f"{name}: a stream of its chain cannot be read ({refusal})") from refusal

    sound = ChainedSound([first, *(partial(following, link) for link in chain[1:])], name)
    return Source(sound, "OGG", None, log=sound.log, complaints=sound.complaints)


def _open_by_ffmpeg(
    raw: BinaryIO,
    name: str,
    track: int,
    stack: ExitStack,
    info: InfoFrame | None,
    refusal: _Refused | None = None,
) -> Source:
    """Open a file that libsndfile cannot read; `refusal` holds libsndfile's reason."""
    if not decoding.available():
        reason = refusal or "its audio tracks cannot be told apart"
        raise DssError(
            f"{name}: not audio that can be read ({reason}); if a player opens it, {decoding.INSTALL} "
            f"reads it, or convert it first: {_conversion(name)}"
        ) from refusal
    try:
        sound = decoding.FFmpegSound(raw, name, track, stack, info)
    except UsageError:
        raise
    except DssError as error:
        if refusal is None:
            raise
        raise DssError(
            f"{name}: not audio that can be read ({refusal}; {str(error).removeprefix(f'{name}: ')}); if a "
            f"player opens it, convert it first: {_conversion(name)}"
        ) from error
    notes = []
    if sound.tracks > 1 and track == 1:
        notes.append(f"{sound.tracks} audio tracks: the first is taken; --track 2 takes the next")
    return Source(
        sound,
        sound.format,
        None,
        notes=notes,
        mask=sound.mask,
        estimate=sound.estimate,
        complaints=sound.complaints,
    )


def _undecoded(raw: BinaryIO, size: int, container: str, name: str, delivered: int) -> list[str]:
    """Check that an MP3 ends where libsndfile, which estimates the length, stopped; return no complaints.

    Raises:
        DssError: there are frames behind libsndfile's end.
    """
    if container != "MP3":
        return []
    end = raw.tell()
    if 0 < size - end <= _LONGEST_TAGS:
        raw.seek(end)
        if not holds_sound(raw.read(size - end)):
            return []
    if end >= size:
        return []
    raise DssError(
        f"{name}: {size - end} of its {size} bytes lie behind the {delivered} frames that libsndfile "
        f"decodes; {decoding.INSTALL} decodes all of them, or convert it: {_conversion(name)}"
    )


def _open_pipe(raw: BinaryIO, name: str, track: int, stack: ExitStack) -> Source:
    recorder = _Recorder(raw)
    header = read_header(recorder)
    if not recorder.taken:
        raise DssError(f"{name}: the stream is empty")
    if header and header.subtype and track == 1:
        frames = None if header.audio_bytes is None else header.audio_bytes // header.frame_bytes
        sound = _open_samples(raw.fileno(), header, name, stack)
        return Source(sound, "WAV", frames, header, None, mask=header.mask)
    _log.info("%s: not a plain WAV stream; copied to a temporary file first", name)
    spool = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    spool.write(recorder.taken)
    shutil.copyfileobj(raw, spool)
    spool.flush()
    copy = stack.enter_context(open(spool.fileno(), "rb", buffering=0, closefd=False))  # noqa: SIM115
    return _open_file(copy, os.fstat(copy.fileno()).st_size, name, track, stack)


def _open_samples(file: int | _Window, header: Header, name: str, stack: ExitStack) -> sf.SoundFile:
    """Open the rest of `file` as raw samples in the format that the header states."""
    try:
        return _open_sound(
            file,
            stack,
            samplerate=header.rate,
            channels=header.channels,
            subtype=header.subtype,
            endian="LITTLE" if header.little_endian else "BIG",
            format="RAW",
        )
    except _Refused as refusal:
        raise DssError(f"{name}: not audio that can be read ({refusal})") from refusal


class _Refused(Exception):
    """libsndfile cannot open a file; the text is the reason."""


def _open_sound(file: int | _Window, stack: ExitStack, **layout: object) -> sf.SoundFile:
    try:
        with captured_stderr() as lines:
            sound = stack.enter_context(_ForwardSound(file, closefd=False, **layout))
    except (sf.SoundFileError, TypeError) as error:
        raise _Refused(getattr(error, "error_string", str(error)).rstrip(". ")) from error
    for line in lines:
        _log.info("%s", line)
    return sound


def _conversion(name: str) -> str:
    path = Path(name)
    target = path.with_suffix(".flac" if path.suffix.lower() == ".wav" else ".wav")
    return f"ffmpeg -i {shlex.quote(name)} {shlex.quote(target.name)}"
