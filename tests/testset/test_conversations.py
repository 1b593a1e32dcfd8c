"""Test sets of conversations: talkers and additional sounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.testsets import records

pytest.importorskip("pyroomacoustics")

from dss_cli.errors import DssError, UsageError
from dss_cli.simulation.turns import gate
from dss_cli.testset.build import build_test_set
from dss_cli.testset.plan import draw_up
from dss_cli.testset.preambles import FULL, SOUNDS, make_preamble
from dss_cli.testset.stories import CYCLE, FAR_ALONE, STORIES, draw_story
from dss_cli.testset.strata import Company, Stratum, preset

RATE = 16_000
LONG = 60 * RATE
TALK = Stratum("conversation", "outdoor", 20.0)


def story(kind, index, seed=0, length=LONG, most_far=3):
    return draw_story(np.random.default_rng([seed, index]), kind, index, length, most_far)


def speaks(spans, length=LONG):
    return np.array(gate(spans, length)) > 0.5


# Stories.


def test_eight_conversations_are_cast_as_promised():
    for seed in range(3):
        told = [story("conversation", index, seed) for index in range(CYCLE)]
        forms = [one.form for one in told]
        assert [forms.count(form) for form in ("both", "far-first", "far", "near")] == [4, 2, 1, 1]
        for one in told:
            assert bool(one.near) == (one.form != "far")
            assert bool(one.far) == (one.form != "near")
            if one.form == "far-first":
                assert not np.any(speaks(one.near[0])[: round(FAR_ALONE * RATE)])
                assert any(np.any(speaks(spans)[: round(FAR_ALONE * RATE)]) for spans in one.far)


@given(
    kind=st.sampled_from(list(STORIES)),
    index=st.integers(0, 7),
    seed=st.integers(0, 99),
    far=st.integers(1, 3),
)
def test_everybody_is_heard_and_never_twice_at_once(kind, index, seed, far):
    told = story(kind, index, seed, most_far=far)
    assert len(told.far) <= far
    for spans in (*told.near, *told.far):
        factors = gate(spans, LONG)
        assert factors.max() == 1
        assert np.mean(factors) * 60 >= 1.9


def test_a_tenth_of_the_conversations_overlaps():
    shares = []
    for index in range(40):
        one = story("conversation", 0, seed=index, length=300 * RATE)
        shares.append(np.mean(sum(speaks(s, 300 * RATE) for s in (*one.near, *one.far)) > 1))
    assert 0.05 < np.mean(shares) < 0.15


def test_one_near_talker_leaves_and_another_comes():
    leaves, comes = story("near-change", 0).near
    assert not np.any(speaks(leaves)[LONG // 2 + 200 :]) and not np.any(speaks(comes)[: LONG // 2])


def test_a_far_talker_comes_nearer():
    told = story("walk-up", 0)
    assert told.same
    assert not np.any(speaks(told.far[0])[LONG // 2 + 200 :]) and not np.any(
        speaks(told.near[0])[: LONG // 2]
    )


def test_a_scene_in_which_not_everybody_can_be_heard_is_an_error():
    with pytest.raises(DssError, match=r"near-change: scenes of 1 s are too short"):
        story("near-change", 0, length=RATE)


# Sounds in front.


@pytest.mark.parametrize("sound", SOUNDS)
def test_a_sound_is_a_function_of_its_seed_and_as_loud_as_it_says(sound):
    made, again = (make_preamble(np.random.default_rng(4), sound, 4 * RATE, talkers=0.02) for _ in range(2))
    np.testing.assert_array_equal(made, again)
    assert made.shape == (4 * RATE,) and np.abs(made).max() <= FULL
    if sound == "silence":
        assert not np.any(made)
    elif sound == "clipped":
        assert np.mean(np.abs(made) >= FULL - 1e-6) > 0.05, "flat tops"
    else:
        level = 20 * np.log10(np.sqrt(np.mean(np.square(made, dtype=np.float64))) / 0.02)
        assert level == pytest.approx(SOUNDS[sound][1], abs=0.1)


# Test sets.


@pytest.fixture(scope="module")
def plan(material):
    whole, _ = draw_up(material / "speech", material / "noise", name="quick", seconds=12.0)
    return replace(whole, preset="custom", count=1)


def integers(path):
    return sf.read(path, dtype="int32")[0].astype(np.int64) >> 8


def test_a_conversation_has_its_turns_in_its_record(plan, tmp_path):
    build_test_set(tmp_path / "set", replace(plan, strata=(TALK,), count=CYCLE))
    lines = records(tmp_path / "set")
    assert [line["form"] for line in lines] == ["both"] * 4 + ["far-first"] * 2 + ["far", "near"]
    for line in lines:
        talks = {"near": np.zeros(12 * RATE, bool), "far": np.zeros(12 * RATE, bool)}
        for talker in line["talkers"]:
            for low, high in talker["turns_s"]:
                talks[talker["role"]][max(0, round(low * RATE) - 1600) : round(high * RATE) + 8000] = True
        for role, when in talks.items():
            heard = np.abs(integers(tmp_path / "set" / line[role]))
            assert not np.any(heard[~when] > 1e-3 * max(heard.max(), 1))
            assert np.any(heard) == np.any(when)


def test_company_changes_nothing_of_the_conversation(plan, tmp_path):
    front, behind = Company("applause", 3.0), Company("recording", 12.0, after=True)
    strata = (TALK, replace(TALK, company=front), replace(TALK, company=behind))
    build_test_set(tmp_path / "set", replace(plan, strata=strata))
    alone, clapped, followed = records(tmp_path / "set")
    assert clapped["pair"] == followed["pair"] == alone["id"] and "pair" not in alone
    assert (clapped["scored_s"], followed["scored_s"]) == ([3.0, 15.0], [0.0, 12.0])
    assert (clapped["company"], followed["company"]) == ("applause3", "then-recording12")
    for part in ("mixture", "near", "far"):
        bare = integers(tmp_path / "set" / alone[part])
        np.testing.assert_array_equal(integers(tmp_path / "set" / clapped[part])[3 * RATE :], bare)
        np.testing.assert_array_equal(integers(tmp_path / "set" / followed[part])[: 12 * RATE], bare)
    for before, after in zip(alone["talkers"], clapped["talkers"], strict=True):
        np.testing.assert_allclose(np.subtract(after["turns_s"], before["turns_s"]), 3.0)
    speech = integers(tmp_path / "set" / clapped["near"]) + integers(tmp_path / "set" / clapped["far"])
    assert not np.any(speech[: 3 * RATE])
    assert np.any(integers(tmp_path / "set" / clapped["mixture"])[: 3 * RATE])


def test_who_walks_up_is_the_same_talker(plan, tmp_path):
    build_test_set(tmp_path / "set", replace(plan, strata=(replace(TALK, kind="walk-up"),), count=3))
    for line in records(tmp_path / "set"):
        near, far, *_ = line["talkers"]
        assert (near["role"], far["role"]) == ("near", "far")
        assert near["speaker"] == far["speaker"]
        assert near["distance_m"] < 1 < far["distance_m"]


def test_presets_of_conversations_hold_what_they_promise():
    talk, count = preset("conversations")
    assert count % CYCLE == 0, "all casts, as often as promised"
    assert {(s.environment, s.snr_db) for s in talk if s.seconds == 40} == {
        (where, snr) for where in ("indoor", "outdoor") for snr in (20, 10)
    }
    assert {s.environment for s in talk if s.seconds == 300} == {"indoor", "outdoor"}
    paired, _ = preset("preambles")
    beside = {s.company.name for s in paired if s.company}
    assert beside == {f"{sound}{seconds}" for sound in SOUNDS for seconds in (20, 120)} | {
        "recording40",
        "then-recording40",
    }
    assert all(s.alone() in paired for s in paired)
    assert {s.kind for s in paired} == set(STORIES)
    assert talk[0].name == "indoor-conversation-snr20-n02-08-40s"
    assert paired[1].name == "indoor-conversation-snr20-n02-08-40s-silence20"


def test_lengths_of_conversations_are_the_presets_own(material):
    with pytest.raises(UsageError, match="--seconds and --preset conversations"):
        draw_up(material / "speech", name="conversations", seconds=9.0)
    made, _ = draw_up(material / "speech", name="conversations")
    assert made.settings()["seconds"] is None


def test_conversations_in_measured_rooms_keep_to_the_split(material, rooms, tmp_path):
    lines = (rooms / "MANIFEST.csv").read_text().splitlines()
    for name, split in (("a", "dev"), ("b", "train")):
        folder = tmp_path / name
        folder.mkdir()
        for path in rooms.glob("*.wav"):
            (folder / path.name).symlink_to(path)
        marked = [f"{lines[0]},split", *(f"{line},{split}" for line in lines[1:])]
        (folder / "MANIFEST.csv").write_text("\n".join(marked))
    asked = {"name": "conversations", "split": None, "count": 1}
    made, _ = draw_up(material / "speech", rirs=rooms, **asked)
    assert {s.environment for s in made.strata} == {"measured"}
    speech = tmp_path / "speech"
    speech.mkdir()
    rows = [f"{p},{p.parent.name},dev" for p in sorted((material / "speech").glob("*/*.wav"))]
    (speech / "MANIFEST.csv").write_text("\n".join(["path,speaker,split", *rows]))
    asked["split"] = "dev"
    made, notes = draw_up(speech, rirs=tmp_path / "a", **asked)
    assert not any("split" in note for note in notes)
    unsplit = draw_up(speech, rirs=rooms, **asked)[1]
    assert f"{rooms / 'MANIFEST.csv'}: no column split: its responses are used for every split" in unsplit
    assert made.ingredients().rooms.most_far(1) == 1
    with pytest.raises(DssError, match="no line of split 'dev'"):
        draw_up(speech, rirs=tmp_path / "b", **asked)
    asked["name"] = "first"
    draw_up(speech, rirs=tmp_path / "b", protocol=1, **asked)  # all rooms, as before
    with pytest.raises(DssError, match="no line of split 'dev'"):
        draw_up(speech, rirs=tmp_path / "b", **asked)
