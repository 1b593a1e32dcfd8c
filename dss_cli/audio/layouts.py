"""Channel masks: the loudspeaker of each channel, as in WAVEFORMATEXTENSIBLE (Microsoft, 2001)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from .containers import format_chunk

# Names of the bits, lowest bit first; FFmpeg uses the same names.
_SPEAKERS = (
    *("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR"),
    *("TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR"),
)
# Mask by number of channels in FLAC files (RFC 9639, section 9.1.3).
STANDARD = {1: 0x4, 2: 0x3, 3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}
_MASKED = {"WAVEX", "RF64"}  # containers whose header has a mask


def mask_of(speakers: Sequence[str]) -> int | None:
    """Return the mask of loudspeakers in this order; None if a mask cannot express the order."""
    if not set(speakers) <= set(_SPEAKERS):
        return None
    places = [_SPEAKERS.index(speaker) for speaker in speakers]
    return sum(1 << place for place in places) if places == sorted(set(places)) else None


def keeps_mask(container: str, channels: int, mask: int) -> bool:
    """Return whether files of a container state the mask, or imply it by their number of channels."""
    return container in _MASKED or (container == "FLAC" and STANDARD.get(channels) == mask)


def write_mask(path: Path, mask: int) -> None:
    """Write the mask into the extensible header of a finished WAV or RF64 file; others stay unchanged."""
    with path.open("r+b") as file:
        place = format_chunk(file)
        if place is None:
            return
        file.seek(place)
        if file.read(2) == b"\xfe\xff":
            file.seek(place + 20)
            file.write(struct.pack("<I", mask))
