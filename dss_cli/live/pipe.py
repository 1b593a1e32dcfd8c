"""A live signal on standard input and output: raw or WAV PCM in, the same with other talkers out."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import numpy as np
import soundfile

from ..audio.containers import Header, read_header
from ..audio.pipes import PipeWriter
from ..errors import DssError, UsageError
from .separator import LiveSeparator

ENCODINGS = {"s16": "PCM_16", "s24": "PCM_24", "s32": "PCM_32", "f32": "FLOAT"}  # little-endian, as raw PCM
_BYTES = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
_LARGEST_READ = 1 << 16  # bytes; whatever is there at once is taken at once


@dataclass(frozen=True)
class PipeReport:
    """What went through a pipe; `to_dict` is ready for JSON.

    Attributes:
        frames: as many out as in.
        seconds: the same in seconds.
        rate: in Hz.
        channels: of both.
        encoding: of both, as libsndfile calls it.
        latency: in seconds, of the samples; computing comes on top.
        load: seconds of computing per second of sound.
        clipped: samples beyond full scale.
    """

    frames: int
    seconds: float
    rate: int
    channels: int
    encoding: str
    latency: float
    load: float
    clipped: int

    def to_dict(self) -> dict[str, Any]:
        """The report as plain types."""
        return asdict(self)


def separate_pipe(
    source: BinaryIO,
    target: BinaryIO,
    start: Callable[[int], LiveSeparator],
    raw: Header | None = None,
    begun: Callable[[LiveSeparator], None] = lambda separator: None,
) -> PipeReport:
    """Separate what comes in as it comes, and end when it ends.

    Each sample leaves in its place: as many come out as went in, the first one after the latency.

    Args:
        source: unbuffered; reading returns what is there.
        target: unbuffered.
        start: given the rate, makes the separator.
        raw: what `source` is without a header (`raw_header`); None: a WAV stream.
        begun: called with the separator once the header was read.

    Raises:
        UsageError: the source is no WAV stream, or has a layout that is not read live.
        DssError: samples that are not finite.
        OSError: reading or writing failed.
    """
    header = raw or _wav_header(source)
    subtype, channels = str(header.subtype), header.channels
    separator = start(header.rate)
    begun(separator)
    writer = PipeWriter(
        target, "standard output", header.rate, channels, subtype, subtype, header.mask, raw=raw is not None
    )
    skip, frames, busy = separator.delay, 0, 0.0
    for block in _blocks(source, header):
        begin = time.perf_counter()
        kept = separator.push(block)
        busy += time.perf_counter() - begin
        frames += len(block)
        writer.write(kept[skip:])
        skip = max(0, skip - len(kept))
    # Frames that never filled the latency are behind what is left of the silence in front of them.
    rest = separator.flush()[skip:]
    writer.write(np.repeat(rest[:, np.newaxis], channels, axis=1))
    writer.flush()
    seconds = frames / header.rate
    load = busy / seconds if seconds else 0.0
    latency = separator.latency
    return PipeReport(frames, seconds, header.rate, channels, writer.subtype, latency, load, writer.clipped)


def raw_header(encoding: str, rate: int, channels: int) -> Header:
    """Describe PCM without a header.

    Args:
        encoding: one of ENCODINGS.
        rate: in Hz.
        channels: 1 or more.

    Raises:
        UsageError: an unknown encoding.
    """
    if encoding not in ENCODINGS:
        raise UsageError(f"encoding {encoding!r}: choose one of {', '.join(ENCODINGS)}")
    subtype = ENCODINGS[encoding]
    return Header(None, rate, channels, channels * _BYTES[subtype], subtype=subtype)


def _wav_header(source: BinaryIO) -> Header:
    try:
        header = read_header(_Forward(source))
    except (EOFError, struct.error):
        header = None
    if header is None or not header.little_endian:
        raise UsageError("standard input is no WAV stream; --raw s16 with --rate takes samples alone")
    if header.subtype not in _BYTES:
        raise UsageError(f"standard input is {header.subtype or 'compressed'}; PCM and float are read live")
    if header.frame_bytes != header.channels * _BYTES[header.subtype] or not header.channels:
        raise UsageError("standard input has a WAV header that contradicts itself")
    return header


def _blocks(source: BinaryIO, header: Header) -> Iterator[np.ndarray[Any, Any]]:
    """Whole frames, float32 (n, channels), as many as are there."""
    left, kept = header.audio_bytes, b""
    while left is None or left > 0:
        wanted = _LARGEST_READ if left is None else min(_LARGEST_READ, left)
        data = source.read(wanted)
        if not data:
            break
        left = None if left is None else left - len(data)
        data = kept + data
        whole = len(data) // header.frame_bytes * header.frame_bytes
        data, kept = data[:whole], data[whole:]
        if data:
            yield _decoded(data, header)


def _decoded(data: bytes, header: Header) -> np.ndarray[Any, Any]:
    import io

    try:
        block, _ = soundfile.read(
            io.BytesIO(data),
            dtype="float32",
            always_2d=True,
            format="RAW",
            subtype=header.subtype,
            samplerate=header.rate,
            channels=header.channels,
            endian="LITTLE",
        )
    except soundfile.SoundFileError as error:
        raise DssError(f"standard input: {error}") from error
    samples: np.ndarray[Any, Any] = block
    return samples


class _Forward:
    """A pipe that `read_header` can skip forward in."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe

    def read(self, size: int, /) -> bytes:
        """Exactly so many bytes, fewer at the end."""
        parts, left = [], size
        while left and (data := self._pipe.read(left)):
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def seek(self, offset: int, whence: int, /) -> int:
        """Skip forward from here."""
        if whence != os.SEEK_CUR or offset < 0:
            raise EOFError("a pipe goes forward alone")
        return len(self.read(offset))
