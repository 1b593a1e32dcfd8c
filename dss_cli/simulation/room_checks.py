"""Whether the responses of a room of protocol 2 are what was asked for, measured in the samples."""

from __future__ import annotations

from .rir import RT60_TOLERANCE, onset, reverberation_time, split_at_onset
from .rooms import Room


def rings_as_asked(room: Room) -> bool:
    """Whether the reverberation time, read off the decay, lies within RT60_TOLERANCE of the one asked for."""
    return abs(reverberation(room) / room.rt60 - 1) <= RT60_TOLERANCE


def reverberation(room: Room) -> float:
    """Return the reverberation time in seconds, read off the responses of a room without direct sound."""
    return reverberation_time([split_at_onset(r, onset(r))[1].astype(float) for r in room.responses])
