"""Scores of scenes, their statistics, and the test set they come from."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.errors import DssError
from dss_cli.evaluation.cards import entry_name
from dss_cli.evaluation.run import evaluate
from dss_cli.evaluation.scoring import FIGURES, score
from dss_cli.evaluation.statistics import by_stratum, leakage_curve, strata, summarise
from dss_cli.evaluation.systems import StemsFolder
from dss_cli.evaluation.testset import ScoredScene, read_test_set
from dss_cli.metrics import attenuation, si_sdr, si_sdr_improvement
from tests.helpers import scenesets
from tests.helpers.synth import noise, write

RATE = 16_000
SILENT = np.zeros(2000, np.float32)


def tracks(count, frames=2000):
    return [noise(frames, seed=seed)[:, 0] for seed in range(count)]


def scene(kind="1N+1F", **changes):
    given = {"id": "s", "stratum": "x", "environment": "indoor", "snr_db": None, "ur0": False}
    given |= {"near_m": 0.4, "far_m": 2.0, "files": {"mixture": Path("mixture/s.flac")}}
    return ScoredScene(kind=kind, **(given | changes))


def row(**changes):
    return score(scene(), *_pair(), RATE) | changes


def _pair():
    near, far = tracks(2)
    return near + far, {"near": near, "far": far}, {"near": near, "far": far}


# One scene.


def test_both_talkers_are_scored_by_si_sdr_and_by_nothing_else():
    near, far, error = tracks(3)
    mixture, outputs = near + far, {"near": near + 0.1 * error, "far": far + 0.3 * near}
    made = score(scene(), mixture, {"near": near, "far": far}, outputs, RATE)
    assert made["near_si_sdr"] == pytest.approx(si_sdr(outputs["near"], near), abs=1e-4)
    assert made["near_si_sdri"] == pytest.approx(si_sdr_improvement(outputs["near"], near, mixture), abs=2e-4)
    assert made["far_si_sdri"] == pytest.approx(si_sdr_improvement(outputs["far"], far, mixture), abs=2e-4)
    for figure in (
        "near_attenuation",
        "near_residual",
        "far_attenuation",
        "far_residual",
        "leakage",
        "swapped",
    ):
        assert made[figure] is None


@given(level=st.floats(0, 1e-5), dither=st.booleans())
def test_a_silent_reference_never_has_an_si_sdr(level, dither):
    near, other = tracks(2)
    silent = SILENT + np.float32(2**-15) * np.sign(other) if dither else SILENT
    made = score(
        scene("near-only"),
        near + 0.01 * other,
        {"near": near, "far": silent},
        {"near": near, "far": (level * other).astype(np.float32)},
        RATE,
    )
    assert made["far_si_sdr"] is None and made["far_si_sdri"] is None
    assert made["far_attenuation"] is not None and made["near_si_sdr"] is not None


def test_a_silent_output_is_scored_against_mixture_and_noise():
    near, other = tracks(2)
    mixture = near + 0.1 * other
    references, outputs = {"near": near, "far": SILENT}, {"near": near, "far": 0.2 * other}
    made = score(scene("near-only"), mixture, references, outputs, RATE)
    assert made["far_attenuation"] == pytest.approx(attenuation(mixture, 0.2 * other), abs=1e-3)
    assert made["far_residual"] == pytest.approx(6.0206, abs=1e-3)  # twice the scene's noise
    outputs["far"] = SILENT
    made = score(scene("near-only"), mixture, references, outputs, RATE)
    level = 10 * np.log10(np.mean((0.1 * other.astype(np.float64)) ** 2))
    assert made["far_residual"] == pytest.approx(-10 * np.log10(12 * 4.0**15) - level, abs=1e-3)


@pytest.mark.parametrize("kind", ["near-only", "far-only"])
@pytest.mark.parametrize(("share", "swapped"), [(0.3, False), (0.9, True)])
def test_a_lone_talker_is_swapped_by_energy(kind, share, swapped):
    (talker,) = tracks(1)
    right, wrong = kind.split("-")[0], {"near": "far", "far": "near"}[kind.split("-")[0]]
    outputs = {right: np.sqrt(1 - share) * talker, wrong: np.sqrt(share) * talker}
    made = score(scene(kind), 1.01 * talker, {right: talker, wrong: SILENT}, outputs, RATE)
    assert made["leakage"] == pytest.approx(share, abs=1e-4)
    assert made["swapped"] is swapped


@pytest.mark.parametrize(("decibels", "improvable"), [(35.0, True), (45.0, False), (None, False)])
def test_a_mixture_as_good_as_the_reference_cannot_be_improved(decibels, improvable):
    near, other = tracks(2)
    mixture = near if decibels is None else near + np.float32(10 ** (-decibels / 20)) * other
    references, outputs = {"near": near, "far": SILENT}, {"near": 0.5 * near, "far": SILENT}
    made = score(scene("near-only"), mixture, references, outputs, RATE)
    assert made["near_si_sdr"] == 80.0
    assert (made["near_si_sdri"] is not None) == improvable


def test_a_silent_mixture_is_an_error():
    with pytest.raises(DssError, match=r"mixture/s\.flac: silent"):
        score(scene(), SILENT, *[{"near": SILENT, "far": SILENT}] * 2, RATE)


# Many scenes.


@given(st.lists(st.floats(-80, 80), min_size=2, max_size=40), st.booleans())
def test_a_summary_holds_the_median_within_its_interval(values, high_is_worse):
    summary = summarise(values, high_is_worse)
    assert summary["count"] == len(values)
    assert summary["median"] == pytest.approx(np.median(values), abs=1e-4)
    assert min(values) - 1e-4 <= summary["low"] <= summary["high"] <= max(values) + 1e-4
    if high_is_worse:
        assert summary["p90"] >= summary["median"]
    else:
        assert summary["p10"] <= summary["median"]
    assert summary == summarise(values, high_is_worse)


def test_the_interval_covers_the_true_median_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        summary = summarise(rng.standard_normal(30))
        hits += summary["low"] <= 0 <= summary["high"]
    assert 0.88 <= hits / 200 <= 0.99


def test_one_value_has_no_interval():
    assert summarise([3.0]) == {"count": 1, "median": 3.0, "low": None, "high": None, "p10": 3.0}


def test_the_boundary_band_has_rows_of_its_own():
    rows = [row(stratum="a"), row(stratum="a", ur0=True), row(stratum="b", ur0=True)]
    assert {name: len(members) for name, members in by_stratum(rows).items()} == {"a": 1, "a UR-0": 1, "b": 1}
    assert [summary["ur0"] for summary in strata(rows).values()] == [False, True, True]


def test_conversations_without_a_role_have_rows_of_their_own():
    rows = [row(), row(near_m=None), row(far_m=None), row(stratum="b", near_m=None)]
    assert list(by_stratum(rows)) == ["x", "x nobody near", "x nobody far", "b"]


def test_a_stratum_counts_only_scenes_that_have_the_figure():
    rows = [row(near_si_sdri=5.0), row(near_si_sdri=None), row(near_si_sdri=7.0, snr_db=20.0)]
    (summary,) = strata(rows).values()
    assert summary["scenes"] == 3
    assert summary["near_si_sdri"]["count"] == 2
    assert summary["near_si_sdri"]["median"] == 6.0
    assert summary["snr_db"] is None and summary["kind"] == "1N+1F"
    assert "far_attenuation" not in summary and "swap_rate" not in summary


def test_the_swap_rate_is_a_share_of_lone_talkers():
    rows = [row(swapped=swapped, leakage=0.5) for swapped in (True, False, False, False)]
    (summary,) = strata(rows).values()
    assert summary["swap_rate"] == {"count": 4, "rate": 0.25}


def test_the_leakage_curve_is_of_near_only_scenes_by_environment_and_distance():
    def alone(where, distance, share):
        return row(kind="near-only", environment=where, near_m=distance, leakage=share)

    rows = [alone("indoor", 0.31, 0.1), alone("indoor", 0.29, 0.3), alone("outdoor", 1.2, 0.9)]
    rows += [row(kind="far-only", leakage=1.0), row(kind="near-only", near_m=None, leakage=1.0), row()]
    points = [(p["environment"], p["distance_m"], p["count"], p["median"]) for p in leakage_curve(rows)]
    assert points == [("indoor", 0.3, 2, 0.2), ("outdoor", 1.2, 1, 0.9)]


# The test set, and stems of any tool.


@pytest.fixture
def folder(tmp_path):
    lines = [
        scenesets.scene("a"),
        scenesets.scene("b", "near-only", ur0=True),
        scenesets.scene("c", "far-only"),
    ]
    return scenesets.write(tmp_path / "set", lines)


@pytest.fixture
def perfect(folder):
    """Folder of stems that equal the references."""
    for part in ("near", "far"):
        (folder.parent / "stems" / part).mkdir(parents=True)
        for path in (folder / part).iterdir():
            (folder.parent / "stems" / part / path.name).write_bytes(path.read_bytes())
    return folder.parent / "stems"


def run(folder, stems):
    (only,) = evaluate([read_test_set(folder)], [StemsFolder(stems)])["runs"]
    return only


def test_the_references_themselves_score_as_well_as_can_be(folder, perfect):
    made = run(folder, perfect)
    assert [r["id"] for r in made["scenes"]] == ["a", "b", "c"]
    a, b, c = made["scenes"]
    assert a["near_si_sdr"] == a["far_si_sdr"] == 80.0
    assert a["near_si_sdri"] > 70
    assert b["far_attenuation"] == c["near_attenuation"] == 80.0
    assert b["swapped"] is False and c["swapped"] is False
    assert b["near_m"] == 0.4 and b["far_m"] is None and b["ur0"] is True
    assert set(made["strata"]) == {"indoor-1N+1F", "indoor-near-only", "indoor-far-only"}
    json.dumps(made, allow_nan=False)


def test_swapped_stems_are_found_out(folder, perfect):
    (perfect / "near").rename(perfect / "x")
    (perfect / "far").rename(perfect / "near")
    (perfect / "x").rename(perfect / "far")
    a, b, c = run(folder, perfect)["scenes"]
    assert b["swapped"] is True and c["swapped"] is True
    assert a["near_si_sdr"] < -20


def test_stems_may_lie_as_separate_leaves_them(folder, perfect):
    expected = run(folder, perfect)["scenes"]
    for part in ("near", "far"):
        for path in list((perfect / part).iterdir()):
            samples, rate = sf.read(path)
            sf.write(perfect / f"{path.stem}.{part}.wav", samples, rate, subtype="PCM_16")
            path.unlink()
    assert run(folder, perfect)["scenes"] == expected


def test_stems_that_do_not_fit_are_named(folder, perfect):
    stem = perfect / "far" / "b.flac"
    samples, rate = sf.read(stem)
    cases = [
        (samples[:-1], rate, "3999 frames where its mixture has 4000"),
        (samples, 8000, "8000 Hz where the test set has 16000 Hz"),
        (np.stack([samples, samples], 1), rate, "2 channels"),
    ]
    for wrong, wrong_rate, message in cases:
        sf.write(stem, wrong, wrong_rate)
        with pytest.raises(DssError, match=re.escape(str(stem)) + ": " + message):
            run(folder, perfect)
    stem.unlink()
    with pytest.raises(DssError, match=r"far/b\.\*: missing"):
        run(folder, perfect)
    write(perfect / "near" / "a.wav", noise(4000))
    with pytest.raises(DssError, match=r"near/a\.wav exists too"):
        run(folder, perfect)


def test_what_is_no_complete_test_set_is_refused(folder):
    header, lines = folder / "test-set.json", folder / "metadata.jsonl"
    good_header, good_lines = header.read_text(), lines.read_text()
    first, rest = good_lines.split("\n", 1)

    def refused(message, file=header, text=None, line=None):
        header.write_text(good_header)
        lines.write_text(good_lines)
        if text is not None:
            file.write_text(text)
        if line is not None:
            lines.write_text(f"{line}\n{rest}")
        with pytest.raises(DssError, match=message):
            read_test_set(folder)

    refused(r"test-set\.json: schema 2 is not 1", text=good_header.replace('"schema": 1', '"schema": 2'))
    refused("not complete", text=good_header.replace("true", "false"))
    refused(r"test-set\.json: damaged", text=good_header[:-5])
    refused("rate None", text=good_header.replace('"rate": 16000', '"rate": null'))
    refused("4 scenes where", lines, text=good_lines + good_lines.split("\n")[0].replace('"a"', '"d"') + "\n")
    refused(r"metadata\.jsonl: line 1: damaged", line=first[:-7])
    refused("line 1: damaged: not a JSON object", line="[]")
    refused("line 1: no 'stratum'", line=first.replace('"stratum"', '"layer"'))
    refused("line 1: id '../a' is not a file name", line=first.replace('"id": "a"', '"id": "../a"'))
    for odd in ("../near/a.flac", "/etc/passwd", "near/../../a.flac", "", "a\\\\b.flac"):
        wrong = first.replace('"near/a.flac"', f'"{odd}"')
        assert wrong != first
        refused("line 1: near .* is not a path inside the test set's folder", line=wrong)
    refused("line 2: scene 'a' a second time", lines, text=good_lines.replace('"id": "b"', '"id": "a"'))
    refused("no scene in it", lines, text="")
    (folder / "near" / "b.flac").unlink()
    refused(r"near/b\.flac: missing")
    header.unlink()
    with pytest.raises(DssError, match=r"test-set\.json: No such file.*simulate-test-set"):
        read_test_set(folder)


def test_a_reference_of_another_length_is_named(folder, perfect):
    write(folder / "near" / "a.flac", noise(3990))
    with pytest.raises(DssError, match=r"near/a\.flac: 3990 frames where its mixture has 4000"):
        run(folder, perfect)


def test_every_figure_is_in_every_row(folder, perfect):
    rows = run(folder, perfect)["scenes"]
    for one, other in pairwise(rows):
        assert list(one) == list(other)
    assert set(FIGURES) < set(rows[0])


# Cards.


@pytest.mark.parametrize(
    ("preset", "rirs", "protocol", "expected"),
    [
        ("quick", None, 1, "quick, seed 3"),
        ("quick", None, 2, "quick, protocol 2, seed 3"),
        ("quick", "rooms", 2, "quick in measured rooms, seed 3"),
        ("custom", None, 1, "mine, seed 3"),
    ],
)
def test_test_sets_of_other_scenes_have_other_entries_in_a_card(preset, rirs, protocol, expected):
    about = {"name": "mine", "preset": preset, "seed": 3, "rirs": rirs, "protocol": protocol}
    assert entry_name(about) == expected
