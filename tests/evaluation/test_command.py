"""`dss evaluate` on the command line: tables, JSON, CSV, comparison, cards."""

from __future__ import annotations

import csv
import io
import json
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf

from dss_cli.evaluation.model_readme import END, START, render_cards, update
from dss_cli.evaluation.perceptual import measures
from dss_cli.evaluation.statistics import leakage_curve, strata
from tests.helpers import scenesets, tiny
from tests.helpers.stub import files


@pytest.fixture
def here_with_set(here):
    """A test set `set` and a model `tiny.tflite` in the current folder."""
    lines = [scenesets.scene(f"{index}a", stratum="in-1n1f-snr20") for index in range(3)]
    lines += [
        scenesets.scene(f"{index}b", "near-only", near_m=0.3 + 0.1 * index, ur0=True) for index in range(3)
    ]
    lines += [scenesets.scene(f"{index}c", "far-only", snr_db=None) for index in range(2)]
    scenesets.write(here / "set", lines)
    tiny.write(here)
    return here


COMMAND = ("evaluate", "set", "--model", "tiny.tflite", "--delegate", "cpu")


def results(dss, *arguments):
    status, out, err = dss(*arguments, "--json")
    assert (status, err) == (0, [])
    return json.loads(out)


def test_the_table_tells_every_stratum_and_the_leakage_by_distance(here_with_set, dss):
    status, out, err = dss(*COMMAND)
    assert (status, err) == (0, [])
    assert "tiny on set (preset tiny, seed 7): 8 scenes" in out
    for stratum in ("in-1n1f-snr20", "indoor-near-only", "indoor-far-only"):
        assert sum(stratum in line for line in out.splitlines()) == 1
    lines = out.splitlines()
    curve = lines[next(i for i, line in enumerate(lines) if "distance, m" in line) :]
    assert [line.split("│")[1].strip() for line in curve if line.startswith("│")] == ["0.3", "0.4", "0.5"]


def test_json_holds_the_rows_that_its_summaries_come_from(here_with_set, dss):
    result = results(dss, *COMMAND)
    (run,) = result["runs"]
    assert result["schema"] == 1
    assert run["system"]["name"] == "tiny" and run["system"]["delegate"] == "cpu"
    assert run["test_set"]["preset"] == "tiny" and run["test_set"]["scenes"] == 8
    assert run["strata"] == strata(run["scenes"])
    assert run["leakage"] == leakage_curve(run["scenes"])
    # near is 0.5 and far -0.25 of the compressed mixture
    lone = [row for row in run["scenes"] if row["kind"] == "near-only"]
    share = 0.25 ** (2 / 0.3) / (0.25 ** (2 / 0.3) + 0.5 ** (2 / 0.3))
    assert [row["leakage"] for row in lone] == pytest.approx([share] * 3, abs=2e-4)


def test_more_processes_give_the_same_scores(here_with_set, dss):
    assert results(dss, *COMMAND, "--jobs", "2") == results(dss, *COMMAND)


def test_an_error_in_a_process_is_one_line(here_with_set, dss):
    sf.write("set/far/1b.flac", np.zeros(10), 16_000)
    status, out, err = dss(*COMMAND, "--jobs", "2")
    assert (status, out) == (1, "")
    assert err == ["dss: error: set/far/1b.flac: 10 frames where its mixture has 4000"]


def test_what_separate_writes_scores_as_the_model_does(here_with_set, dss):
    """Equal within the 16 bits of the files; `dss evaluate` keeps floats."""
    separate = ("separate", "set/mixture", "--recursive", "--output-dir", "stems", "--model", "tiny.tflite")
    assert dss(*separate, "--delegate", "cpu", "--quiet")[0] == 0
    models = results(dss, *COMMAND)["runs"][0]["scenes"]
    stems = results(dss, "evaluate", "set", "--stems", "stems")["runs"][0]["scenes"]
    for one, other in zip(models, stems, strict=True):
        assert one["id"] == other["id"] and one["swapped"] == other["swapped"]
        for figure in ("near_si_sdri", "far_si_sdri", "near_attenuation", "far_attenuation"):
            assert (one[figure] is None) == (other[figure] is None)
            if one[figure] is not None:
                assert one[figure] == pytest.approx(other[figure], abs=0.1)


