"""Distribution of scenes: kinds, frequencies and levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from ..utils.settings import Bounds, Share, Weight
from .turns import Turns

Shares = Annotated[tuple[float, float], Bounds(0, 1)]

KINDS = {  # numbers of near and far talkers; in "turns" they speak one after the other
    "near-only": (1, 0),
    "far-only": (0, 1),
    "1N+1F": (1, 1),
    "1N+2F": (1, 2),
    "1N+4F": (1, 4),
    "turns": (1, 1),
}
CONVERSATIONS = {  # largest numbers of near and far talkers, with turns of `turns.draw_turns`
    "conversation": (1, 3),
    "conversation-near": (1, 0),
    "conversation-far": (0, 3),
}
PREAMBLES = ("none", "silence", "tone", "noise", "noise-ends", "loud")  # see `Recipe.preamble`


@dataclass(frozen=True)
class Recipe:
    """Distribution of scenes.

    Attributes:
        kinds: relative frequency of each kind of scene, of KINDS and CONVERSATIONS.
        outdoor_kinds: the same for outdoor scenes; empty: as `kinds`. Their shares of lone near and lone far
            talkers are the prior for talkers whose distance is not certain, and it may differ outdoors.
        outdoor: share of outdoor places.
        clean: share of scenes without environmental noise.
        snr: range of the signal-to-noise ratio in dB.
        level_spread: standard deviation of the speaking level in dB.
        gain_spread: standard deviation of the device's gain in dB.
        free_gain: share of scenes with a random level of the mixture (automatic gain, unknown device).
        colour: standard deviation of the microphone's response at each octave in dB.
        balanced: share of scenes in which `balance`, and not the distance, determines the level of far
            talkers (a raised voice, a loudspeaker), so that the level cannot decide.
        balance: range of the level of the near images relative to the far ones in dB.
        rt60: longest reverberation time of rooms in seconds.
        measured: share of indoor scenes in measured rooms, if the bank has any.
        pace: largest relative change of the playing speed of voices, which changes pitch and vocal tract too,
            so that few talkers become many.
        timbre: standard deviation of each voice's own response at each octave in dB.
        captured: share of scenes that pass through a device of `recording_chain.draw_capture`.
        turns: distribution of the turns in the kinds of CONVERSATIONS.
        preamble: relative frequency of the beginnings without speech: "silence" (digital), room "tone"
            (without recorded noise), "noise" (which continues), "noise-ends" (before talkers begin), "loud"
            (the same, with the level of `loud_db`), "none".
        preamble_share: range of the length of the preamble as a share of the scene.
        loud_db: range of the level of noise in "loud" preambles relative to the talkers in dB.
        television: share of scenes of both roles whose far talkers are a television with the level of
            `television_balance`; drawn before `balanced`.
        television_balance: range of the level of the near images relative to the far ones in dB.
        tone: share of scenes with a coloured stationary noise (room tone, a fan) in addition to recorded
            noise.
        tone_db: range of the level of a typical near talker (`mixing.TYPICAL_NEAR`) relative to that noise in
            dB, independent of the talkers.
        tone_slope: range of the slope of that noise in dB per octave.
        active_levels: whether noise and balance refer to the talkers' level while they speak, and not to
            their mean over the scene, which pauses reduce.
        talker_seconds: talkers are drawn in proportion to their seconds of speech, up to this limit; 0 draws
            all with equal probability. Talkers with little speech mostly have isolated words, which repeat.
    """

    kinds: Mapping[str, float] = field(default_factory=lambda: {"1N+1F": 1.0})
    outdoor_kinds: Mapping[str, float] = field(default_factory=dict)
    outdoor: Share = 0.4
    clean: Share = 0.2
    snr: tuple[float, float] = (0.0, 25.0)
    level_spread: Weight = 3.0
    gain_spread: Weight = 6.0
    free_gain: Share = 0.3
    colour: Weight = 2.0
    balanced: Share = 0.0
    balance: tuple[float, float] = (-3.0, 10.0)
    rt60: Weight = 1.5
    measured: Share = 0.2
    pace: Share = 0.0
    timbre: Weight = 0.0
    captured: Share = 0.0
    turns: Turns = field(default_factory=Turns)
    preamble: Mapping[str, float] = field(default_factory=dict)
    preamble_share: Shares = (0.2, 0.6)
    loud_db: tuple[float, float] = (0.0, 40.0)
    television: Share = 0.0
    television_balance: tuple[float, float] = (-10.0, 0.0)
    tone: Share = 0.0
    tone_db: tuple[float, float] = (20.0, 60.0)
    tone_slope: tuple[float, float] = (-6.0, 3.0)
    active_levels: bool = False
    talker_seconds: Weight = 0.0

    def __post_init__(self) -> None:
        """Refuse unknown kinds of scenes and preambles, and shares that sum to zero."""
        kinds = (*KINDS, *CONVERSATIONS)
        for name, given, known in (
            ("kinds", self.kinds, kinds),
            ("outdoor_kinds", self.outdoor_kinds, kinds),
            ("preamble", self.preamble, PREAMBLES),
        ):
            if odd := [key for key in given if key not in known]:
                raise ValueError(f"{name}: {odd[0]!r} is not one of {', '.join(known)}")
            if given and not sum(given.values()) > 0:
                raise ValueError(f"{name}: the sum of the shares is 0")
        if not self.kinds:
            raise ValueError("kinds: there is none")
