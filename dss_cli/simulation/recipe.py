"""What scenes are drawn from: the kinds that there are, and how often and how loud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from ..utils.settings import Bounds, Share, Weight
from .turns import Turns

Shares = Annotated[tuple[float, float], Bounds(0, 1)]

KINDS = {  # talkers near and far; "turns" speak one after the other
    "near-only": (1, 0),
    "far-only": (0, 1),
    "1N+1F": (1, 1),
    "1N+2F": (1, 2),
    "1N+4F": (1, 4),
    "turns": (1, 1),
}
CONVERSATIONS = {  # most talkers near and far, who speak as `turns.draw_turns` says; one far at least
    "conversation": (1, 3),
    "conversation-near": (1, 0),
    "conversation-far": (0, 3),
}
PREAMBLES = ("none", "silence", "tone", "noise", "noise-ends")  # see `Recipe.preamble`


@dataclass(frozen=True)
class Recipe:
    """What scenes are drawn: shares of kinds, levels in dB.

    Attributes:
        kinds: relative frequency of each kind of scene, of KINDS and CONVERSATIONS.
        outdoor: share of outdoor places.
        clean: share of scenes without environmental noise.
        snr: range of the noise's level below the talkers', in dB.
        level_spread: standard deviation of the speaking level, in dB.
        gain_spread: standard deviation of the device's gain, in dB.
        free_gain: share of scenes whose level is drawn afresh (automatic gain, unknown device).
        colour: standard deviation of the microphone's response at each octave, in dB.
        balanced: share of scenes in which far talkers are as loud, relative to the near one, as `balance`
            says, whatever their distance (a raised voice, a loudspeaker): level must not decide.
        balance: range of the near images' level above the far ones', in dB.
        rt60: rooms that reverberate longer are left out, in seconds.
        measured: share of indoor scenes in measured rooms, where the bank has any.
        pace: voices are played up to this share faster or slower, pitch and vocal tract with them; few
            talkers become many.
        timbre: standard deviation of each voice's own response at each octave, in dB.
        captured: share of scenes that go through a device as of `capture`.
        turns: how talkers take turns in the kinds of CONVERSATIONS.
        preamble: relative frequency of what is heard at first, while nobody speaks: "silence" (digital), room
            "tone" (no recorded noise), "noise" (which goes on), "noise-ends" (before talkers begin), "none".
        preamble_share: range of its length as a share of the scene.
        television: share of scenes of both roles whose far talkers are a television, as loud as
            `television_balance` says; drawn before `balanced`.
        television_balance: range of the near images' level above the far ones', in dB.
        tone: share of scenes with a coloured stationary noise (room tone, a fan) beside the recorded one.
        tone_db: range of its level below a typical near talker's (`rendering.TYPICAL_NEAR`), in dB, whoever
            speaks.
        tone_slope: range of its slope, in dB per octave.
        active_levels: whether noise and balance are set by the talkers' level while they speak; without it by
            their mean over the scene, which pauses dilute.
        talker_seconds: talkers are drawn in proportion to their seconds of speech, counted up to this
            many; 0 draws all alike. Who has little speech has isolated words mostly, and repeats them.
    """

    kinds: Mapping[str, float] = field(default_factory=lambda: {"1N+1F": 1.0})
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
    television: Share = 0.0
    television_balance: tuple[float, float] = (-10.0, 0.0)
    tone: Share = 0.0
    tone_db: tuple[float, float] = (20.0, 60.0)
    tone_slope: tuple[float, float] = (-6.0, 3.0)
    active_levels: bool = False
    talker_seconds: Weight = 0.0

    def __post_init__(self) -> None:
        """Refuse kinds of scenes and of preambles that there are not, and shares that come to nothing."""
        for name, given, known in (
            ("kinds", self.kinds, (*KINDS, *CONVERSATIONS)),
            ("preamble", self.preamble, PREAMBLES),
        ):
            if odd := [key for key in given if key not in known]:
                raise ValueError(f"{name}: {odd[0]!r} is none of {', '.join(known)}")
            if given and not sum(given.values()) > 0:
                raise ValueError(f"{name}: the shares come to nothing")
        if not self.kinds:
            raise ValueError("kinds: there is none")
