"""Speech activity from the levels of the stems, in four formats, written together with the stems."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import soundfile as sf

from dss_cli.errors import UsageError
from dss_cli.separation.activity import FRAME, Activity, ActivityMeter
from dss_cli.separation.activity_files import activity_text
from dss_cli.separation.batch import plan
from dss_cli.separation.files import softened
from dss_cli.separation.multichannel import Stems
from tests.helpers.stub import files

RATE = 16_000
SPANS = ((1.0, 3.0), (5.5, 6.0), (8.0, 11.5))


def speech(spans, seconds=14.0, level_db=-25.0, rate=RATE, floor_db=-70.0, seed=0):
    """Return noise that is loud within the spans, float32 (frames, 1)."""
    generator = np.random.default_rng(seed)
    gain = np.full(int(seconds * rate), 10 ** (floor_db / 20))
    for begin, end in spans:
        gain[int(begin * rate) : int(end * rate)] = 10 ** (level_db / 20)
    return (gain * generator.standard_normal(len(gain))).astype(np.float32)[:, None]


def measured(near, far, rate=RATE, size=None):
    meter = ActivityMeter(rate)
    size = size or len(near)
    for at in range(0, len(near), size):
        meter.push(near[at : at + size], far[at : at + size])
    return meter.finish()


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100])
def test_speech_is_found_to_a_tenth_of_a_second(rate):
    near, far = speech(SPANS, rate=rate), speech([(3.5, 5.0)], rate=rate, level_db=-40.0, seed=1)
    found = measured(near, far, rate)
    np.testing.assert_allclose(found.spans["near"], SPANS, atol=0.1)
    np.testing.assert_allclose(found.spans["far"], [(3.5, 5.0)], atol=0.1)
    assert found.seconds == pytest.approx(14.0)
    assert found.share("near") == pytest.approx(6.0 / 14, abs=0.03)


def test_what_leaks_of_the_other_stem_is_nobody():
    near = speech(SPANS)
    found = measured(near, near * np.float32(10 ** (-16 / 20)))
    assert len(found.spans["near"]) == 3
    assert found.spans["far"] == ()


def test_both_may_speak_at_once():
    found = measured(speech(SPANS), speech(SPANS, level_db=-30.0, seed=1))
    np.testing.assert_allclose(found.spans["near"], found.spans["far"], atol=0.05)


def test_a_fan_is_nobody_and_who_speaks_over_it_is_heard():
    near = speech(SPANS, level_db=-20.0, floor_db=-36.0)
    np.testing.assert_allclose(measured(near, near * 0).spans["near"], SPANS, atol=0.1)


def test_short_pauses_belong_to_the_speech_around_them():
    found = measured(speech([(1.0, 2.0), (2.2, 3.0), (3.6, 4.0)]), speech([]))
    assert len(found.spans["near"]) == 2
    np.testing.assert_allclose(found.spans["near"], [(1.0, 3.0), (3.6, 4.0)], atol=0.1)


def test_silence_and_nothing_are_nobody():
    nothing = np.zeros((0, 1), np.float32)
    assert measured(nothing, nothing, size=1) == Activity(0.0, {"near": (), "far": ()})
    silent = np.zeros((RATE, 2), np.float32)
    assert measured(silent, silent).spans == {"near": (), "far": ()}


@pytest.mark.parametrize("size", [1, 37, 320, 5000])
def test_blocks_make_no_difference(size):
    seconds = 0.5 if size == 1 else 14.0
    near, far = speech([(0.1, 0.4), *SPANS[1:]], seconds), speech([(0.2, 0.3)], seconds, seed=1)
    assert measured(near, far, size=size) == measured(near, far)


def test_no_span_ends_behind_the_recording():
    near = speech([(0.4, 2.0)], 1.0 + FRAME / 3)
    (span,) = measured(near, near * 0).spans["near"]
    assert span[1] <= len(near) / RATE


# Formats.

ACTIVITY = Activity(10.0, {"near": ((0.5, 1.25), (3.0, 4.0)), "far": ((1.0, 2.5),)})


def test_formats_tell_the_same():
    loaded = json.loads(activity_text(ACTIVITY, "a.json", "my talk.wav"))
    assert loaded["recording"] == "my talk.wav"
    assert loaded["near"]["share"] == 0.175
    told = {stem: tuple((s["begin"], s["end"]) for s in loaded[stem]["spans"]) for stem in ("near", "far")}
    assert told == ACTIVITY.spans
    in_order = [("near", 0.5, 1.25), ("far", 1.0, 2.5), ("near", 3.0, 4.0)]
    rows = list(csv.DictReader(activity_text(ACTIVITY, "a.csv", "x").splitlines()))
    assert [(row["stem"], float(row["begin"]), float(row["end"])) for row in rows] == in_order
    labels = [line.split("\t") for line in activity_text(ACTIVITY, "a.txt", "x").splitlines()]
    assert [(stem, float(begin), float(end)) for begin, end, stem in labels] == in_order
    turns = [line.split() for line in activity_text(ACTIVITY, "a.rttm", "dir/my talk.wav").splitlines()]
    assert {(len(turn), turn[0], turn[1], turn[2]) for turn in turns} == {(10, "SPEAKER", "my_talk", "1")}
    assert [(t[7], float(t[3]), float(t[3]) + float(t[4])) for t in turns] == in_order


# With the stems.


def test_the_file_appears_with_the_stems(dss, stub, recording, here):
    recording("a.wav")
    status, out, _ = dss("separate", "a.wav", "--activity", "who.csv", "--json")
    assert status == 0
    (entry,) = json.loads(out)["files"]
    assert entry["outputs"]["activity"] == "who.csv"
    assert set(entry["speech"]) == {"near", "far"}
    assert files(here) == ["a.far.wav", "a.near.wav", "a.wav", "who.csv"]
    assert json.loads(dss("separate", "a.wav", "--json", "--overwrite")[1])["files"][0]["speech"] is None


def test_every_recording_of_a_batch_has_its_own(dss, stub, recording, here):
    recording("in/a.wav")
    recording("in/b/c.wav")
    assert dss("separate", "-r", "in", "-o", "out", "--activity", ".rttm")[0] == 0
    assert [name for name in files(here / "out") if "activity" in name] == [
        "a.activity.rttm",
        "b/c.activity.rttm",
    ]
    status, _, err = dss("separate", "-r", "in", "-o", "out", "--activity", ".rttm", "--skip-existing")
    assert (status, err[-1]) == (0, "0 separated, 2 left out (2 outputs exist)")


def test_what_cannot_be_is_refused_before_anything_is_written(dss, stub, recording, here):
    recording("a.wav")
    recording("b.wav")
    (here / "there.csv").write_text("mine")
    for arguments, words in (
        (["a.wav", "--activity", "who.doc"], "--activity who.doc: the extension must be one of .json, .rttm"),
        (["a.wav", "--activity", "there.csv"], "there.csv: exists already; --overwrite replaces it"),
        (["a.wav", "--activity", "a.near.wav"], "--activity a.near.wav: the extension"),
        (["a.wav", "b.wav", "--activity", "who.csv"], "use --activity .EXT"),
        (["a.wav", "--near", "n.wav", "--activity", ".csv"], "name a file"),
        (["a.wav", "--activity", "no/folder/who.csv"], "does not exist"),
        (["a.wav", "--strength", "1.5"], "--strength"),
    ):
        status, _, err = dss("separate", *arguments)
        assert status in (1, 2), arguments
        assert words in " ".join(err), arguments
        assert files(here) == ["a.wav", "b.wav", "there.csv"], arguments


def test_a_target_named_twice_is_refused():
    with pytest.raises(UsageError, match="output of both"):
        plan(["a.wav"], {"near": "x.json", "activity": "x.json"})


# Strength.


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_softened_stems_still_sum_to_the_mixture(strength):
    near, far, residual = np.random.default_rng(0).standard_normal((3, 500, 2)).astype(np.float32)
    made = softened(Stems(near, far, residual), strength)
    np.testing.assert_allclose(sum(made), near + far + residual, atol=1e-5)
    mixture = near + far + residual
    np.testing.assert_allclose(made.near, strength * near + (1 - strength) * mixture, atol=1e-5)
    np.testing.assert_allclose(made.far, strength * far + (1 - strength) * mixture, atol=1e-5)


def test_without_strength_both_outputs_are_the_recording(dss, stub, recording, here):
    recording("a.wav")
    assert dss("separate", "a.wav", "--strength", "0", "--subtype", "FLOAT")[0] == 0
    mixture = sf.read(here / "a.wav")[0]
    for stem in ("near", "far"):
        np.testing.assert_allclose(sf.read(here / f"a.{stem}.wav")[0], mixture, atol=1e-6)
