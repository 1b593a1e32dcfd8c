"""Conversations: turns of the talkers, and levels of the other sounds relative to the talker."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.simulation.corpus import SPEECH_RMS, Material
from dss_cli.simulation.mixing import mix
from dss_cli.simulation.recipe import CONVERSATIONS, Recipe
from dss_cli.simulation.rendering import TYPICAL_GAIN, TYPICAL_NEAR
from dss_cli.simulation.scene_sampling import draw
from dss_cli.simulation.turns import ALWAYS, FOREVER, RAMP, Turns, draw_turns, gate

RATE = 16_000
TAPS = 100
PLAIN = Recipe(
    {"conversation": 1.0}, level_spread=0.0, gain_spread=0.0, free_gain=0.0, colour=0.0, active_levels=True
)


def noise(count, seconds, seed=0):
    """Return talkers of white noise, `seconds` each, at about -26 dBFS."""
    rng = np.random.default_rng(seed)
    lengths = [round(s * RATE) for s in np.broadcast_to(seconds, count)]
    ends = np.cumsum(lengths)
    samples = (rng.standard_normal(ends[-1]) * 1600).astype(np.int16)
    names = np.array([f"v{i}" for i in range(count)])
    return Material(samples, np.stack([ends - lengths, ends], axis=1), names)


SPEECH, SOUNDS = noise(6, 4), noise(2, 3, seed=1)
RESPONSES = [np.eye(1, TAPS)[0]] * 4


def scene(recipe, kind, seconds=12, seed=0, snr_db=None):
    rng = np.random.default_rng(seed)
    drawn = draw(rng, kind, recipe, (4, 4), TAPS, SPEECH, SOUNDS, seconds * RATE, snr_db)
    return drawn, mix(drawn, RESPONSES, RESPONSES, SPEECH, SOUNDS)


def level(samples):
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-30)


SMEAR = RATE // 20  # samples: the microphone's zero-phase high-pass rings before an onset


def audible(samples):
    return np.abs(samples) > 1e-3 * np.abs(samples).max()


def turns(drawn):
    """Return the intervals by role within the scene, in samples."""
    return {
        role: [
            np.clip(np.subtract(s, TAPS), 0, drawn.length)
            for v in drawn.voices
            if v.role == role
            for s in v.spans
        ]
        for role in ("near", "far")
    }


# Intervals.


@given(start=st.integers(0, 300), wide=st.integers(RAMP, 500), length=st.integers(1, 1000), data=st.data())
def test_a_gate_opens_and_closes_over_ten_milliseconds(start, wide, length, data):
    factors = gate([(start, start + wide)], length)
    n = np.arange(length)
    np.testing.assert_allclose(
        factors, np.clip((n - start) / RAMP, 0, 1) - np.clip((n - start - wide) / RAMP, 0, 1), atol=1e-6
    )
    assert np.all(gate(ALWAYS, length) == 1)


@given(
    seed=st.integers(0, 999),
    near=st.integers(0, 1),
    far=st.integers(0, 3),
    seconds=st.integers(3, 60),
    most=st.integers(1, 9),
    far_until=st.floats(0, 20),
)
def test_a_talker_never_overlaps_with_itself_and_has_no_more_turns_than_it_may(
    seed, near, far, seconds, most, far_until
):
    if near + far == 0:
        return
    length = seconds * RATE
    drawn = draw_turns(
        np.random.default_rng(seed), Turns(most=most, monologue=0.3), near, far, length, far_until * RATE
    )
    assert any(drawn)
    for spans in drawn:
        assert len(spans) <= most
        assert all(low < high for low, high in spans)
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))
    if near and far:
        assert all(low >= far_until * RATE * 0.5 or far_until == 0 for low, _ in drawn[0] if low > 0)
        assert not (far_until and drawn[0] and drawn[0][0][0] == -FOREVER), "a far talker begins"


def test_a_tenth_of_a_conversation_overlaps_and_either_begins():
    length, overlap, spoken, near_first = 30 * RATE, 0.0, 0.0, 0
    for seed in range(200):
        drawn = draw_turns(np.random.default_rng(seed), Turns(), 1, 2, length)
        talking = sum(gate(spans, length) for spans in drawn)
        overlap += np.mean(talking > 1.5)
        spoken += np.mean(talking > 0.5)
        near_first += min(s[0][0] for s in drawn if s) == (drawn[0][0][0] if drawn[0] else None)
    assert 0.07 < overlap / 200 < 0.13
    assert 0.85 < spoken / 200 < 0.98
    assert 80 < near_first < 120


def test_a_monologue_lasts_half_the_scene():
    asked = Turns(monologue=1.0, monologue_share=(0.5, 0.8), monologue_far=1.0)
    for seed in range(20):
        near, far = draw_turns(np.random.default_rng(seed), asked, 1, 1, 20 * RATE)
        assert far[0][1] - max(far[0][0], 0) >= 9.9 * RATE
        assert not near or near[0][0] >= 0.25 * 20 * RATE


def test_only_far_talkers_speak_until_near_ones_may():
    for seed in range(50):
        near, far = draw_turns(np.random.default_rng(seed), Turns(overlapped=0.0), 1, 1, 40 * RATE, 20 * RATE)
        assert far[0][0] < 2 * RATE
        assert not near or near[0][0] >= 20 * RATE


# Scenes.


@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_a_role_is_heard_in_its_turns_alone(kind):
    for seed in range(4):
        drawn, made = scene(PLAIN, kind, seed=seed)
        for role, spans in turns(drawn).items():
            heard = audible(getattr(made, role))
            talks = np.zeros(drawn.length, bool)
            for low, high in spans:
                talks[max(int(low) - SMEAR, 0) : int(high) + SMEAR] = True
            assert np.all(talks[heard])
            assert np.any(heard) == bool(spans)
        assert all(v.role in kind or kind == "conversation" for v in drawn.voices)


@pytest.mark.parametrize("snr_db", [0.0, 15.0])
def test_noise_is_as_far_below_the_talkers_as_asked_whatever_their_pauses(snr_db):
    quiet = replace(PLAIN, turns=Turns(pause=(3.0, 4.0), overlapped=0.0))
    for seed in range(6):
        drawn, made = scene(quiet, "conversation", seed=seed, snr_db=snr_db)
        talks = np.max([gate(v.spans, drawn.length + TAPS)[TAPS:] for v in drawn.voices], axis=0) > 0.5
        assert level((made.near + made.far)[talks]) - level(made.noise) == pytest.approx(snr_db, abs=0.3)
    diluted = replace(quiet, active_levels=False)
    _, made = scene(diluted, "conversation", seed=0, snr_db=snr_db)
    assert level(made.near + made.far) - level(made.noise) == pytest.approx(snr_db, abs=0.3)


def test_a_television_is_louder_than_the_near_talker_while_they_speak():
    recipe = replace(PLAIN, television=1.0, television_balance=(-10.0, -10.0))
    drawn, made = next(
        found for seed in range(40) if len((found := scene(recipe, "conversation", 24, seed))[0].voices) == 2
    )
    while_speaking = {
        role: level(np.concatenate([getattr(made, role)[int(low) + RAMP : int(high)] for low, high in spans]))
        for role, spans in turns(drawn).items()
    }
    assert while_speaking["near"] - while_speaking["far"] == pytest.approx(-10, abs=0.3)


@pytest.mark.parametrize("slope", [-6.0, 0.0, 3.0])
def test_room_tone_has_its_slope_and_a_level_that_no_talker_changes(slope):
    for spread in (0.0, 20.0):
        recipe = replace(
            PLAIN, tone=1.0, tone_db=(30.0, 30.0), tone_slope=(slope, slope), level_spread=spread
        )
        _, made = scene(replace(recipe, active_levels=True), "conversation-near", seed=3)
        assert level(made.noise) == pytest.approx(
            20 * np.log10(TYPICAL_NEAR) - 30 + made.drawn["gain_db"], abs=0.5
        )
        power = np.square(np.abs(np.fft.rfft(made.noise)))
        hertz = np.fft.rfftfreq(len(made.noise), 1 / RATE)
        octaves = [np.mean(power[(hertz > f * 0.9) & (hertz < f * 1.1)]) for f in (500, 2000)]
        assert 10 * np.log10(octaves[1] / octaves[0]) / 2 == pytest.approx(slope, abs=0.5)
        assert made.drawn["tone"] == {"slope_db": slope, "level_db": 30.0}
    np.testing.assert_allclose(TYPICAL_NEAR * TYPICAL_GAIN, SPEECH_RMS)


@pytest.mark.parametrize("kind", ["conversation", "1N+2F", "far-only"])
def test_nobody_speaks_over_a_preamble(kind):
    asked = {"snr_db": 10.0, "seed": 5}
    for preamble in ("silence", "tone", "noise", "noise-ends", "loud"):
        recipe = replace(PLAIN, preamble={preamble: 1.0}, preamble_share=(0.5, 0.5), tone=1.0)
        _, made = scene(recipe, kind, **asked)
        before, after = made.mixture[: 6 * RATE], made.mixture[6 * RATE :]
        assert not np.any(audible(made.near + made.far)[: 6 * RATE - SMEAR])
        assert np.any(made.far[6 * RATE :])
        assert np.any(before) == (preamble != "silence")
        loud = level(made.noise[: 6 * RATE]) - level(made.noise[6 * RATE :])
        assert (loud < -5) == (preamble in ("silence", "tone"))
        assert (loud > 5) == (preamble in ("noise-ends", "loud"))
        assert (level(after) > level(before)) == (preamble != "loud")


def test_talkers_of_little_speech_are_drawn_less_often():
    recipe = replace(PLAIN, talker_seconds=10.0)
    speech = noise(6, (2, 2, 2, 2, 10, 40))
    counts = np.zeros(6)
    for seed in range(400):
        rng = np.random.default_rng(seed)
        drawn = draw(rng, "far-only", recipe, (4, 4), TAPS, speech, None, 1000)
        counts[drawn.voices[0].speaker] += 1
    np.testing.assert_allclose(counts / 400, [2 / 28] * 4 + [10 / 28] * 2, atol=0.06)
