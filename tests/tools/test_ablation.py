"""Ablations: plan, table, and a toy run from start to end."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.helpers import short_runs
from tests.helpers.short_runs import untraced

keras = pytest.importorskip("keras")

from dss_cli.training.config import read_config  # noqa: E402
from tools import ablation  # noqa: E402

sources = short_runs.sources
PLACE = f"<!-- {ablation.LABEL} -->\nold\n<!-- {ablation.LABEL}: end -->\n"


def test_every_run_differs_from_the_first_of_its_group_in_what_it_says():
    runs = ablation.plan()
    assert len(runs) == sum(1 + len(group.others) for group in ablation.GROUPS.values()), "names are unique"
    for name, (group, changed) in runs.items():
        (file, *others), (first_file, *common) = changed, ablation.GROUPS[group].settings
        run, first = read_config(file, others), read_config(first_file, common)
        assert (run == first) == (name == group)
        assert (run.training, run.schedule) == (first.training, first.schedule)


def rows(gain):
    """Return scores of three scenes with an improvement of `gain` dB."""
    figures = {}
    for stratum, figure in ablation.SCORES.values():
        figures.setdefault(stratum, [{}, {}, {}])
        for scene, row in enumerate(figures[stratum]):
            row[figure] = 10.0 * scene + gain * (1 + scene)
    return figures


def test_a_table_tells_medians_and_paired_differences():
    text = ablation.tables({"fresh": rows(0), "no-rope": rows(-1), "tuned": rows(0)})
    line = next(line for line in text.splitlines() if line.startswith("| no-rope"))
    assert "| `network.rotary=false` |" in line
    assert f"| +8.0 (-2.00 ± {np.std([-1, -2, -3], ddof=1) / 3**0.5:.2f}) |" in line
    assert "| fresh | - | +10.0 |" in text and "blstm" not in text
    assert text.count("steps, seed") == 2


@pytest.fixture
def toy_plan(monkeypatch, sources):
    """Plan of one group of two toy runs of two steps."""
    settings = (
        "toy",
        "training.seed=1",
        "training.batch=1",
        "schedule.warmup=1",
        "schedule.hold=2",
        "schedule.steps=2",
        "curriculum.begins=[0, 0, 0, 999]",
    )
    group = ablation.Group("Toys", True, settings, {"twice": ("toy", "loss.near_ratio=2.0")})
    monkeypatch.setattr(ablation, "GROUPS", {"toys": group})
    monkeypatch.setattr(ablation, "SCENES", 2)
    monkeypatch.setattr("dss_cli.simulation.corpus.load_speech", lambda folder, split: sources.speech)
    monkeypatch.setattr("dss_cli.simulation.corpus.load_noise", lambda folder, split: sources.noise)
    # Restore Keras' global state for other tests.
    monkeypatch.setattr(keras.utils, "clear_session", lambda: None)


@pytest.mark.slow
def test_runs_are_made_once_and_the_document_has_them_all(toy_plan, sources, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sources.bank.save(tmp_path / "bank.npz")
    sources.bank.save(tmp_path / "bank-dev.npz")
    from dss_cli.network import build

    build("toy").save_weights("toy.weights.h5")
    (tmp_path / "log.md").write_text("no place")
    given = {
        "speech": "s",
        "noise": "n",
        "bank": "bank.npz",
        "weights": "toy.weights.h5",
        "document": "log.md",
    }
    command = ["runs", *(f"--{option}={value}" for option, value in given.items())]
    assert ablation.main(command) == 1
    assert (
        "log.md: no line `<!-- ablations -->`" in capsys.readouterr().err and not (tmp_path / "runs").exists()
    )
    (tmp_path / "log.md").write_text(PLACE)
    with untraced():
        assert ablation.main([*command, "--only", "toys"]) == 0
        scores = (tmp_path / "runs/toys/rows.json").read_bytes()
        assert ablation.main(command) == 0
    assert {p.name for p in (tmp_path / "runs/twice").iterdir()} >= {"rows.json", "toy.weights.h5"}
    assert (tmp_path / "runs/toys/rows.json").read_bytes() == scores
    assert len(json.loads(scores)["indoor near-only"]) == 2
    text = (tmp_path / "log.md").read_text()
    assert "old" not in text and "| twice | `loss.near_ratio=2.0` |" in text