def test_csv_has_a_line_for_each_scene_and_never_replaces_a_file_unasked(here_with_set, dss):
    result = results(dss, *COMMAND, "--csv", "scores.csv")
    rows = list(csv.DictReader(io.StringIO(Path("scores.csv").read_text())))
    assert [row["id"] for row in rows] == [row["id"] for row in result["runs"][0]["scenes"]]
    assert {row["far_si_sdr"] for row in rows if row["kind"] == "near-only"} == {""}
    before = files(here_with_set)
    status, _, err = dss(*COMMAND, "--csv", "scores.csv")
    assert status == 2
    assert err == ["dss: error: scores.csv: exists already; --overwrite replaces it"]
    assert results(dss, *COMMAND, "--csv", "scores.csv", "--overwrite") == result
    assert files(here_with_set) == before


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["evaluate"], 2, "no test set given"),
        (["evaluate", "nowhere"], 1, "nowhere/test-set.json: No such file or directory"),
        (["evaluate", "set", "--stems", "nowhere"], 1, "nowhere: no such folder of stems"),
        (["evaluate", "set", "--stems", "set", "--write-card"], 2, "--write-card is for models"),
        (["evaluate", "set", "set", "--stems", "set"], 2, "two test sets are called 'set'"),
        ([*COMMAND, "--model", "./tiny.tflite"], 2, "two models or folders of stems are called 'tiny'"),
        (["evaluate", "set", "--model", "nonsense"], 2, "no model called 'nonsense'"),
        (["evaluate", "set", "--compare", "a", "b"], 2, "--compare takes two files"),
        (["evaluate", "--compare", "a", "b"], 1, "a: cannot be read"),
        ([*COMMAND, "--csv", "no/where.csv"], 2, "the folder"),
    ],
)
def test_a_wrong_request_is_one_line(here_with_set, dss, arguments, status, message):
    before = files(here_with_set)
    got, out, err = dss(*arguments)
    assert (got, out, len(err)) == (status, "", 1)
    assert message in err[0]
    assert files(here_with_set) == before


# PESQ and STOI.


@pytest.fixture
def listeners(monkeypatch):
    """Stand-ins for PESQ and STOI packages that record their arguments."""
    asked = []

    class NoUtterancesError(Exception):
        pass

    def pesq(rate, reference, output, mode):
        asked.append((rate, mode, len(reference), len(output)))
        if len(asked) == 1:
            raise NoUtterancesError
        return 3.21987

    def stoi(reference, output, rate):
        if len(asked) == 2:
            warnings.warn("Not enough STFT frames", RuntimeWarning, stacklevel=1)
        return 0.5

    fake = SimpleNamespace(pesq=pesq, NoUtterancesError=NoUtterancesError, BufferTooShortError=OSError)
    monkeypatch.setitem(sys.modules, "pesq", fake)
    monkeypatch.setitem(sys.modules, "pystoi", SimpleNamespace(stoi=stoi))
    return asked


def test_perceptual_scores_are_of_active_outputs_alone(here_with_set, dss, listeners):
    (run,) = results(dss, *COMMAND, "--perceptual")["runs"]
    both = [row for row in run["scenes"] if row["kind"] == "1N+1F"]
    assert [(row["near_pesq"], row["far_pesq"]) for row in both] == [
        (None, 3.2199),
        (3.2199, 3.2199),
        (3.2199,) * 2,
    ]
    assert [(row["near_stoi"], row["far_stoi"]) for row in both] == [(0.5, None), (0.5, 0.5), (0.5, 0.5)]
    assert all(row["far_pesq"] is None for row in run["scenes"] if row["kind"] == "near-only")
    assert run["strata"]["in-1n1f-snr20"]["near_pesq"]["count"] == 2
    assert set(listeners) == {(16_000, "wb", scenesets.FRAMES, scenesets.FRAMES)}
    assert "near STOI" in dss(*COMMAND, "--perceptual")[1]
    assert "near_pesq" not in results(dss, *COMMAND)["runs"][0]["scenes"][0]


