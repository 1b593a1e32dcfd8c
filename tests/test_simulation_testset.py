"""Test sets: what is in the files, that they are the same whoever makes them, and what is refused."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import synth

pytest.importorskip("pyroomacoustics")

from dss_cli.errors import DssError, UsageError  # noqa: E402
from dss_cli.evaluation.testset import read_test_set  # noqa: E402
from dss_cli.simulation.testset.build import build, make_scenes  # noqa: E402
from dss_cli.simulation.testset.plan import draw_up  # noqa: E402
from dss_cli.simulation.testset.strata import PRESETS, Stratum, preset  # noqa: E402

STRATA = (
    Stratum("1N+1F", "outdoor", 20.0, (0.2, 0.5)),
    Stratum("near-only", "indoor", None, (0.6, 0.6)),
    Stratum("far-only", "outdoor", 0.0),
    Stratum("turns", "outdoor", 10.0, category="rain"),
)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """Decoded material is cached: not in the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
            patch.setenv(name, str(tmp_path_factory.mktemp("cache")))
        yield


def talker(seed, seconds=3.0, rate=16_000):
    """A hoarse hum under a syllable rhythm."""
    t = np.arange(int(seconds * rate)) / rate
    hum = sum(np.sin(2 * np.pi * (110 + 23 * seed) * k * t) / k for k in range(1, 12))
    breath = synth.noise(len(t), seed=seed)[:, 0]
    return (0.05 * (hum + breath) * (1 + np.sin(2 * np.pi * 3 * t + seed)))[:, np.newaxis].astype(np.float32)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Folders `speech` (six talkers) and `noise` (rain, wind), without manifests."""
    root = tmp_path_factory.mktemp("material")
    for seed in range(6):
        (root / "speech" / f"t{seed}").mkdir(parents=True)
        synth.write(root / "speech" / f"t{seed}" / "a.wav", talker(seed))
    for number, name in enumerate(("rain", "wind")):
        (root / "noise" / name).mkdir(parents=True)
        synth.write(root / "noise" / name / "x.wav", synth.noise(48_000, seed=10 + number, peak=0.2))
    return root


@pytest.fixture(scope="module")
def plan(material):
    whole, _ = draw_up(material / "speech", material / "noise", seconds=1.0, noise_stems=True)
    return replace(whole, strata=STRATA, count=2)


@pytest.fixture(scope="module")
def made(plan, tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "set"
    build(path, plan)
    return path


def contents(path):
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def records(path):
    return [json.loads(line) for line in (path / "metadata.jsonl").read_text().splitlines()]


def integers(path):
    return sf.read(path, dtype="int32")[0].astype(np.int64) >> 8


# What is in the files.


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
        near, far, noise = (
            integers(made / record[part]).astype(float) for part in ("near", "far", "noise")
        )
        ratio = 10 * np.log10(np.mean((near + far) ** 2) / np.mean(noise**2))
        if record["snr_db"] is None:  # the microphone's own noise alone
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
            assert 0.15 <= record["rt60"] <= 0.9
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


# The same files, whoever makes them.


def test_processes_make_no_difference(made, plan, tmp_path):
    build(tmp_path / "set", plan, jobs=2)
    assert contents(tmp_path / "set") == contents(made)


def test_index_ranges_can_be_made_in_any_order(made, plan, tmp_path):
    path = tmp_path / "set"
    (path).mkdir()
    folder_plan = replace(plan, count=2)
    build_order = [3, 0]
    from dss_cli.simulation.testset.build import _folder

    _folder(path, folder_plan).begin()
    assert make_scenes(path, folder_plan, build_order) == 2
    build(path, folder_plan)
    assert contents(path) == contents(made)


def test_another_stratum_changes_none(made, plan, tmp_path):
    more = (Stratum("far-only", "outdoor", 5.0), *STRATA[:1], STRATA[2])
    build(tmp_path / "set", replace(plan, strata=more, count=1))
    others = contents(tmp_path / "set")
    for name, data in contents(made).items():
        if name.endswith("-0000.flac") and "indoor" not in name and "turns" not in name:
            assert others[name] == data


def test_another_seed_changes_all(made, plan, tmp_path):
    build(tmp_path / "set", replace(plan, strata=STRATA[:1], seed=1))
    ours, others = contents(made), contents(tmp_path / "set")
    mixtures = [name for name in others if name.startswith("mixture/")]
    assert len(mixtures) == 2
    assert all(ours[name] != others[name] for name in mixtures)


def test_a_complete_set_is_left_alone(made, plan, monkeypatch):
    monkeypatch.setattr("dss_cli.simulation.testset.build.make_scenes", None)
    assert build(made, plan) == json.loads((made / "test-set.json").read_text())


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_goes_on(made, plan, material, tmp_path, number):
    """It stalls in the fourth scene, with its files half written; the signal comes then."""
    script = tmp_path / "stall.py"
    script.write_text(
        "import pickle, sys, time\n"
        "from dss_cli.__main__ import main\n"
        "from dss_cli.simulation.testset import folder\n"
        "import dss_cli.simulation.testset.plan as plans\n"
        "write, calls = folder._write_flac, []\n"
        "def stall(path, samples):\n"
        "    calls.append(path)\n"
        "    if len(calls) == 14:\n"
        "        path.write_bytes(b'half')\n"
        "        print('stalled', file=sys.stderr, flush=True)\n"
        "        time.sleep(60)\n"
        "    write(path, samples)\n"
        "folder._write_flac = stall\n"
        f"plan = pickle.loads({__import__('pickle').dumps(plan)!r})\n"
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
    assert len([name for name in left if name.startswith(".scenes/indoor") or "outdoor" in name]) > 0
    assert len(list((path / ".scenes").glob("*-*.json"))) == 3
    if number == signal.SIGINT:
        assert status == 130
        assert err == ["dss: error: interrupted; nothing half-written is left"]
        assert not [name for name in left if name.endswith(".part")]
    build(path, plan)
    assert contents(path) == contents(made)


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
    plan, _ = draw_up(
        material / "speech", name="patterson", seconds=1.0, count=1, threshold=2.0
    )
    plan = replace(plan, strata=(replace(plan.strata[0], environment="outdoor"),))
    build(tmp_path / "set", plan)
    for record in records(tmp_path / "set"):
        assert sum(one["role"] == "far" for one in record["talkers"]) == 4
        for one in record["talkers"]:
            assert (one["distance_m"] < 2.0) == (one["role"] == "near")


# Measured rooms.


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    """Room A: near, far at two microphones, calibrated; B: near alone; C: far alone."""
    folder = tmp_path_factory.mktemp("rirs")
    lines = ["path,room,distance_m,calib_gain_db"]
    for name, room, distance, gain in (
        ("A_near_ch1", "A", 0.5, 0.0),
        ("A_far_ch1", "A", 2.0, -12.0),
        ("A_near_ch2", "A", 0.5, 0.0),
        ("A_far_ch2", "A", 2.0, -12.0),
        ("B_ch1", "B", 0.5, 0.0),
        ("C_ch1", "C", 2.0, 0.0),
    ):
        response = np.zeros((8000, 1), np.float32)
        time = np.arange(6000) / 16_000
        response[2000:, 0] = 0.05 * synth.noise(6000, seed=len(lines))[:, 0] * 10 ** (-3 * time / 0.3)
        response[2000] = 0.5  # each file at full scale: the calibration says what it was
        synth.write(folder / f"{name}.wav", response, subtype="FLOAT")
        lines.append(f"{name}.wav,{room},{distance},{gain}")
    (folder / "MANIFEST.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_measured_rooms_hold_near_and_far_of_one_microphone(material, rooms, tmp_path):
    plan, notes = draw_up(material / "speech", rirs=rooms, name="standard", seconds=1.0, count=2)
    assert any("1N+2F" in note for note in notes)
    assert {stratum.environment for stratum in plan.strata} == {"measured"}
    build(tmp_path / "set", plan)
    for record in records(tmp_path / "set"):
        assert record["room"] == "A"
        files = {one["response_file"] for one in record["talkers"]}
        assert all(f"ch{record['microphone']}." in name for name in files)
        for one in record["talkers"]:
            assert one["distance_m"] == (0.5 if one["role"] == "near" else 2.0)
    index = json.loads((tmp_path / "set" / "test-set.json").read_text())
    assert index["rirs"] == rooms.name


def test_calibrated_levels_are_those_of_the_room(rooms):
    from dss_cli.simulation.measured import load_rooms

    near, far, _ = load_rooms(rooms).draw(np.random.default_rng(0), 1, 1)
    levels = [np.abs(side[0].samples).max() for side in (near, far)]
    assert levels[0] * 0.5 == pytest.approx(1, rel=0.05)  # 1 / r, as simulated ones have it
    assert 20 * np.log10(levels[0] / levels[1]) == pytest.approx(12, abs=0.01)


# What is refused.


def refused(dss, *arguments):
    status, out, err = dss("simulate-test-set", *arguments)
    assert status in (1, 2)
    assert out == ""
    errors = [line for line in err if line.startswith("dss: error: ")]
    assert len(errors) == 1
    assert all(line.startswith("dss: ") for line in err)
    return status, errors[0]


def test_speech_is_needed(dss, tmp_path):
    status, error = refused(dss, tmp_path / "set")
    assert status == 2
    assert "--speech" in error
    assert list(tmp_path.iterdir()) == []


def test_folders_that_hold_nothing(dss, tmp_path, material):
    (tmp_path / "empty").mkdir()
    assert "no such folder" in refused(dss, tmp_path / "set", "--speech", tmp_path / "no")[1]
    assert "no audio files" in refused(dss, tmp_path / "set", "--speech", tmp_path / "empty")[1]
    speech = ["--speech", material / "speech"]
    assert "no MANIFEST.csv" in refused(dss, tmp_path / "set", *speech, "--rirs", tmp_path / "empty")[1]
    assert refused(dss, tmp_path / "set", *speech, "--preset", "noise")[0] == 2
    assert not (tmp_path / "set").exists()


def test_damaged_material(dss, tmp_path):
    speech = tmp_path / "speech"
    (speech / "a").mkdir(parents=True)
    (speech / "a" / "broken.wav").write_bytes(b"RIFF nonsense")
    assert "broken.wav" in refused(dss, tmp_path / "set", "--speech", speech)[1]
    synth.write(speech / "a" / "broken.wav", np.zeros((1600, 1), np.float32))
    assert "silent" in refused(dss, tmp_path / "set", "--speech", speech)[1]
    (speech / "MANIFEST.csv").write_text("path,who\na/broken.wav,x\n")
    assert "speaker" in refused(dss, tmp_path / "set", "--speech", speech)[1]
    (speech / "MANIFEST.csv").write_text("path,speaker,split\na/broken.wav,x,train\n")
    assert "'dev'" in refused(dss, tmp_path / "set", "--speech", speech, "--split", "dev")[1]
    assert not (tmp_path / "set").exists()


def test_a_damaged_line_of_measured_rooms_is_named(material, rooms, tmp_path):
    (tmp_path / "MANIFEST.csv").write_text("path,room,distance_m\na.wav,A,near\n")
    with pytest.raises(DssError, match="line 2"):
        draw_up(material / "speech", rirs=tmp_path)
    with pytest.raises(UsageError, match="--threshold"):
        draw_up(material / "speech", rirs=rooms, threshold=1.5)


def test_other_peoples_folders_are_left_alone(dss, tmp_path, material, made, plan):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    status, error = refused(dss, tmp_path / "mine", "--speech", material / "speech")
    assert status == 2
    assert "no test set" in error
    assert contents(tmp_path / "mine") == {"notes.txt": b"mine"}
    before = contents(made)
    with pytest.raises(UsageError, match=r"seed differs \(0, not 4\)"):
        build(made, replace(plan, seed=4))
    with pytest.raises(UsageError, match="strata differs"):
        build(made, replace(plan, count=3))
    assert contents(made) == before


def test_what_was_changed_or_left_out_is_said(dss, tmp_path):
    speech = tmp_path / "speech"
    for seed, (rate, channels) in enumerate([(16_000, 1), (44_100, 1), (16_000, 2)]):
        (speech / f"t{seed}").mkdir(parents=True)
        samples = np.repeat(talker(seed, 1.0, rate), channels, axis=1)
        synth.write(speech / f"t{seed}" / "a.wav", samples, rate)
    synth.write(speech / "t0" / "silent.wav", np.zeros((800, 1), np.float32))
    for again in (1, 2):  # the second time from the cache
        status, out, err = dss(
            "simulate-test-set", tmp_path / f"set{again}", "--speech", speech, "--preset", "patterson",
            "--preset", "first", "--count", "1", "--seconds", "1", "--json", "--jobs", "1",
        )  # fmt: skip
        assert status == 0
        report = json.loads(out)
        assert report["warnings"] == [
            f"{speech}: 1 of 4 files not at 16 kHz: resampled",
            f"{speech}: 1 of 4 files of several channels: the first is used",
            f"{speech}: 1 of 4 files silent: left out",
            "without --noise every scene is clean but for the microphone's own noise",
        ]
        assert err == [f"dss: warning: {line}" for line in report["warnings"]]
        assert report["scenes"] == len(report["strata"]) == 4
    status, out, err = dss(
        "simulate-test-set", tmp_path / "five", "--speech", speech, "--preset", "patterson"
    )
    assert status == 2
    assert "3 talkers are too few" in err[-1]


def test_changed_material_is_read_again(tmp_path):
    from dss_cli.simulation.material import load_speech

    path = tmp_path / "speech" / "a" / "a.wav"
    path.parent.mkdir(parents=True)
    synth.write(path, talker(0, 1.0))
    first = load_speech(tmp_path / "speech")
    synth.write(path, talker(1, 1.0))
    os.utime(path, ns=(time.time_ns(), time.time_ns() + 10**9))
    assert not np.array_equal(first.samples, load_speech(tmp_path / "speech").samples)


def test_paths_in_records_are_the_materials_own(made, material):
    text = (made / "metadata.jsonl").read_text() + (made / "test-set.json").read_text()
    assert str(material) not in text
    assert str(Path.home()) not in text
