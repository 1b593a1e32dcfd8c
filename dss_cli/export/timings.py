"""Shorter latencies that exported models offer in addition to the latency of whole chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..constants import SignalConfig
from ..runtime.timing import Timing

WHOLE = 188  # frames of the whole chunk for which the timings below are given
# Chosen on dev conversations (docs/experiments/11-latency.md). Training cuts scenes into the same lengths.
TIMINGS = (Timing(94, 10, 2, 2), Timing(94, 10, 4, 16))


def timings_for(signal: SignalConfig, lengths: Sequence[int]) -> tuple[Timing, ...]:
    """Return the timings of a model whose chunks may also be of `lengths` frames, shortest latency first.

    For a network with another chunk length the timings are scaled and rounded down to whole frames.
    """
    found = []
    for timing in TIMINGS:
        share = signal.frames / WHOLE
        frames = signal.frames // round(WHOLE / timing.frames)
        if frames not in lengths:
            continue
        advance, shared, ahead = (int(n * share) for n in (timing.advance, timing.shared, timing.ahead))
        found.append(replace(timing, frames=frames, advance=max(1, advance), shared=shared, ahead=ahead))
    return tuple(dict.fromkeys(sorted(found, key=lambda timing: timing.behind)))
