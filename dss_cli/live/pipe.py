"""Live separation from standard input to standard output, as raw PCM or WAV."""

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
_LARGEST_READ = 1 << 16  # bytes; a read returns the available bytes up to this limit


@dataclass(frozen=True)
class PipeReport:
    """Report of the separation of a pipe; `to_dict` is ready for JSON.

    Attributes:
        frames: frames of the input and of the output.
        seconds: duration of the input.
        rate: sample rate in Hz.
        channels: number of channels of input and output.
        encoding: encoding of the output, in libsndfile's terms.
        latency: delay of the samples in seconds, without computing time.
        load: computing time per second of audio.
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
        """Return the report as plain types."""
        return asdict(self)


def separate_pipe(
    source: BinaryIO,
    target: BinaryIO,
    start: Callable[[int], LiveSeparator],
    raw: Header | None = None,
    begun: Callable[[LiveSeparator], None] = lambda separator: None,
) -> PipeReport:
    """Separate a stream as it arrives, until it ends.

    The output has as many samples as the input, each at its original position. The first sample is written
    after the latency.

    Args:
        source: unbuffered file object; reading returns the available bytes.
        target: unbuffered file object.
        start: returns the separator for a sample rate.
        raw: format of a `source` without a header (see `raw_header`); None: WAV stream.
        begun: called with the separator after the header is read.

    Returns:
        Report of the separation.

    Raises:
        UsageError: the source is not a WAV stream, or its encoding cannot be read live.
        DssError: a sample is not finite.
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
    # After a stream shorter than the latency, a rest of the leading silence remains to be skipped.
    rest = separator.flush()[skip:]
    writer.write(np.repeat(rest[:, np.newaxis], channels, axis=1))
    writer.flush()
    seconds = frames / header.rate
    load = busy / seconds if seconds else 0.0
    latency = separator.latency
    return PipeReport(frames, seconds, header.rate, channels, writer.subtype, latency, load, writer.clipped)


def raw_header(encoding: str, rate: int, channels: int) -> Header:
    """Return a description of PCM without a header.

    Args:
        encoding: one of ENCODINGS.
        rate: sample rate in Hz.
        channels: number of channels, at least 1.

    Raises:
        UsageError: the encoding is unknown.
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
        raise UsageError("standard input is not a WAV stream; `--raw s16 --rate HZ` reads bare samples")
    if header.subtype not in _BYTES:
        raise UsageError(
            f"standard input is {header.subtype or 'compressed'}; PCM and float can be read live"
        )
    if header.frame_bytes != header.channels * _BYTES[header.subtype] or not header.channels:
        raise UsageError("standard input has a WAV header that contradicts itself")
    return header


def _blocks(source: BinaryIO, header: Header) -> Iterator[np.ndarray[Any, Any]]:
    """Yield blocks of the available whole frames, float32 (n, channels)."""
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
    """Pipe in which `read_header` can skip forward."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe

    def read(self, size: int, /) -> bytes:
        """Return exactly `size` bytes, fewer at the end of the pipe."""
        parts, left = [], size
        while left and (data := self._pipe.read(left)):
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def seek(self, offset: int, whence: int, /) -> int:
        """Skip forward from the present position."""
        if whence != os.SEEK_CUR or offset < 0:
            raise EOFError("a pipe can only be read forward")
        return len(self.read(offset))
