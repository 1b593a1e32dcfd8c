"""The curriculum: easy scenes first, silent targets once the network separates at all, then everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..simulation.mixing import Recipe
from ..simulation.turns import Turns

# Voices are what the network learns by heart first (docs/training-log.md, section 5), not rooms.
PACE, TIMBRE = 0.15, 3.0

# Both talkers active, dry rooms, little noise: the gap in direct-to-reverberant ratio is largest here.
EASY = Recipe(
    {"1N+1F": 1.0},
    outdoor=0.25,
    clean=0.4,
    snr=(15.0, 30.0),
    balanced=0.7,
    rt60=0.5,
    pace=PACE,
    timbre=TIMBRE,
)
WIDER = Recipe(
    {"1N+1F": 0.7, "turns": 0.12, "near-only": 0.06, "far-only": 0.12},
    outdoor=0.33,
    clean=0.25,
    snr=(5.0, 30.0),
    balanced=0.4,
    pace=PACE,
    timbre=TIMBRE,
)
ALL = Recipe(
    {
        "1N+1F": 0.34,
        "1N+2F": 0.12,
        "1N+4F": 0.12,
        "turns": 0.14,
        "near-only": 0.12,  # who speaks alone is guessed by these two shares (section 5)
        "far-only": 0.16,
    },
    clean=0.2,
    snr=(0.0, 25.0),
    balanced=0.25,
    pace=PACE,
    timbre=TIMBRE,
)


# Scenes of 12 to 30 s that share their context: who speaks alone is told by who was heard before, and what
# carries no speech must not count. Shares and ranges: docs/training.md.
CONVERSATIONS = replace(
    ALL,
    kinds={  # as many scenes of lone near talkers as of lone far ones: who speaks alone is guessed by these
        "conversation": 0.42,
        "conversation-far": 0.11,
        "conversation-near": 0.11,
        "1N+1F": 0.12,
        "1N+2F": 0.05,
        "1N+4F": 0.05,
        "near-only": 0.07,
        "far-only": 0.07,
    },
    outdoor=0.3,
    rt60=9.0,  # whatever the bank has
    balanced=0.3,
    turns=Turns(monologue=0.35),
    preamble={"none": 0.7, "silence": 0.07, "tone": 0.08, "noise": 0.1, "noise-ends": 0.05},
    television=0.15,
    tone=0.5,
    active_levels=True,
    talker_seconds=30.0,
)

STAGES = (EASY, WIDER, ALL, CONVERSATIONS)


def recipe_at(step: int, curriculum: Sequence[int]) -> Recipe:
    """The recipe of a step, given the steps at which it widens: two of them end with ALL, three with
    CONVERSATIONS."""
    return STAGES[sum(step >= widened for widened in curriculum)]
