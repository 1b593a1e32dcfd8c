"""Profile of the parts of a run, and the start-up time of `dss separate`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf

from dss_cli.benchmark import startup
from dss_cli.benchmark.measurement import Opening, run_file
from dss_cli.benchmark.profile import PARTS, REST, profile_file
from dss_cli.benchmark.rows import BenchmarkRow
from dss_cli.benchmark.session import Entry, Measurements
from dss_cli.benchmark.subject import Proof
from dss_cli.utils.atomic_write import PendingFiles
from tests.helpers import tiny
from tests.helpers.schemas import valid
from tests.helpers.stub import Stub, files

OPENING = Opening(0.0, 0.0, 0.0)
STEMS = ("near.wav", "far.wav")


@pytest.fixture
def network():
    slow = Stub()
    slow.pause = 0.02
    return slow


def test_every_part_takes_time_and_together_they_are_the_run(tmp_path, noise, network):
    source = tmp_path / "in.wav"
    sf.write(source, noise(8000), 8000, subtype="FLOAT")  # converted to 16 kHz and back
    plain, profiled = ([tmp_path / f"{kind} {stem}" for stem in STEMS] for kind in ("plain", "profiled"))
    chunks = len(run_file(network, OPENING, source, *plain).chunks)
    profile = profile_file(network, OPENING, source, *profiled)
    for ours, theirs in zip(profiled, plain, strict=True):
        # Compare samples, not bytes: libsndfile writes the time into headers of float files.
        np.testing.assert_array_equal(sf.read(ours)[0], sf.read(theirs)[0])
    assert list(profile.parts) == [*PARTS, REST]
    assert min(profile.parts.values()) > 0
    assert sum(profile.parts.values()) == pytest.approx(profile.elapsed)
    assert profile.parts["network"] >= chunks * network.pause
    assert sum(profile.to_dict()["shares"].values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("part", "owner", "name"),
    [
        ("reading", sf.SoundFile, "read"),
        ("analysis", np.fft, "rfft"),
        ("synthesis", np.fft, "irfft"),
        ("writing", PendingFiles, "publish"),
    ],
)
def test_what_a_part_does_counts_for_that_part(tmp_path, noise, monkeypatch, part, owner, name):
    """A function that only this part calls is made slower."""
    original = getattr(owner, name)

    def slow(*arguments, **options):
        time.sleep(0.3)
        return original(*arguments, **options)

    source = tmp_path / "in.wav"
    sf.write(source, noise(8000), 16000, subtype="FLOAT")
    monkeypatch.setattr(owner, name, slow)
    profile = profile_file(Stub(), OPENING, source, *(tmp_path / stem for stem in STEMS))
    assert profile.parts[part] >= 0.3
    assert profile.parts[REST] > 0  # counted once


# Start-up time.


@pytest.fixture
def session():
    """Two rows that `dss separate` supports, and one that it does not support."""
    rows = [
        BenchmarkRow("a", "cpu", 2),
        BenchmarkRow("a", "gpu", 1, gpu_precision="float16"),
        BenchmarkRow("a", "library", library=Path("x")),
    ]
    return Measurements([Entry(row, Proof(row.delegate, "cpu", row.name, True), None) for row in rows])


@pytest.fixture
def commands(monkeypatch):
    """Stand-ins for processes: `commands.status` by delegate; the n-th process takes n seconds."""
    seen = SimpleNamespace(run=[], status={}, clock=0.0)

    def run(command, **options):
        seen.run.append(command)
        seen.clock += len(seen.run)
        status = next((code for name, code in seen.status.items() if f"--delegate={name}" in command), 0)
        return subprocess.CompletedProcess(command, status, "", "dss: warning: w\ndss: error: no GPU\n")

    monkeypatch.setattr(startup.subprocess, "run", run)
    monkeypatch.setattr(startup.time, "perf_counter", lambda: seen.clock)
    return seen


def start(session, folder, repeat, told=()):
    model = tiny.model(folder)
    startup.measure_start_ups(session, {"a": model}, folder, repeat, *told)
    return model


def test_starts_are_whole_processes_in_turns_after_a_warm_up(session, commands, tmp_path):
    told = []
    model = start(session, tmp_path, 2, [told.append])
    assert told == ["starting `dss separate`: 6 times"]
    assert [entry.start_ups for entry in session.entries] == [[3, 5], [4, 6], []]
    assert session.missing == []
    source = tmp_path / "chunk-0.wav"
    assert sf.info(source).duration == model.signal.chunk_seconds
    begin = [sys.executable, "-m", "dss_cli", "separate", str(source), "--overwrite", "--quiet"]
    outputs = [f"--{stem}={tmp_path / f'chunk-0.{stem}.wav'}" for stem in ("near", "far")]
    cpu = [f"--model={model.path}", "--delegate=cpu", "--threads=2"]
    gpu = [f"--model={model.path}", "--delegate=gpu", "--threads=1", "--strict-delegate"]
    gpu.append("--gpu-precision=float16")
    assert commands.run == [[*begin, *cpu, *outputs], [*begin, *gpu, *outputs]] * 3


def test_a_start_that_fails_is_missing_with_its_reason_and_the_others_go_on(session, commands, tmp_path):
    commands.status = {"gpu": 1}
    start(session, tmp_path, 2)
    assert session.missing == [("start-up of a on GPU", "no GPU")]
    assert [len(entry.start_ups) for entry in session.entries] == [2, 0, 0]
    assert len(commands.run) == 4


def test_the_command_measures_both(tmp_path):
    model = tiny.write(tmp_path)
    options = ["--delegate", "cpu", "--threads", "1", "--duration", "1", "--repeat", "1", "--quiet"]
    command = [sys.executable, "-m", "dss_cli", "bench", "--model", model, *options, "--profile", "--json"]
    before = files(tmp_path)
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    (row,) = valid(json.loads(done.stdout))["rows"]
    assert row["startup_seconds"]["runs"] == 1
    assert row["startup_seconds"]["median"] > row["import_seconds"]["median"] / 10
    assert sum(row["profile"]["shares"].values()) == pytest.approx(1)
    assert files(tmp_path) == before
