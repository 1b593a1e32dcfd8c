"""Test sets with options for strata, rate and format: results and refusals."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf

from tests.helpers import tiny
from tests.helpers.testsets import contents, records

pytest.importorskip("pyroomacoustics")

from dss_cli.distances import UR0
from dss_cli.errors import UsageError
from dss_cli.evaluation.testset import read_test_set
from dss_cli.simulation.mixing import render
from dss_cli.simulation.recipe import KINDS
from dss_cli.testset.build import build_test_set
from dss_cli.testset.plan import draw_up
from dss_cli.testset.render import FULL_SCALE, PEAK, make_scene
from dss_cli.testset.strata import PRESETS, Cells, Stratum, preset

PARTS = ("mixture", "near", "far", "noise")
CELLS = Cells(("1N+1F",), ("outdoor",), ("10",))


@pytest.fixture(scope="module")
def sounds(material):
    return material / "speech", material / "noise"


@pytest.fixture(scope="module")
def sets(sounds, tmp_path_factory):
    """Make the same two scenes once per rate and format."""
    made = {}

    def make(rate=16_000, format="flac"):
        if (rate, format) not in made:
            options = {"seconds": 1.0, "count": 2, "noise_stems": True}
            plan, _ = draw_up(*sounds, cells=CELLS, rate=rate, format=format, **options)
            path = tmp_path_factory.mktemp("options") / "set"
            build_test_set(path, plan)
            made[rate, format] = path
        return made[rate, format]

    return make


def samples(path, record):
    """Return the parts of a scene as integers of 24 bits, and their rate."""
    read = {part: sf.read(path / record[part], dtype="float64") for part in PARTS}
    (rate,) = {rate for _, rate in read.values()}
    scaled = {part: data * FULL_SCALE for part, (data, _) in read.items()}
    for part in PARTS:
        np.testing.assert_array_equal(scaled[part], np.round(scaled[part]))
    return {part: data.astype(np.int64) for part, data in scaled.items()}, rate


# Strata.


def test_strata_are_the_product_of_what_is_listed():
    cells = Cells(
        ("1n+2f", "far-only"), ("indoor", "outdoor"), ("clean", "-5", "12.5"), (0.4, 0.6), ("Wind", "rain")
    )
    expected = {
        Stratum(kind, environment, snr, (0.4, 0.6), category=category)
        for kind in ("1N+2F", "far-only")
        for environment in ("indoor", "outdoor")
        for snr, categories in ((None, (None,)), (-5.0, ("wind", "rain")), (12.5, ("wind", "rain")))
        for category in categories
    }
    assert set(cells.strata()) == expected
    assert len(cells.strata()) == len(expected) == 2 * 2 * 5


def test_what_is_asked_twice_is_made_once():
    twice = Cells(("turns", "TURNS"), (), ("0", "-0", "0.0"))
    assert twice.strata() == Cells(("turns",), (), ("0",)).strata()
    assert {stratum.name for stratum in twice.strata()} == {
        "indoor-turns-snr0-n02-08",
        "outdoor-turns-snr0-n02-08",
    }


def test_what_is_not_given_is_as_in_quick():
    assert Cells().strata() == preset("quick")[0]
    assert set(Cells(environments=("indoor",)).strata()) < set(preset("quick")[0])


def words(stratum):
    """Return the options for one stratum."""
    return Cells(
        (stratum.kind,),
        (stratum.environment,),
        ("clean" if stratum.snr_db is None else str(stratum.snr_db),),
        stratum.near_band,
        (stratum.category,) if stratum.category else (),
        stratum.seconds,
    )


@pytest.mark.parametrize("name", PRESETS)
def test_options_reach_every_stratum_of_a_preset_under_its_name(name):
    for stratum in preset(name)[0]:
        if stratum.facade or stratum.company:  # only presets have these
            continue
        threshold = 1.5 if name == "patterson" else None
        (asked,) = words(stratum).strata(threshold)
        if threshold is not None:
            asked = asked.split_at(threshold, stratum.near)
        assert asked.name == stratum.name
        assert (asked.near_band, asked.beyond) == (stratum.near_band, stratum.beyond)


@pytest.mark.parametrize("name", ["standard", "quick"])
def test_a_scene_is_the_same_by_options_and_by_preset(sounds, tmp_path, name):
    common = {"seconds": 1.0, "count": 1, "seed": 3}
    whole, _ = draw_up(*sounds, name=name, **common)
    stratum = next(s for s in whole.strata if (s.kind, s.environment, s.snr_db) == ("turns", "outdoor", 20))
    build_test_set(tmp_path / "preset", replace(whole, strata=(stratum,)))
    plan, _ = draw_up(*sounds, cells=words(stratum), **common)
    build_test_set(tmp_path / "options", plan)
    ours, theirs = contents(tmp_path / "options"), contents(tmp_path / "preset")
    assert sorted(ours) == sorted(theirs)
    assert {key for key in ours if ours[key] != theirs[key]} == {"test-set.json", "README.md"}
    index, other = json.loads(ours["test-set.json"]), json.loads(theirs["test-set.json"])
    assert (index.pop("preset"), other.pop("preset")) == ("custom", name)
    assert index == other


def test_a_threshold_leaves_a_near_band_as_asked(sounds):
    cells = Cells(("1N+1F",), ("indoor",), near=(0.5, 1.0))
    plan, _ = draw_up(*sounds, cells=cells, threshold=1.5)
    assert [(s.near, s.beyond) for s in plan.strata] == [((0.5, 1.0), 1.5)]
    assert plan.strata[0].name == "indoor-1n1f-snr20-n05-10-f15"


def test_the_command_line(dss, sounds, tmp_path):
    speech, noise = sounds
    status, out, err = dss(
        "simulate-test-set", tmp_path / "set", "--speech", speech, "--noise", noise, "--jobs", 1, "--json",
        "--kind", "near-only", "--kind", "far-only", "--environment", "outdoor", "--near", UR0[0], UR0[1],
        "--snr", "-5", "--snr", "clean", "--category", "rain", "--count", 1, "--seconds", 1,
        "--rate", 24_000, "--format", "wav",
    )  # fmt: skip
    assert (status, err) == (0, [])
    index = json.loads(out)
    assert index["preset"] == "custom"
    assert list(index["strata"]) == [
        "outdoor-near-only-snr-5-n05-08-rain",
        "outdoor-near-only-clean-n05-08",
        "outdoor-far-only-snr-5-rain",
        "outdoor-far-only-clean",
    ]
    assert (index["rate"], index["format"], index["band_hz"]) == (24_000, "wav", 8000)
    lines = records(tmp_path / "set")
    assert [line["ur0"] for line in lines] == [True, True, False, False]
    assert [line["noise_category"] for line in lines] == ["rain", None, "rain", None]
    assert UR0[0] <= lines[0]["talkers"][0]["distance_m"] <= UR0[1]


def test_the_help_names_every_kind(dss):
    _, out, _ = dss("simulate-test-set", "--help")
    text = " ".join(out.split())
    assert f"{', '.join(KINDS)};" in text
    assert f"{UR0[0]:g} {UR0[1]:g} is UR-0" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kind", "2N"], "--kind 2N: unknown; there are near-only, far-only, 1N+1F, 1N+2F, 1N+4F, turns"),
        (["--environment", "sea"], "--environment sea: unknown; there are indoor, outdoor"),
        (["--snr", "loud"], "--snr loud: dB from -60 to 60, or clean"),
        (["--snr", "nan"], "--snr nan: dB"),
        (["--snr", "61"], "--snr 61: dB"),
        (["--near", "0.6", "0.4"], "--near 0.6 0.4: LOW HIGH in metres"),
        (["--near", "0", "0.4"], "--near 0 0.4: LOW HIGH in metres"),
        (["--near", "nan", "0.4"], "--near nan 0.4: LOW HIGH in metres"),
        (["--near", "0.4", "0.9"], "--near 0.4 0.9: near ends at 0.8 m"),
        (["--near", "1", "1.3", "--kind", "near-only"], "--near 1 1.3: far begins at 1.2 m"),
        (["--near", "1", "1.6", "--threshold", "1.5"], "--near 1 1.6: beyond --threshold 1.5"),
        (["--near", "0.4", "0.5", "--kind", "far-only"], "there is no near talker in far-only"),
        (["--category", "traffic_street"], "--category traffic_street: one word"),
        (["--category", "../rain"], "--category ../rain: one word"),
        (["--category", "rain", "--snr", "clean"], "--category rain: without effect"),
        (["--category", "rain"], "--category: categories of noise need --noise"),
        (["--kind", "turns", "--preset", "standard"], "--kind and --preset standard: "),
        (["--near", "0.5", "0.8", "--preset", "ur0"], "--near and --preset ur0: "),
        (["--rate", "7999"], "'--rate': "),
        (["--format", "mp3"], "'--format': "),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line(dss, sounds, tmp_path, arguments, said):
    status, out, err = dss("simulate-test-set", tmp_path / "set", "--speech", sounds[0], *arguments)
    assert (status, out) == (2, "")
    (line,) = err
    assert line.startswith("dss: error: ")
    assert said in line
    assert list(tmp_path.iterdir()) == []


def test_measured_rooms_refuse_places(sounds, rooms):
    for cells in (Cells(environments=("indoor",)), Cells(near=(0.4, 0.6))):
        with pytest.raises(UsageError, match="and --rirs: the distances of measured rooms"):
            draw_up(*sounds, rooms, cells=cells)
    plan, _ = draw_up(*sounds, rooms, cells=Cells(("1N+1F",), snrs=("clean", "0")))
    assert [s.name for s in plan.strata] == ["measured-1n1f-clean-n02-08", "measured-1n1f-snr0-n02-08"]


def test_near_only_may_stand_in_the_guard_band(sounds):
    for far_too in ((), ("far-only",)):
        plan, _ = draw_up(*sounds, cells=Cells(("near-only", *far_too), ("indoor",), near=(1.2, 1.2)))
        assert plan.strata[0].name == "indoor-near-only-snr20-n12"


# Rate and format.


@pytest.mark.parametrize("format", ["flac", "wav"])
@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_the_parts_add_up_at_every_rate_in_every_format(sets, rate, format):
    path = sets(rate, format)
    for record in records(path):
        parts, actual = samples(path, record)
        np.testing.assert_array_equal(parts["mixture"], parts["near"] + parts["far"] + parts["noise"])
        assert actual == rate
        assert {len(data) for data in parts.values()} == {record["samples"]} == {rate}
        assert all(np.any(data) for data in parts.values())
        assert np.abs(parts["mixture"]).max() < FULL_SCALE
        assert all(record[part] == f"{part}/{record['id']}.{format}" for part in PARTS)
        info = sf.info(path / record["near"])
        assert (info.format, info.subtype) == {"flac": ("FLAC", "PCM_24"), "wav": ("WAV", "FLOAT")}[format]


def test_float_files_hold_the_same_values(sets):
    for one, other in zip(records(sets(16_000, "flac")), records(sets(16_000, "wav")), strict=True):
        assert {**one, **dict.fromkeys(PARTS)} == {**other, **dict.fromkeys(PARTS)}
        ours, theirs = samples(sets(16_000, "flac"), one)[0], samples(sets(16_000, "wav"), other)[0]
        for part in PARTS:
            np.testing.assert_array_equal(ours[part], theirs[part])


def test_a_rate_changes_nothing_but_the_rate(sets):
    for one, other in zip(records(sets(16_000)), records(sets(44_100)), strict=True):
        drawn = {"samples", "gain_db"}  # a peak between samples may lower the gain
        assert {k: v for k, v in one.items() if k not in drawn} == {
            k: v for k, v in other.items() if k not in drawn
        }
        ours, theirs = samples(sets(16_000), one)[0], samples(sets(44_100), other)[0]
        gain = 10 ** ((other["gain_db"] - one["gain_db"]) / 20)
        for part in PARTS:
            high = np.fft.rfft(theirs[part] * np.hanning(44_100)) / 44_100
            low = np.fft.rfft(ours[part] * np.hanning(16_000)) / 16_000 * gain
            error = np.abs(high - np.pad(low, (0, len(high) - len(low))))  # 1 Hz a bin
            assert np.sum(error[:7000] ** 2) < 1e-6 * np.sum(np.abs(low[:7000]) ** 2)
            assert np.sum(np.abs(high[8200:]) ** 2) < 1e-8 * np.sum(np.abs(high) ** 2)


def test_a_resampled_scene_does_not_clip(sounds, monkeypatch):
    """A scene that fills the range at 16 kHz has higher peaks between its samples."""
    plan, _ = draw_up(*sounds, cells=CELLS, seconds=1.0)
    tone = (0.998 * np.sqrt(2) * np.sin(2 * np.pi * (np.arange(16_000) + 0.5) / 4)).astype(np.float32)
    assert np.abs(tone).max() < PEAK

    def loud(*arguments):
        return replace(render(*arguments), mixture=tone, near=tone, far=0 * tone, noise=0 * tone)

    monkeypatch.setattr("dss_cli.testset.render.render", loud)
    scene = make_scene(plan.ingredients(), plan.strata[0], 0, 0, 1.0, 48_000)
    assert np.abs(scene.near).max() == pytest.approx(PEAK * FULL_SCALE, abs=1)
    np.testing.assert_array_equal(scene.near, scene.mixture)
    assert not np.any(scene.far)


def test_the_time_of_day_does_not_change_float_files(sets, sounds, tmp_path):
    path = sets(44_100, "wav")
    plan, _ = draw_up(*sounds, cells=CELLS, rate=44_100, format="wav", seconds=1.0, count=2, noise_stems=True)
    time.sleep(1.1)  # a header with a time stamp would differ
    build_test_set(tmp_path / "set", plan)
    assert contents(tmp_path / "set") == contents(path)


def test_the_card_tells_rate_band_and_format(sets):
    cards = {key: (sets(*key) / "README.md").read_text() for key in ((8000, "flac"), (44_100, "wav"))}
    assert "at 44100 Hz, mono, 32-bit float WAV |" in cards[44_100, "wav"]
    assert "| band | up to 8 kHz: rendered at 16000 Hz, resampled to 44100 Hz |" in cards[44_100, "wav"]
    assert "`mixture/ID.wav`, `near/ID.wav`, `far/ID.wav`, `noise/ID.wav`;" in cards[44_100, "wav"]
    assert ".flac" not in cards[44_100, "wav"]
    assert "at 8000 Hz, mono, 24-bit FLAC |" in cards[8000, "flac"]
    assert "| band | up to 4 kHz: rendered at 16000 Hz, resampled to 8000 Hz; " in cards[8000, "flac"]
    assert "| band | up to 8 kHz |" in (sets() / "README.md").read_text()


def test_other_options_want_another_folder(sets, sounds):
    path = sets()
    before = contents(path)
    plan, _ = draw_up(*sounds, cells=CELLS, seconds=1.0, count=2, noise_stems=True)
    assert build_test_set(path, plan) == json.loads(before["test-set.json"])
    for change, said in (
        ({"rate": 48_000}, r"a different rate \(16000, not 48000\)"),
        ({"format": "wav"}, r"a different format \(flac, not wav\)"),
        ({"strata": tuple(Cells(("turns",)).strata())}, "a different strata"),
    ):
        with pytest.raises(UsageError, match=said):
            build_test_set(path, replace(plan, **change))
    assert contents(path) == before


@pytest.mark.parametrize(
    ("rate", "format"), [(16_000, "wav"), (44_100, "flac"), (44_100, "wav"), (8000, "wav")]
)
def test_evaluate_scores_at_the_sets_own_rate(sets, dss, tmp_path, rate, format):
    path = sets(rate, format)
    assert read_test_set(path).rate == rate
    tiny.write(tmp_path)
    status, out, err = dss(
        "evaluate", path, "--model", tmp_path / "tiny.tflite", "--delegate", "cpu", "--json"
    )
    assert (status, err) == (0, [])
    (run,) = json.loads(out)["runs"]
    assert run["test_set"]["rate"] == rate
    for row in run["scenes"]:  # half the mixture and minus a quarter of it give no change in SI-SDR
        assert row["near_si_sdri"] == pytest.approx(0, abs=0.5)
        assert row["far_si_sdri"] == pytest.approx(0, abs=0.5)
