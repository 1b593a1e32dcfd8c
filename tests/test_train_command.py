"""`dss train`, `dss export` and `dss separate` behind each other, as a user would: folders in, stems out."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

pytest.importorskip("tensorflow")
pytest.importorskip("pyroomacoustics")


def dss(*arguments, cache):
    return subprocess.run(
        [sys.executable, "-m", "dss_cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cache), "XDG_CACHE_HOME": str(cache)},
        check=False,
    )


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """Three talkers of one file each, at a rate that has to be converted."""
    folder = tmp_path_factory.mktemp("speech")
    t = np.arange(44_100) / 22_050
    for number, pitch in enumerate((110, 150, 210)):
        voice = sum(np.sin(2 * np.pi * k * pitch * t) / k for k in range(1, 12))
        talker = folder / f"talker{number}"
        talker.mkdir()
        soundfile.write(talker / "a.flac", 0.1 * voice * (np.sin(9 * t + number) > -0.3), 22_050)
    return folder


@pytest.mark.slow
def test_from_folders_to_stems(speech, tmp_path):
    run = tmp_path / "run"
    arguments = ("train", run, "--speech", speech, "--configuration", "toy", "--places", 4, "--jobs", 1)
    short = ("--batch", 2, "--validation", 2, "--validate-every", 2)
    first = dss(*arguments, *short, "--steps", 2, "--hold", 2, cache=tmp_path)
    assert first.returncode == 0, first.stderr
    again = dss(*arguments, *short, "--steps", 4, "--hold", 2, cache=tmp_path)
    assert again.returncode == 0, again.stderr
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [2, 4]
    assert [row["step"] for row in rows if "scores" in row] == [2, 4]
    assert json.loads((run / "training.json").read_text())["training"]["steps"] == 4

    models = tmp_path / "models"
    exported = dss(
        "export", run / "toy.weights.h5", "--configuration", "toy", "--name", "mine",
        "--output", models, "--training-log", run / "training.json", cache=tmp_path,
    )  # fmt: skip
    assert exported.returncode == 0, exported.stderr
    seen = json.loads((models / "mine.json").read_text())["training"]
    assert seen["talkers"] == 3

    further = dss(
        "train", tmp_path / "further", "--speech", speech, "--bank", run / "bank.npz",
        "--configuration", "toy", "--weights", models / "mine.weights.h5", "--precision", "mixed_bfloat16",
        "--batch", 2, "--validation", 0, "--steps", 1, cache=tmp_path,
    )  # fmt: skip
    assert further.returncode == 0, further.stderr
    training = json.loads((tmp_path / "further" / "training.json").read_text())["training"]
    assert training["precision"] == "mixed_bfloat16"
    assert training["begun_with"] == "mine.weights.h5"
    assert training["hours_before"] == seen["hours"]

    source = speech / "talker0" / "a.flac"
    near, far = tmp_path / "near.wav", tmp_path / "far.wav"
    separated = dss(
        "separate", source, "--near", near, "--far", far,
        "--model", models / "mine.tflite", "--delegate", "cpu", cache=tmp_path,
    )  # fmt: skip
    assert separated.returncode == 0, separated.stderr
    assert soundfile.info(near).frames == soundfile.info(far).frames == soundfile.info(source).frames


def test_a_folder_without_audio_is_one_line(tmp_path):
    result = dss("train", tmp_path / "run", "--speech", tmp_path, cache=tmp_path)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert str(tmp_path) in line and "no audio files" in line