def test_without_the_packages_perceptual_scores_are_refused_in_a_line(here_with_set, dss, monkeypatch):
    monkeypatch.setitem(sys.modules, "pesq", None)
    status, out, err = dss(*COMMAND, "--perceptual")
    assert (status, out, len(err)) == (1, "", 1)
    assert "pip install 'dss-cli[metrics]'" in err[0]


def test_the_packages_agree_with_how_they_are_called():
    pytest.importorskip("pesq")
    pytest.importorskip("pystoi")
    time = np.arange(32_000) / 16_000
    voice = (np.sin(2 * np.pi * 150 * time) * np.sin(2 * np.pi * 2 * time) ** 2).astype(np.float32)
    noisy = (voice + 0.5 * np.random.default_rng(0).standard_normal(len(voice))).astype(np.float32)
    same, worse, silent = (measures(16_000)(voice, output) for output in (voice, noisy, 0 * voice))
    for name in ("pesq", "stoi"):
        assert same[name] > worse[name] > silent[name]
    assert measures(16_000)(voice[:900], noisy[:900])["stoi"] is None


# Comparison.


@pytest.fixture
def scored(here_with_set, dss):
    """`scored(name, change)`: write results after `change(row)` for every row."""
    result = results(dss, *COMMAND)

    def write(name, change=lambda row: None, **changes):
        copy = json.loads(json.dumps(result | changes))
        for run in copy["runs"]:
            for row in run["scenes"]:
                change(row)
        Path(name).write_text(json.dumps(copy))
        return name

    return write


def shift(figure, by, only=lambda row: True):
    def change(row):
        if row[figure] is not None and only(row):
            row[figure] += by

    return change


@pytest.mark.parametrize(("by", "worse"), [(-0.5, 1), (-0.1, 0), (0.0, 0), (3.0, 0)])
def test_a_stratum_that_lost_more_than_the_tolerance_fails(scored, dss, by, worse):
    before, after = scored("a.json"), scored("b.json", shift("far_attenuation", by))
    status, out, _ = dss("evaluate", "--compare", before, after, "--tolerance", "0.3", "--json")
    assert status == worse
    comparison = json.loads(out)
    assert comparison["worse"] == worse
    figures = comparison["runs"][0]["strata"]["indoor-near-only"]
    assert figures["far_attenuation"]["median"] == pytest.approx(by, abs=1e-3)
    assert figures["far_attenuation"]["worse"] == bool(worse)
    assert figures["near_si_sdr"]["median"] == 0.0


def test_the_interval_of_a_difference_is_of_pairs(scored, dss):
    """Scenes differ far more than they change; the interval is that of the change."""
    before = scored("a.json", lambda row: shift("near_si_sdr", 20.0 * int(row["id"][0]))(row))
    after = scored("b.json", lambda row: shift("near_si_sdr", 20.0 * int(row["id"][0]) - 1.0)(row))
    status, out, err = dss("evaluate", "--compare", before, after)
    assert status == 1
    assert err == ["2 figures are worse by more than 0.2 dB, or 1 % of the seconds"]
    assert out.count("-1.0 [-1.0 -1.0]") == 2 and out.count("worse") == 2


def test_results_of_other_scenes_are_not_compared(scored, dss):
    before, after = scored("a.json"), scored("b.json", runs=[])
    assert dss("evaluate", "--compare", before, after)[2] == [
        "dss: error: b.json: damaged: a run without scenes, system, test_set"
    ]
    other = json.loads(Path(before).read_text())
    other["runs"][0]["test_set"]["sha256"] = "0"
    Path("c.json").write_text(json.dumps(other))
    status, _, err = dss("evaluate", "--compare", before, "c.json")
    assert status == 1
    assert len(err) == 1 and "nothing in it to compare with tiny on set" in err[0]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"runs": 3}', '{"schema": 9, "runs": []}', '{"schema": 1, "runs": [1]}']
)
def test_what_is_no_result_is_refused_in_a_line(scored, dss, text):
    Path("bad.json").write_text(text)
    status, out, err = dss("evaluate", "--compare", scored("a.json"), "bad.json")
    assert (status, out, len(err)) == (1, "", 1)
    assert err[0].startswith("dss: error: bad.json: ")


