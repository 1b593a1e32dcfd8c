"""A recording inside a page: compressed tracks, and what the player needs to know about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Span = tuple[float, float]  # start and end, in seconds


@dataclass(frozen=True)
class Track:
    """One sound of a recording.

    Attributes:
        name: `mixture`, `near`, `far`, `near reference` or `far reference`.
        title: heading of its spectrogram.
        parts: consecutive files in a format that browsers decode.
    """

    name: str
    title: str
    parts: Sequence[bytes]


@dataclass(frozen=True)
class Embedded:
    """Tracks of equal length for one player.

    Attributes:
        rate: sample rate in Hz.
        length: frames of each track.
        tracks: tracks in the order of their spectrograms.
        segment: frames of each part but the last one; None for a single part.
        lead: further frames before and after the segment in each part.
        gain: common factor that keeps the loudest sample at full scale.
        spans: intervals of speech in seconds, by stem; None for no timeline.
    """

    rate: int
    length: int
    tracks: Sequence[Track]
    segment: int | None = None
    lead: int = 0
    gain: float = 1.0
    spans: Mapping[str, Sequence[Span]] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Values for the script."""
        return {
            "rate": self.rate,
            "length": self.length,
            "segment": self.segment or self.length,
            "lead": self.lead,
            "gain": self.gain,
            "spans": self.spans,
        }
