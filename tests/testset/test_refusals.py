"""`dss simulate-test-set`: refusals in one line, and messages about the material."""

from __future__ import annotations

import importlib.metadata
import json
import os
import time

import numpy as np
import pytest

from tests.helpers import synth
from tests.helpers.testsets import contents, talker

pytest.importorskip("pyroomacoustics")

from dss_cli.errors import DssError, UsageError
from dss_cli.simulation.corpus import load_speech
from dss_cli.testset.plan import _ingredients, draw_up


def refused(dss, *arguments):
    status, out, err = dss("simulate-test-set", *arguments)
    assert status in (1, 2)
    assert out == ""
    errors = [line for line in err if line.startswith("dss: error: ")]
    assert len(errors) == 1
    assert all(line.startswith("dss: ") for line in err)
    return status, errors[0]


def test_without_speech_and_synthesiser(dss, tmp_path, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    _ingredients.cache_clear()
    status, error = refused(dss, tmp_path / "set")
    assert status == 1
    assert "--speech" in error
    assert "dss-cli[dev]" in error
    assert list(tmp_path.iterdir()) == []


def test_folders_that_hold_nothing(dss, tmp_path, material):
    (tmp_path / "empty").mkdir()
    assert "no such folder" in refused(dss, tmp_path / "set", "--speech", tmp_path / "no")[1]
    assert "no audio files" in refused(dss, tmp_path / "set", "--speech", tmp_path / "empty")[1]
    speech = ["--speech", material / "speech"]
    assert "no MANIFEST.csv" in refused(dss, tmp_path / "set", *speech, "--rirs", tmp_path / "empty")[1]
    assert refused(dss, tmp_path / "set", *speech, "--preset", "noise")[0] == 2
    assert not (tmp_path / "set").exists()


@pytest.mark.usefixtures("material")  # for its cache
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


def test_other_peoples_folders_are_left_alone(dss, tmp_path, material):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    status, error = refused(dss, tmp_path / "mine", "--speech", material / "speech")
    assert status == 2
    assert "is not a test set" in error
    assert contents(tmp_path / "mine") == {"notes.txt": b"mine"}


@pytest.mark.usefixtures("material")  # for its cache
def test_what_was_changed_or_left_out_is_said(dss, tmp_path, rooms):
    speech = tmp_path / "speech"
    for seed, (rate, channels) in enumerate([(16_000, 1), (44_100, 1), (16_000, 2)]):
        (speech / f"t{seed}").mkdir(parents=True)
        samples = np.repeat(talker(seed, 1.0, rate), channels, axis=1)
        synth.write(speech / f"t{seed}" / "a.wav", samples, rate)
    synth.write(speech / "t0" / "silent.wav", np.zeros((800, 1), np.float32))
    for again in (1, 2):  # the second time from the cache
        status, out, err = dss(
            "simulate-test-set", tmp_path / f"set{again}", "--speech", speech, "--rirs", rooms,
            "--preset", "first", "--count", "1", "--seconds", "1", "--json", "--jobs", "1",
        )  # fmt: skip
        assert status == 0
        report = json.loads(out)
        assert report["warnings"] == [
            f"{speech}: 1 of 4 files not at 16 kHz: resampled",
            f"{speech}: 1 of 4 files of several channels: the first is used",
            f"{speech}: 1 of 4 files silent: left out",
            "without --noise scenes have only the microphone's own noise",
        ]
        assert err == [f"dss: warning: {line}" for line in report["warnings"]]
        assert report["scenes"] == len(report["strata"]) == 3
    status, out, err = dss(
        "simulate-test-set", tmp_path / "five", "--speech", speech, "--preset", "patterson"
    )
    assert status == 2
    assert "3 talkers are too few" in err[-1]


@pytest.mark.usefixtures("material")  # for its cache
def test_changed_material_is_read_again(tmp_path):
    path = tmp_path / "speech" / "a" / "a.wav"
    path.parent.mkdir(parents=True)
    synth.write(path, talker(0, 1.0))
    first = load_speech(tmp_path / "speech")
    synth.write(path, talker(1, 1.0))
    os.utime(path, ns=(time.time_ns(), time.time_ns() + 10**9))
    assert not np.array_equal(first.samples, load_speech(tmp_path / "speech").samples)
