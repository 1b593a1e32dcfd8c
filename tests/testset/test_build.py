"""Test sets: contents of the files, and equal files from every way of making them."""

from __future__ import annotations

import csv
import json
import os
import pickle
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from tests.helpers.testsets import contents, records

pytest.importorskip("pyroomacoustics")

from dss_cli.errors import UsageError
from dss_cli.evaluation.testset import read_test_set
from dss_cli.simulation.measured_rirs import load_rooms
from dss_cli.simulation.rooms import RT60
from dss_cli.testset.build import _folder, build_test_set, make_scenes
from dss_cli.testset.plan import draw_up
from dss_cli.testset.strata import PRESETS, Stratum, preset

STRATA = (
    Stratum("1N+1F", "outdoor", 20.0, (0.2, 0.5)),
    Stratum("near-only", "indoor", None, (0.6, 0.6)),
    Stratum("far-only", "outdoor", 0.0),
    Stratum("turns", "outdoor", 10.0, category="rain"),
)


@pytest.fixture(scope="module")
def plan(material):
    whole, _ = draw_up(material / "speech", material / "noise", seconds=1.0, noise_stems=True)
    return replace(whole, strata=STRATA, count=2)


@pytest.fixture(scope="module")
def made(plan, tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "set"
    build_test_set(path, plan)
    return path


def integers(path):
    return sf.read(path, dtype="int32")[0].astype(np.int64) >> 8


# Contents of the files.


def test_the_parts_add_up_to_the_mixture_exactly(made):
    for record in records(made):
        mixture, near, far, noise = (
            integers(made / record[part]) for part in ("mixture", "near", "far", "noise")
        )
        np.testing.assert_array_equal(mixture, near + far + noise)
        assert len(mixture) == record["samples"] == 16_000
        assert sf.info(made / record["mixture"]).subtype == "PCM_24"
        assert np.abs(mixture).max() < 2**23 - 1


def test_an_output_with_nobody_in_it_is_silent_and_no_other(made):
    for record in records(made):
        roles = {talker["role"] for talker in record["talkers"]}
        for role in ("near", "far"):
            assert np.any(integers(made / record[role])) == (role in roles)


def test_the_noise_is_as_loud_as_asked(made):
    for record in records(made):
        near, far, noise = (integers(made / record[part]).astype(float) for part in ("near", "far", "noise"))
        ratio = 10 * np.log10(np.mean((near + far) ** 2) / np.mean(noise**2))
        if record["snr_db"] is None:  # only the microphone's own noise
            assert ratio == pytest.approx(-record["floor_db"], abs=0.3)
        else:
            assert ratio == pytest.approx(record["snr_db"], abs=0.1)


def test_every_scene_is_of_its_stratum(made):
    by_name = {stratum.name: stratum for stratum in STRATA}
    for record in records(made):
        stratum = by_name[record["stratum"]]
        assert record["id"] == f"{stratum.name}-{record['index']:04d}"
        assert (record["kind"], record["environment"]) == (stratum.kind, stratum.environment)
        assert record["ur0"] == (stratum.near == (0.6, 0.6))
        for one in record["talkers"]:
            low, high = stratum.near if one["role"] == "near" else (1.2, 15.0)
            assert low - 1e-9 <= one["distance_m"] <= high + 1e-9
            assert np.isfinite(one["drr_db"])
        assert len({one["speaker"] for one in record["talkers"]}) == len(record["talkers"])
        if stratum.category:
            assert record["noise_category"] == stratum.category
            assert record["noise_file"].startswith(stratum.category)
        if stratum.environment == "indoor":
            assert RT60[0] / 1.1 <= record["rt60"] <= 1.1 * RT60[1]  # the mean over three octaves
            assert record["rt60_measured"] == pytest.approx(record["rt60"], rel=0.25)
        else:
            assert record["rt60"] is None


def test_the_tables_agree(made, plan):
    lines = records(made)
    with (made / "manifest.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["id"] for row in rows] == [line["id"] for line in lines]
    assert [float(row["talkers.0.distance_m"]) for row in rows] == [
        line["talkers"][0]["distance_m"] for line in lines
    ]
    index = json.loads((made / "test-set.json").read_text())
    assert index["strata"] == {stratum.name: 2 for stratum in STRATA}
    assert (index["scenes"], index["rate"], index["seconds"], index["complete"]) == (8, 16_000, 1.0, True)
    assert index["redraws"] == sum(line["redraws"] for line in lines)
    card = (made / "README.md").read_text()
    assert all(stratum.name in card for stratum in STRATA)
    assert not (made / ".scenes").exists()


def test_the_scorer_reads_it(made):
    scenes = read_test_set(made).scenes
    assert len(scenes) == 8
    assert {scene.stratum for scene in scenes} == {stratum.name for stratum in STRATA}
    assert scenes[2].near_m == pytest.approx(0.6)


# Reproducibility of the files.


def test_a_set_says_of_which_protocol_its_rooms_are(made, plan, tmp_path):
    former = replace(plan, strata=STRATA[1:2], count=1, protocol=1)
    build_test_set(tmp_path / "set", former)
    for folder, protocol in ((made, 2), (tmp_path / "set", 1)):
        assert json.loads((folder / "test-set.json").read_text())["protocol"] == protocol
        assert f"| protocol | {protocol} |" in (folder / "README.md").read_text()
        assert read_test_set(folder).about["protocol"] == protocol
    (ours,) = (r for r in records(made) if r["id"] == "indoor-near-only-clean-n06-0000")
    (theirs,) = records(tmp_path / "set")
    assert (len(ours["rt60_octaves"]), theirs.get("rt60_octaves")) == (7, None)
    assert ours["room"] != theirs["room"]
    (tmp_path / "set" / "test-set.json").write_text(
        (tmp_path / "set" / "test-set.json").read_text().replace('"protocol": 1,', "")
    )
    _folder(tmp_path / "set", former)  # as written before protocol 2
    with pytest.raises(UsageError, match=r"a different protocol \(1, not 2\)"):
        _folder(tmp_path / "set", replace(former, protocol=2))


def test_processes_make_no_difference(made, plan, tmp_path):
    build_test_set(tmp_path / "set", plan, jobs=2)
    assert contents(tmp_path / "set") == contents(made)


def test_index_ranges_can_be_made_in_any_order(made, plan, tmp_path):
    path = tmp_path / "set"
    _folder(path, plan).begin()
    assert make_scenes(path, plan, [3, 0]) == 2
    build_test_set(path, plan)
    assert contents(path) == contents(made)


def test_another_stratum_changes_none(made, plan, tmp_path):
    more = (Stratum("far-only", "outdoor", 5.0), *STRATA[:1], STRATA[2])
    build_test_set(tmp_path / "set", replace(plan, strata=more, count=1))
    others = contents(tmp_path / "set")
    for name, data in contents(made).items():
        if name.endswith("-0000.flac") and "indoor" not in name and "turns" not in name:
            assert others[name] == data


def test_another_seed_changes_all(made, plan, tmp_path):
    build_test_set(tmp_path / "set", replace(plan, strata=STRATA[:1], seed=1))
    ours, others = contents(made), contents(tmp_path / "set")
    mixtures = [name for name in others if name.startswith("mixture/")]
    assert len(mixtures) == 2
    assert all(ours[name] != others[name] for name in mixtures)


def test_a_complete_set_is_left_alone(made, plan, monkeypatch):
    monkeypatch.setattr("dss_cli.testset.build.make_scenes", None)
    assert build_test_set(made, plan) == json.loads((made / "test-set.json").read_text())


def test_other_settings_want_another_folder(made, plan):
    before = contents(made)
    with pytest.raises(UsageError, match=r"a different seed \(0, not 4\)"):
        build_test_set(made, replace(plan, seed=4))
    with pytest.raises(UsageError, match="a different strata"):
        build_test_set(made, replace(plan, count=3))
    assert contents(made) == before


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_goes_on(made, plan, material, tmp_path, number):
    """The run stalls in the fourth scene, with partially written files; the signal arrives then."""
    script = tmp_path / "stall.py"
    script.write_text(
        "import pickle, sys, time\n"
        "from dss_cli.__main__ import main\n"
        "from dss_cli.testset import writer\n"
        "import dss_cli.testset.plan as plans\n"
        "write, calls = writer.ENCODERS['flac'], []\n"
        "def stall(samples, rate, file):\n"
        "    calls.append(file)\n"
        "    if len(calls) == 14:\n"
        "        file.write(b'half')\n"
        "        file.flush()\n"
        "        print('stalled', file=sys.stderr, flush=True)\n"
        "        time.sleep(60)\n"
        "    write(samples, rate, file)\n"
        "writer.ENCODERS['flac'] = stall\n"
        f"plan = pickle.loads({pickle.dumps(plan)!r})\n"
        "plans.draw_up = lambda *a, **k: (plan, [])\n"
        "sys.exit(main())\n"
    )
    path = tmp_path / "set"
    process = subprocess.Popen(
        [sys.executable, str(script), "simulate-test-set", str(path), "--speech", "x", "--jobs", "1"],
        stderr=subprocess.PIPE,
    )
    assert process.stderr.readline() == b"stalled\n"
    process.send_signal(number)
    err = process.stderr.read().decode().splitlines()
    status = process.wait(30)
    left = contents(path)
    assert not (path / "test-set.json").exists()
    assert len(list((path / ".scenes").glob("*-*.json"))) == 3
    if number == signal.SIGINT:
        assert status == 130
        assert err == ["dss: error: interrupted; nothing half-written is left"]
        assert not [name for name in left if name.endswith(".part")]
    build_test_set(path, plan)
    assert contents(path) == contents(made)


def test_synthetic_voices_are_marked(tmp_path):
    pytest.importorskip("espeakng_loader")
    plan, notes = draw_up(None, seconds=1.0)
    assert any("synthetic" in note for note in notes)
    plan = replace(plan, strata=(Stratum("1N+2F", "outdoor"),), count=1)
    index = build_test_set(tmp_path / "set", plan)
    assert index["speech"] == "synthetic"
    assert index["material"]["speech"]["talkers"] == 12
    assert "**The voices are synthetic" in (tmp_path / "set" / "README.md").read_text()
    speakers = {one["speaker"] for one in records(tmp_path / "set")[0]["talkers"]}
    assert len(speakers) == 3
    assert all(name.startswith("espeak/") for name in speakers)


# Strata and presets.


@pytest.mark.parametrize("name", PRESETS)
def test_every_stratum_has_a_name_of_its_own(name):
    strata, count = preset(name)
    names = [stratum.name for stratum in strata]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9.-]+", n) for n in names)
    assert count >= 5


def test_presets_hold_what_they_promise():
    sizes = {name: len(preset(name)[0]) * preset(name)[1] for name in PRESETS}
    assert 550 <= sizes["standard"] <= 650
    assert sizes["quick"] == 60
    assert sizes["first"] == 240
    for stratum in preset("patterson")[0]:
        assert (stratum.kind, stratum.near, stratum.beyond) == ("1N+4F", (0.2, 1.5), 1.5)
    distances = {stratum.near for stratum in preset("ur0")[0]}
    assert sorted(distances) == [(d / 10, d / 10) for d in range(3, 13)]
    assert {stratum.snr_db for stratum in preset("noise")[0]} == {20, 10, 5, 0, -5}
    crossed = {(s.kind, s.environment, s.snr_db, s.ur0) for s in preset("standard")[0]}
    assert len(crossed) == (5 * 2 + 1) * 2 * 5


def test_a_name_says_what_matters():
    assert STRATA[0].name == "outdoor-1n1f-snr20-n02-05"
    assert STRATA[1].name == "indoor-near-only-clean-n06"
    assert Stratum("far-only", "indoor", -5.0, category="wind").name == "indoor-far-only-snr-5-wind"
    assert Stratum("1N+4F", "indoor").split_at(1.5).name == "indoor-1n4f-clean-n02-15-f15"
    assert Stratum("turns", "outdoor", facade=True).name == "outdoor-facade-turns-clean-n02-08"


def test_a_threshold_parts_near_from_far(material, tmp_path):
    plan, _ = draw_up(material / "speech", name="patterson", seconds=1.0, count=1, threshold=2.0)
    plan = replace(plan, strata=(replace(plan.strata[0], environment="outdoor"),))
    build_test_set(tmp_path / "set", plan)
    for record in records(tmp_path / "set"):
        assert sum(one["role"] == "far" for one in record["talkers"]) == 4
        for one in record["talkers"]:
            assert (one["distance_m"] < 2.0) == (one["role"] == "near")


# Measured rooms.


def test_measured_rooms_hold_near_and_far_of_one_microphone(material, rooms, tmp_path):
    plan, notes = draw_up(material / "speech", rirs=rooms, name="standard", seconds=1.0, count=2)
    assert any("1N+2F" in note for note in notes)
    assert {stratum.environment for stratum in plan.strata} == {"measured"}
    build_test_set(tmp_path / "set", plan)
    for record in records(tmp_path / "set"):
        assert record["room"] == "A"
        files = {one["response_file"] for one in record["talkers"]}
        assert all(f"ch{record['microphone']}." in name for name in files)
        for one in record["talkers"]:
            assert one["distance_m"] == (0.5 if one["role"] == "near" else 2.0)
    index = json.loads((tmp_path / "set" / "test-set.json").read_text())
    assert index["rirs"] == rooms.name


def test_calibrated_levels_are_those_of_the_room(rooms):
    near, far, _ = load_rooms(rooms).draw(np.random.default_rng(0), 1, 1)
    levels = [np.abs(side[0].samples).max() for side in (near, far)]
    assert levels[0] * 0.5 == pytest.approx(1, rel=0.05)  # 1 / r, as in simulated rooms
    assert 20 * np.log10(levels[0] / levels[1]) == pytest.approx(12, abs=0.01)


def test_paths_in_records_are_the_materials_own(made, material):
    text = (made / "metadata.jsonl").read_text() + (made / "test-set.json").read_text()
    assert str(material) not in text
    assert str(Path.home()) not in text
