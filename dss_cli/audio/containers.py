"""Parse and write the headers of WAV and AIFF files.

libsndfile silently corrects a header that declares more samples than the file holds. To detect a
truncated file, this parser reads the declared size first. The same parser is used for WAV streams
on pipes, whose header often does not state the length.

Layouts: RIFF/WAVE (Microsoft, 1991), RF64 (EBU Tech 3306), AIFF (Apple, 1989).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Protocol

# Data sizes that mean "not known when the header was written": the RIFF convention and FFmpeg;
# SoX; ALSA's arecord.
UNKNOWN_SIZES = {0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF, 0x80000000}
_LARGEST_FMT = 1 << 16  # bytes; a larger chunk is damaged
_EXTENSIBLE = 0xFFFE
_SUBFORMAT = bytes.fromhex("000000001000800000aa00389b71")  # the rest of the GUID behind a format tag
_PCM_SUBTYPES = {8: "PCM_U8", 16: "PCM_16", 24: "PCM_24", 32: "PCM_32"}
_FLOAT_SUBTYPES = {32: "FLOAT", 64: "DOUBLE"}


class ByteSource(Protocol):
    """File, or pipe that can only skip forward."""

    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, whence: int, /) -> int: ...


@dataclass(frozen=True)
class Header:
    """Header of a container, up to the first sample.

    Attributes:
        audio_bytes: declared size of the samples in bytes, None if the header does not state the size.
        rate: sample rate in Hz.
        channels: number of channels.
        frame_bytes: bytes of one frame.
        little_endian: byte order of the samples.
        subtype: libsndfile's name of a plain sample encoding, None for a compressed or unknown encoding.
        mask: channel mask (see `layouts`), None if the header has none.
    """

    audio_bytes: int | None
    rate: int = 0
    channels: int = 0
    frame_bytes: int = 0
    little_endian: bool = True
    subtype: str | None = None
    mask: int | None = None


def read_header(source: ByteSource) -> Header | None:
    """Parse a WAV or AIFF header and leave `source` at the first sample.

    Returns:
        The header; None if the source is neither WAV nor AIFF, or ends before the samples.
    """
    magic = source.read(12)
    if magic[:4] in (b"RIFF", b"RF64", b"BW64") and magic[8:] == b"WAVE":
        order, audio_chunk = "<", b"data"
    elif magic[:4] == b"RIFX" and magic[8:] == b"WAVE":
        order, audio_chunk = ">", b"data"
    elif magic[:4] == b"FORM" and magic[8:] in (b"AIFF", b"AIFC"):
        order, audio_chunk = ">", b"SSND"
    else:
        return None
    streamed = struct.unpack(order + "I", magic[4:8])[0] in (0, 0xFFFFFFFF)
    layout = b""
    wide_size: int | None = None
    while len(head := source.read(8)) == 8:
        name, size = head[:4], struct.unpack(order + "I", head[4:])[0]
        if name == audio_chunk:
            if wide_size is not None and size == 0xFFFFFFFF:
                audio: int | None = wide_size
            elif size in UNKNOWN_SIZES or (size == 0 and streamed):
                audio = None
            else:
                audio = size
            return _header(audio, layout, order)
        skip = size + (size & 1)  # odd chunks are padded
        if name == b"fmt " and size <= _LARGEST_FMT:
            layout = source.read(size)
            skip -= size
        elif name == b"ds64" and 16 <= size <= _LARGEST_FMT:
            fields = source.read(size)
            if len(fields) < 16:
                return None
            wide_size = struct.unpack_from("<Q", fields, 8)[0] or None
            skip -= size
        source.seek(skip, io.SEEK_CUR)
    return None


def _header(audio: int | None, layout: bytes, order: str) -> Header:
    """Interpret a WAV `fmt ` chunk; AIFF files have no such chunk, and only their size is needed."""
    little = order == "<"
    if len(layout) < 16:
        return Header(audio, little_endian=little)
    tag, channels, rate, _, frame_bytes, bits = struct.unpack_from(order + "HHIIHH", layout)
    mask = None
    if tag == _EXTENSIBLE and len(layout) >= 26:
        mask, tag = struct.unpack_from(order + "IH", layout, 20)
        if mask.bit_count() != channels:  # some writers set too few bits, some too many
            mask = None
    subtype = {
        1: _PCM_SUBTYPES.get(bits),
        3: _FLOAT_SUBTYPES.get(bits),
        6: "ALAW" if bits == 8 else None,
        7: "ULAW" if bits == 8 else None,
    }.get(tag)
    if channels == 0 or frame_bytes != channels * bits // 8:
        subtype = None
    return Header(audio, rate, channels, frame_bytes, little, subtype, mask)


def format_chunk(source: ByteSource) -> int | None:
    """Return the byte offset of the content of a little-endian WAV's `fmt ` chunk, None if there is none."""
    at = 12
    if source.read(at)[8:] != b"WAVE":
        return None
    while len(head := source.read(8)) == 8:
        size = struct.unpack("<I", head[4:])[0]
        at += 8
        if head[:4] == b"fmt ":
            return at
        if head[:4] == b"data":
            return None
        source.seek(size + (size & 1), io.SEEK_CUR)
        at += size + (size & 1)
    return None


def wav_stream_header(rate: int, channels: int, subtype: str, mask: int | None = None) -> bytes:
    """Return the header of a little-endian WAV stream of unknown length (both sizes 0xFFFFFFFF).

    Args:
        rate: sample rate in Hz.
        channels: number of channels.
        subtype: PCM_U8, PCM_16, PCM_24, PCM_32, FLOAT or DOUBLE.
        mask: channel mask (see `layouts`); None writes a header without a mask.
    """
    is_float = subtype in _FLOAT_SUBTYPES.values()
    bits = next(b for b, s in (_FLOAT_SUBTYPES if is_float else _PCM_SUBTYPES).items() if s == subtype)
    frame_bytes = channels * bits // 8
    tag = 3 if is_float else 1
    kind = tag if mask is None else _EXTENSIBLE
    layout = struct.pack("<HHIIHH", kind, channels, rate, rate * frame_bytes, frame_bytes, bits)
    if mask is not None:
        layout += struct.pack("<HHIH", 22, bits, mask, tag) + _SUBFORMAT
    size = struct.pack("<I", 0xFFFFFFFF)
    return b"RIFF" + size + b"WAVEfmt " + struct.pack("<I", len(layout)) + layout + b"data" + size
