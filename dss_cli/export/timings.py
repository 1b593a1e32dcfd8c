"""The shorter latencies that exported models offer, beside that of whole chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..constants import SignalConfig
from ..runtime.timing import Timing

WHOLE = 188  # frames of a whole chunk that the timings below are told in
# Chosen on dev conversations (docs/experiments/11-latency.md); of the lengths that training cuts scenes into.
TIMINGS = (Timing(94, 10, 2, 2), Timing(94, 10, 4, 16))


def timings_for(signal: SignalConfig, lengths: Sequence[int]) -> tuple[Timing, ...]:
    """Return the timings of a model whose chunks may also be of `lengths` frames, shortest latency first.

    A network of another length of chunk gets the same shares of it, in whole frames.
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
