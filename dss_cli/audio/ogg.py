"""Find the links of a chained Ogg file by the headers of its pages (RFC 3533)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

_HEADER = 27  # bytes before the table of segments
_LONGEST_HEADER = _HEADER + 255
_MAGIC = b"OggS"
_FIRST_PAGE = 2  # flag of the page that begins a logical stream
_SEARCH = 1 << 16  # bytes searched at a time for the next page after a damaged one


@dataclass(frozen=True)
class Link:
    """One link of a chain: a range of the file that holds complete streams.

    Attributes:
        start, end: byte range.
        streams: number of logical streams; more than one in a video with sound.
    """

    start: int
    end: int
    streams: int


def links(file: BinaryIO, size: int) -> list[Link]:
    """Return the links of an unbuffered Ogg file of `size` bytes; an empty list if it is not Ogg."""
    starts: list[int] = []
    streams: list[int] = []
    at, last, in_headers = 0, 0, False
    while at < size:
        head = _bytes(file, at, _LONGEST_HEADER)
        if head[:4] != _MAGIC or len(head) < _HEADER:
            if not starts:
                return []
            at = last = _next_page(file, last + 1, size)  # a truncated page may contain the next
            continue
        if head[5] & _FIRST_PAGE:
            if not in_headers:
                starts.append(at)
                streams.append(0)
            streams[-1] += 1
        in_headers = bool(head[5] & _FIRST_PAGE)
        last, count = at, head[26]
        at += _HEADER + count + sum(head[_HEADER : _HEADER + count])
    ends = [*starts[1:], size]
    return [Link(*parts) for parts in zip(starts, ends, streams, strict=True)]


def _next_page(file: BinaryIO, at: int, size: int) -> int:
    """Return the offset of the next page, or `size` if there is none."""
    while at < size:
        window = _bytes(file, at, _SEARCH)
        found = window.find(_MAGIC)
        if found >= 0:
            return at + found
        if len(window) < len(_MAGIC):
            break
        at += len(window) - len(_MAGIC) + 1
    return size


def _bytes(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)
