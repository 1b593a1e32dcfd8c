"""`dss evaluate --engine dask`: a cluster of real processes gives the same scores as one machine."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.helpers import scenesets, tiny

pytest.importorskip("distributed")

from dss_cli.evaluation import on_cluster

pytestmark = pytest.mark.slow


@pytest.fixture
def evaluate(dss, here):
    """`evaluate(cluster or None, *arguments)`: score the test set `set`; exit code, stdout, stderr lines."""
    scenes = [scenesets.scene(f"{index}a", stratum="in-1n1f-snr20") for index in range(5)]
    scenes += [scenesets.scene(f"{index}c", "far-only", snr_db=None) for index in range(4)]
    scenesets.write(here / "set", scenes)
    tiny.write(here)

    def run(cluster, *arguments):
        who = () if cluster is None else ("--engine", "dask", "--scheduler", cluster.scheduler_address)
        return dss("evaluate", "set", "--delegate", "cpu", *who, *arguments)

    return run


def test_engines_make_no_difference(evaluate, cluster, here):
    assert evaluate(None, "--model", "tiny.tflite", "--json")[::2] == (0, [])
    here_result = json.loads(evaluate(None, "--model", "tiny.tflite", "--json")[1])
    status, out, err = evaluate(cluster, "--model", "tiny.tflite", "--json")
    assert (status, err) == (0, [])
    assert json.loads(out) == here_result
    for stem in ("near", "far"):
        shutil.copytree(here / "set" / stem, here / "stems" / stem)
    results = [evaluate(where, "--stems", "stems", "--json") for where in (None, cluster)]
    assert results[0] == results[1]


def test_workers_with_another_model_are_refused(evaluate, cluster, monkeypatch):
    monkeypatch.setattr(on_cluster, "score_there", score_another)
    status, out, err = evaluate(cluster, "--model", "tiny.tflite")
    assert (status, out, len(err)) == (1, "", 1)
    assert "tiny: sha256 is '" in err[0]
    assert err[0].startswith("dss: error: worker tcp://")


_score_there = on_cluster.score_there


def score_another(scene, *, about, **options):
    return _score_there(scene, about={**about, "sha256": "another"}, **options)


def test_a_damaged_scene_is_one_line_with_its_worker(evaluate, cluster, here):
    path = next((here / "set" / "mixture").iterdir())
    path.write_bytes(b"no audio")
    status, out, err = evaluate(cluster, "--model", "tiny.tflite")
    assert (status, out, len(err)) == (1, "", 1)
    assert err[0].startswith("dss: error: worker tcp://")
    assert path.name in err[0]


def test_options_that_do_not_go_together(evaluate, cluster):
    status, _, err = evaluate(cluster, "--jobs", "2")
    assert (status, len(err)) == (2, 1)
    assert "--jobs and --engine dask" in err[0]