# Cards.


def test_the_card_takes_the_scores_and_keeps_the_rest(here_with_set, dss):
    card = json.loads(Path("tiny.json").read_text()) | {
        "scores": {"old, seed 1": {"kept": True}},
        "last": [1, {}],
    }
    Path("tiny.json").write_text(json.dumps(card, indent=2) + "\n")
    result = results(dss, *COMMAND, "--write-card", "--quiet")
    text = Path("tiny.json").read_text()
    written = json.loads(text)
    scores = written.pop("scores")
    entry = scores.pop("tiny, seed 7")
    assert scores == {"old, seed 1": {"kept": True}}
    assert written == {key: value for key, value in card.items() if key != "scores"}
    assert list(json.loads(text)) == list(card)
    assert entry["strata"] == result["runs"][0]["strata"]
    assert entry["leakage"] == result["runs"][0]["leakage"]
    assert entry["command"] == "dss evaluate set --model tiny"
    assert dss(*COMMAND, "--write-card", "--quiet")[0] == 0
    assert Path("tiny.json").read_text() == text  # a second run changes nothing


def test_scores_within_a_latency_are_an_entry_of_their_own_and_tell_the_one_that_was_kept_to(
    here_with_set, dss
):
    result = results(dss, *COMMAND, "--latency", "0.2", "--write-card", "--quiet")
    (run,) = result["runs"]
    assert run["system"]["latency"] == pytest.approx(0.112)
    entry = json.loads(Path("tiny.json").read_text())["scores"]["tiny, seed 7, latency 0.112 s"]
    assert entry["command"] == "dss evaluate set --model tiny --latency 0.112"
    status, _, err = dss(*COMMAND, "--latency", "0.1")
    assert (status, err) == (2, ["dss: error: latency 0.1: the model offers only 0.112 s"])
    status, _, err = dss(*COMMAND, "--latency", "0.2", "--context", "recording")
    assert (status, len(err)) == (2, 1) and "exclude each other" in err[0]


def test_a_readme_with_markers_follows_the_card(here_with_set, dss):
    Path("README.md").write_text(f"before\n{START}\nold\n{END}\nafter\n")
    assert dss(*COMMAND, "--write-card", "--quiet")[0] == 0
    text = Path("README.md").read_text()
    assert text.startswith(f"before\n{START}\n") and text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "## tiny" in text and "### tiny: tiny, seed 7" in text
    assert "`dss evaluate set --model tiny`" in text
    rows = [line for line in text.splitlines() if line.startswith("| indoor-near-only |")]
    assert len(rows) == 1 and rows[0].count("|") == 7


def test_a_readme_without_markers_is_left_alone(here_with_set):
    Path("README.md").write_text("mine")
    assert update(here_with_set) is False
    assert Path("README.md").read_text() == "mine"


def test_noise_levels_get_columns_where_there_are_many():
    def summary(snr, value):
        stats = {"count": 2, "median": value, "low": None, "high": None, "p10": value - 1}
        return {"scenes": 2, "snr_db": snr, "near_si_sdri": stats}

    measured = {
        "x-clean-n02": summary(None, 9.0),
        "x-snr10-n02": summary(10.0, 5.0),
        "x-snr-5-n02": summary(-5.0, 1.0),
    }
    about = {"scenes": 6, "seconds": 5.0, "version": "1", "speech": "dev"}
    scores = {
        "test_set": about,
        "strata": measured,
        "leakage": [],
        "command": "dss evaluate x",
        "version": "1",
    }
    card = tiny.card(b"x") | {"scores": {"x": scores}}
    text = render_cards([card])
    assert "| stratum | clean | 10 dB | -5 dB |" in text
    assert "| x-n02 | 9.0 (8.0) | 5.0 (4.0) | 1.0 (0.0) |" in text


def test_the_bundled_readme_says_what_the_bundled_cards_say(tmp_path):
    models = Path(__file__).parents[2] / "models"
    for path in models.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert update(tmp_path)
    assert (tmp_path / "README.md").read_text() == (models / "README.md").read_text()
