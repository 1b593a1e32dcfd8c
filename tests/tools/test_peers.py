"""Comparison with peers: delays are removed; all systems are scored and timed on the same files."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from dss_cli.evaluation.testset import read_test_set
from dss_cli.metrics import si_sdr
from tests.helpers import scenesets, tiny
from tests.helpers.synth import noise, tone
from tools.peers import compare
from tools.peers.denoisers import Peer, _in_blocks


def late(delay, gain=1.0, rate=16_000, size=160):
    """Return a peer that delays its input by some samples."""

    def begin():
        kept = np.zeros(delay, np.float32)

        def step(block):
            nonlocal kept
            both = np.concatenate((kept, block))
            kept = both[len(block) :]
            return gain * both[: len(block)]

        return _in_blocks(step, size)

    return Peer("late", "late 1.0", hashlib.sha256(b"").hexdigest(), rate, begin)


@pytest.mark.parametrize("delay", [0, 1, 320, 1600])
def test_the_delay_of_a_peer_is_taken_out(delay):
    mixture = noise(16_100)[:, 0]
    np.testing.assert_allclose(compare.enhanced(late(delay), mixture, 16_000), mixture, atol=1e-6)


def test_a_peer_of_another_rate_gets_its_own_and_gives_back_ours():
    mixture = tone(16_000, 16_000)[:, 0]
    out = compare.enhanced(late(480, rate=48_000), mixture, 16_000)
    assert si_sdr(out[1000:-1000], mixture[1000:-1000]) > 40


def test_a_peer_that_changes_nothing_improves_nothing(tmp_path, monkeypatch):
    path = scenesets.write(tmp_path / "set", [scenesets.scene("a"), scenesets.scene("b", "far-only")])
    tiny.write(tmp_path)
    peer = late(320)
    monkeypatch.setattr(compare, "PACKAGES", {"late": lambda: peer, "gone": missing})
    monkeypatch.setattr(compare, "_TIMED", 1.0)
    monkeypatch.setattr(compare.os, "sched_setaffinity", lambda pid, cores: None, raising=False)
    arguments = ["compare", str(path), "--model", str(tmp_path / "tiny.tflite"), "--repeat", "1"]
    document = tmp_path / "d.md"
    document.write_text("<!-- peers -->\n<!-- peers: end -->\n")
    monkeypatch.setattr("sys.argv", [*arguments, "--document", str(document)])
    assert compare.main() == 0
    rows = [line.split("|")[1:-1] for line in document.read_text().splitlines() if line.startswith("|")]
    head, found = [cell.strip() for cell in rows[0]], {row[0].strip(): row for row in rows[2:]}
    assert set(found) == {str(tmp_path / "tiny.tflite"), "late"}
    cell = dict(zip(head, map(str.strip, found["late"]), strict=True))
    assert float(cell["near and far talker: near SI-SDRi, dB"]) == pytest.approx(0.0, abs=0.2)
    assert float(cell["far talker alone: output below the mixture, dB"]) == pytest.approx(0.0, abs=0.2)
    assert float(cell["RTF"]) > 0
    assert len(read_test_set(path).scenes) == 2


def missing():
    raise ImportError("No module named 'gone'")


def test_packages_that_are_missing_are_named(capsys):
    assert compare._installed("gone", missing) is None
    assert "gone: not installed, skipped (No module named 'gone')" in capsys.readouterr().err
