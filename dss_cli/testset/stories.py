"""Conversations of test sets: the talkers of a scene, and their turns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..constants import SAMPLE_RATE
from ..errors import DssError
from ..simulation.recipe import KINDS
from ..simulation.turns import FOREVER, Range, Spans, Turns, draw_turns

STORIES = {  # least and most talkers: (near, far), (near, far)
    "conversation": ((1, 1), (1, 3)),
    "near-change": ((2, 1), (2, 2)),  # one near talker leaves and another comes
    "walk-up": ((1, 1), (1, 2)),  # a far talker comes to the microphone
}
LEAST = KINDS | {kind: least for kind, (least, _) in STORIES.items()}  # talkers near and far
MOST = KINDS | {kind: most for kind, (_, most) in STORIES.items()}

TURNS = Turns(seconds=(2.0, 30.0), pause=(0.0, 2.0), most=1000)
FAR_ALONE = 20.0  # seconds with only far talkers at the start of a quarter of the conversations
CYCLE = 8  # scenes after which the forms of conversations repeat
HEARD = 2.0  # least seconds of speech of every talker; at most a twentieth of the scene is required
MOST_REDRAWS = 1000


@dataclass(frozen=True)
class Story:
    """Turns of the talkers of a scene, in samples.

    Attributes:
        near, far: intervals of speech by talker.
        same: whether the first near talker is the first far talker, who has come nearer.
        form: roles in a conversation: "both", "far-first", "far" or "near".
    """

    near: tuple[Spans, ...]
    far: tuple[Spans, ...]
    same: bool = False
    form: str = "both"


def draw_story(rng: np.random.Generator, kind: str, index: int, length: int, most_far: int) -> Story:
    """Draw the story of scene `index` of a kind, in which every talker is heard.

    Of eight conversations four have both roles, two begin with far talkers alone for 20 s (half of a scene
    shorter than 40 s), one has no near talker and one has no far talker.

    Args:
        rng: random generator.
        kind: key of STORIES.
        index: index of the scene in its stratum.
        length: length of the scene in samples.
        most_far: number of available responses for far talkers.

    Raises:
        DssError: the scene is too short for all talkers to be heard.
    """
    heard = min(HEARD * SAMPLE_RATE, length / 20)
    for _ in range(MOST_REDRAWS):
        far = int(rng.integers(1, min(most_far, MOST[kind][1]) + 1))
        story = _STORIES[kind](rng, index, length, far)
        if all(_spoken(spans, length) >= heard for spans in (*story.near, *story.far)):
            return story
    raise DssError(f"{kind}: scenes of {length / SAMPLE_RATE:g} s are too short for everybody to be heard")


def _conversation(rng: np.random.Generator, index: int, length: int, far: int) -> Story:
    place = index % CYCLE
    form = "both" if place < 4 else "far-first" if place < 6 else "far" if place == 6 else "near"
    near, far = (0 if form == "far" else 1), (0 if form == "near" else far)
    alone = min(FAR_ALONE * SAMPLE_RATE, length / 2) if form == "far-first" else 0.0
    spans = draw_turns(rng, TURNS, near, far, length, alone)
    if form == "far-first":  # a turn may end before that time, and a near turn begin
        spans[0] = tuple((low, high) for low, high in spans[0] if low >= alone)
    return Story(tuple(spans[:near]), tuple(spans[near:]), form=form)


def _near_change(rng: np.random.Generator, index: int, length: int, far: int) -> Story:
    half = length // 2
    first, second = draw_turns(rng, TURNS, 1, far, half), draw_turns(rng, TURNS, 1, far, length - half)
    halves = [(_ending(a, half), _beginning(b, half)) for a, b in zip(first, second, strict=True)]
    (leaves, comes), *others = halves
    return Story((leaves, comes), tuple(a + b for a, b in others))


def _walk_up(rng: np.random.Generator, index: int, length: int, far: int) -> Story:
    half = length // 2
    first = [_ending(spans, half) for spans in draw_turns(rng, TURNS, 0, far, half)]
    second = [_beginning(spans, half) for spans in draw_turns(rng, TURNS, 1, far - 1, length - half)]
    others = (a + b for a, b in zip(first[1:], second[1:], strict=True))
    return Story((second[0],), (first[0], *others), same=True)


_STORIES = {"conversation": _conversation, "near-change": _near_change, "walk-up": _walk_up}


def _ending(spans: Spans, at: int) -> Spans:
    """Return intervals that are cut off at a sample."""
    return tuple((low, min(high, at)) for low, high in spans)


def _beginning(spans: Spans, at: int) -> Spans:
    """Return intervals shifted so that their zero is at a sample."""

    def moved(span: Range) -> Range:
        low, high = span
        return max(low, 0) + at, high if high >= FOREVER else high + at

    return tuple(map(moved, spans))


def _spoken(spans: Spans, length: int) -> float:
    """Return the number of samples within a scene in which a talker speaks."""
    return float(sum(np.ptp(np.clip(span, 0, length)) for span in spans))
