"""Metadata of MP3 files: the encoder's Xing/Info frame, and tags at the end.

Layouts: ISO 11172-3 (frame header), the Xing and LAME tag (Gabriel Bouvigne, "MP3 info tag revision 1"),
ID3v1, ID3v2, APEv2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DECODER_DELAY = 529  # samples that every MP3 decoder adds at the start, on top of the encoder delay
_TAG_LENGTH = 128  # bytes of ID3v1
_APE_FOOTER = 32  # bytes
_SYNC = re.compile(rb"\xff[\xe2-\xff]")
_INFO = re.compile(rb"Xing|Info")
_FRAMES, _BYTES, _CONTENTS, _QUALITY = 1, 2, 4, 8  # flags of the Xing header


@dataclass(frozen=True)
class InfoFrame:
    """Content of the info frame, which is the first frame of a stream and has no sound.

    Attributes:
        length: samples of sound, None if the encoder stated no number of frames.
        delay: samples that the encoder added before the sound.
        padding: samples that the encoder added after the sound.
    """

    length: int | None
    delay: int
    padding: int


def info_frame(frame: bytes) -> InfoFrame | None:
    """Parse an MPEG audio frame; return None if it has no Xing or Info header."""
    if len(frame) < 8 or frame[0] != 0xFF or frame[1] & 0xE6 != 0xE2:
        return None
    first_version, mono = frame[1] & 0x18 == 0x18, frame[3] & 0xC0 == 0xC0
    side = (17 if mono else 32) if first_version else (9 if mono else 17)
    at = 4 + side + (0 if frame[1] & 1 else 2)  # 2: a checksum
    if frame[at : at + 4] not in (b"Xing", b"Info"):
        return None
    flags = int.from_bytes(frame[at + 4 : at + 8], "big")
    at += 8
    frames = int.from_bytes(frame[at : at + 4], "big") if flags & _FRAMES else None
    at += 4 * bool(flags & _FRAMES) + 4 * bool(flags & _BYTES)
    at += 100 * bool(flags & _CONTENTS) + 4 * bool(flags & _QUALITY)
    delay = padding = 0
    if frame[at : at + 4] in (b"LAME", b"Lavf", b"Lavc", b"GOGO"):
        both = int.from_bytes(frame[at + 21 : at + 24], "big")
        delay, padding = both >> 12, both & 0xFFF
    if frames is None:
        return InfoFrame(None, delay, padding)
    length = frames * (1152 if first_version else 576) - delay - padding
    return InfoFrame(length if length > 0 else None, delay, padding)


def info_frame_within(packet: bytes) -> InfoFrame | None:
    """Find the info frame in a packet that may start with a tag or other leftover bytes; None without one."""
    for found in _INFO.finditer(packet):
        for side in (9, 17, 32, 11, 19, 34):
            start = found.start() - 4 - side
            if start >= 0 and (info := info_frame(packet[start:])):
                return info
    return None


def id3_size(head: bytes) -> int:
    """Return the size in bytes of the ID3v2 tag at the start of a file, 0 without a tag."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size + (10 if head[5] & 0x10 else 0)


def holds_sound(rest: bytes) -> bool:
    """Return whether the bytes behind the decoder's end contain another MPEG frame, and not only tags."""
    if rest[-_TAG_LENGTH:][:3] == b"TAG":
        rest = rest[:-_TAG_LENGTH]
    footer = rest[-_APE_FOOTER:]
    if footer[:8] == b"APETAGEX":
        rest = rest[: max(0, len(rest) - int.from_bytes(footer[12:16], "little") - _APE_FOOTER)]
    return _SYNC.search(rest) is not None
