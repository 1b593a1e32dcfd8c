"""Remains of a failed run: the last good checkpoint, a complete log, one line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.disk import full_disk
from tests.helpers.short_runs import toy_run

pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytest.importorskip("pyroomacoustics")

from dss_cli.errors import DssError
from dss_cli.network import build, configuration
from dss_cli.network.weights import load_weights
from dss_cli.training import loop
from dss_cli.training.loop import TrainingRun, append_line
from tools.average_checkpoints import mean_weights


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Run with a checkpoint of step 0."""
    small = replace(configuration("toy"), blocks=1, near_after=1, fine=0, zoom=None)
    run = TrainingRun(toy_run(network=small), tmp_path_factory.mktemp("run"))
    run.save()
    return run


def test_a_checkpoint_cut_off(saved):
    path = saved.folder / "checkpoint.npz"
    whole = path.read_bytes()
    for part in (whole[: len(whole) // 2], b"", b"no checkpoint"):
        path.write_bytes(part)
        with pytest.raises(DssError, match=r"checkpoint\.npz: not a checkpoint, or a damaged one; delete it"):
            saved._load()
        assert path.read_bytes() == part, "it is left as it was found"
    path.write_bytes(whole)
    saved._load()


def test_no_room_for_a_checkpoint(saved):
    path = saved.folder / "checkpoint.npz"
    before = path.read_bytes()
    told = (
        r"checkpoint\.npz: cannot be written: File too large; the last good checkpoint is .*checkpoint\.npz"
    )
    with full_disk(), pytest.raises(DssError, match=told):
        saved.save()
    assert path.read_bytes() == before
    assert [p.name for p in saved.folder.iterdir()] == ["checkpoint.npz"]


def test_a_loss_that_is_not_a_number_says_when_nothing_was_saved_yet(saved, monkeypatch, tmp_path):
    monkeypatch.setattr(saved, "folder", tmp_path)
    network = type("Network", (), {"train_on_batch": lambda *a, **o: {"loss": float("nan")}})
    monkeypatch.setattr(saved, "_trained", network())
    with pytest.raises(DssError, match="the loss is nan at step 0; there is no checkpoint yet; "):
        saved.advance(None, None)


def test_a_line_of_the_log_is_whole(tmp_path):
    path = tmp_path / "log.jsonl"
    append_line(path, '{"step": 1}')
    with path.open("a") as log:
        log.write('{"step": 2, "lo')  # the disk was full
    append_line(path, '{"step": 3}')
    assert path.read_text().splitlines() == ['{"step": 1}', '{"step": 2, "lo', '{"step": 3}']


def test_no_room_for_the_log(tmp_path, monkeypatch):
    class Stopped:
        step, folder = 100, tmp_path
        signal = configuration("toy").signal
        network = type("N", (), {"count_params": lambda self: 1})()
        beginning = loop.Beginning([], [])

        def _kept(self):
            return "kept"

    monkeypatch.setattr(loop, "TrainingRun", lambda *a: Stopped())
    (tmp_path / "log.jsonl").write_bytes(b"\n" * 1000)
    with (
        full_disk(1000),
        pytest.raises(DssError, match=r"log\.jsonl: cannot be written: File too large; kept"),
    ):
        loop.train(toy_run("schedule.steps=100", "schedule.hold=0"), None, tmp_path)


def test_weights_that_are_not_numbers_are_never_saved(saved, monkeypatch):
    path = saved.folder / "checkpoint.npz"
    before = path.read_bytes()
    monkeypatch.setattr(saved, "average", [np.full(2, np.nan)])
    monkeypatch.setattr(saved, "step", 100)
    with pytest.raises(DssError, match="weights are not finite after step 100; the last good checkpoint is"):
        saved.save()
    assert path.read_bytes() == before


def test_the_mean_of_weights_is_the_mean_of_each(tmp_path):
    paths, values = [], []
    for seed in range(3):
        network = build("toy")
        rng = np.random.default_rng(seed)
        for weight in network.weights:
            weight.assign(rng.normal(0, 0.1, weight.shape))
        paths.append(tmp_path / f"{seed}.weights.h5")
        network.save_weights(paths[-1])
        values.append(network.get_weights())
    mean_weights("toy", tmp_path / "mean.weights.h5", paths)
    load_weights(network, tmp_path / "mean.weights.h5", "toy")
    for found, each in zip(network.get_weights(), zip(*values, strict=True), strict=True):
        np.testing.assert_allclose(found, sum(each) / 3, atol=1e-6)
