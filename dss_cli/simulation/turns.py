"""Turn-taking: intervals of speech of each talker of a scene, in samples."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ..constants import SAMPLE_RATE
from ..utils.settings import Bounds, Share

Range = tuple[float, float]
Spans = tuple[Range, ...]  # (start, end) in samples

RAMP = SAMPLE_RATE // 100  # samples of the fade after the start of an interval, and after its end
FOREVER = 2.0**30  # samples, beyond every scene, exact in float32
ALWAYS: Spans = ((-FOREVER, FOREVER),)
SHORTEST = 0.5  # least duration in seconds of a turn that is cut off by the end of the scene


@dataclass(frozen=True)
class Turns:
    """Statistics of a conversation.

    Attributes:
        seconds: range of the duration of a turn, log-uniform, in seconds.
        pause: range of the pause after a turn in seconds.
        overlapped: share of turns by another talker that begin before the last turn ends, by up to half of
            the shorter turn; with 0.5 about a tenth of the time overlaps.
        far_first: share of conversations of both roles that start with a far talker.
        monologue: share of conversations that start with one long turn.
        monologue_share: range of the duration of that turn as a share of the conversation.
        monologue_far: share of these turns by a far talker, if both roles take part.
        most: largest number of turns of one talker; training on an accelerator supports 8.
    """

    seconds: Annotated[Range, Bounds(0.1)] = (1.5, 9.0)
    pause: Annotated[Range, Bounds(0)] = (0.0, 1.5)
    overlapped: Share = 0.5
    far_first: Share = 0.5
    monologue: Share = 0.0
    monologue_share: Annotated[Range, Bounds(0, 1)] = (0.4, 0.8)
    monologue_far: Share = 0.67
    most: Annotated[int, Bounds(1, 8)] = 8


def gate(spans: Sequence[Range], length: int) -> NDArray[np.float32]:
    """Return factors (length,): 1 inside the intervals, 0 outside, with ramps of 10 ms from start and end."""
    factors = np.zeros(length, np.float32)
    for start, end in spans:
        for at, sign in ((start, np.float32(1)), (end, np.float32(-1))):
            first, last = (int(np.clip(edge, 0, length)) for edge in (np.floor(at), np.ceil(at + RAMP)))
            ramp = np.clip((np.arange(first, last) - at) / RAMP, 0, 1).astype(np.float32)
            factors[first:last] += sign * ramp
            factors[last:] += sign
    return factors


def clipped(spans: Sequence[Range], start: float) -> Spans:
    """Return the parts of intervals from sample `start` on."""
    return tuple((max(low, start), high) for low, high in spans if high > start)


def shifted(spans: Sequence[Range], by: float) -> Spans:
    """Return intervals shifted by `by` samples."""
    return tuple((low + by, high + by) for low, high in spans)


def draw_turns(
    rng: np.random.Generator, turns: Turns, near: int, far: int, length: int, far_until: float = 0.0
) -> list[Spans]:
    """Draw a conversation. A talker has two turns in a row only if no other talker may speak.

    Args:
        rng: random generator.
        turns: statistics of the conversation.
        near, far: numbers of talkers; both roles are equally likely to speak next.
        length: length of the conversation in samples; half of the conversations begin within a turn.
        far_until: sample before which no near talker is next, if there are far talkers.

    Returns:
        Intervals by talker, near ones first, in whole samples; empty for talkers without a turn.
    """
    spans: list[list[Range]] = [[] for _ in range(near + far)]
    both = bool(near and far)
    long = bool(rng.uniform() < turns.monologue)
    far_begins = bool(rng.uniform() < (turns.monologue_far if long else turns.far_first))
    barred = {"near"} if both and (far_begins or far_until > 0) else {"far"} if both else set()
    who = _next(rng, spans, near, None, turns.most, barred)
    start = 0.0 if rng.uniform() < 0.5 else rng.uniform(*turns.pause) * SAMPLE_RATE
    duration = rng.uniform(*turns.monologue_share) * length if long else _duration(rng, turns)
    while who is not None and length - start >= SHORTEST * SAMPLE_RATE:
        end = start + duration
        under_way = start == 0  # only the first turn
        spans[who].append((-FOREVER if under_way else round(start), FOREVER if end >= length else round(end)))
        following = _duration(rng, turns)
        then = _next(rng, spans, near, who, turns.most, {"near"} if far and end < far_until else set())
        if then != who and rng.uniform() < turns.overlapped:
            start = end - rng.uniform(0, 0.5) * min(duration, following)
        else:
            start = end + rng.uniform(*turns.pause) * SAMPLE_RATE
        who, duration = then, following
    return [tuple(own) for own in spans]


def _duration(rng: np.random.Generator, turns: Turns) -> float:
    """Draw the duration of a turn in samples."""
    return float(np.exp(rng.uniform(*np.log(turns.seconds)))) * SAMPLE_RATE


def _next(
    rng: np.random.Generator,
    spans: Sequence[Sequence[Range]],
    near: int,
    last: int | None,
    most: int,
    barred: Collection[str],
) -> int | None:
    """Draw the talker after `last`; None if no talker may speak."""
    may = [
        i for i, own in enumerate(spans) if len(own) < most and ("near" if i < near else "far") not in barred
    ]
    others = [i for i in may if i != last] or may
    groups = [group for group in ([i for i in others if i < near], [i for i in others if i >= near]) if group]
    if not groups:
        return None
    group = groups[int(rng.integers(len(groups)))]
    return group[int(rng.integers(len(group)))]
