"""All commands of docs/user/recipes.md, with the real programs if they are installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from tests.helpers.documented import run_documented
from tests.helpers.synth import tone, write

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "user" / "recipes.md").read_text()
SHELL = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
SECONDS = 4.0


@pytest.fixture
def folder(here):
    """Folder with the inputs of the recipes, and with `dss` on the path."""
    write(here / "talk.wav", tone(int(SECONDS * 16_000), 16_000))
    (here / "memos" / "today").mkdir(parents=True)
    for name in ("memos/a.wav", "memos/today/b.wav"):
        shutil.copy(here / "talk.wav", here / name)
    return here


def recordings(folder):
    """Make the recordings that require FFmpeg."""
    picture = ("-f", "lavfi", "-i", f"color=blue:size=32x32:rate=5:duration={SECONDS}")
    for extra, name in (((), "call.m4a"), (picture, "film.mp4")):
        subprocess.run(["ffmpeg", "-v", "error", "-i", "talk.wav", *extra, name], check=True, cwd=folder)


@pytest.mark.parametrize("block", SHELL)
def test_every_block_of_the_shell_works(folder, block):
    for program in ("ffmpeg", "sox"):
        if re.search(rf"\b{program}\b", block) and shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    if "--page" in block:
        pytest.importorskip("jinja2", reason="the extra `report` is not installed")
    if ".mp4" in block:
        pytest.importorskip("av", reason="the extra `formats` is not installed")
    if "ffmpeg" in block:
        recordings(folder)
    before = set(folder.rglob("*"))
    done = run_documented(block, folder)
    assert done.returncode == 0, done.stderr
    made = {path for path in folder.rglob("*") if path.is_file()} - before
    assert made
    for path in made:
        assert _seconds(path) == pytest.approx(SECONDS, abs=0.2), path


def _seconds(path):
    """Return the duration of a file of any kind."""
    if path.suffix == ".raw":
        return path.stat().st_size / 2 / 16_000
    if path.suffix == ".mp4":
        probe = ("ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path)
        return float(subprocess.run(probe, capture_output=True, check=True).stdout)
    if path.suffix == ".jsonl":
        (seconds,) = {json.loads(line)["seconds"] for line in path.read_text().splitlines()}
        return seconds
    if path.suffix == ".json":
        return json.loads(path.read_text())["seconds"]
    if path.suffix == ".html":
        options = json.loads(re.search("data-options='([^']+)'", path.read_text())[1])
        return options["length"] / options["rate"]
    if path.suffix == ".txt":  # labels: a steady tone is nobody
        assert all(len(line.split("\t")) == 3 for line in path.read_text().splitlines())
        return SECONDS
    return sf.info(path).duration


def test_the_transcript_is_merged_by_time(folder, monkeypatch, capsys):
    class Recogniser:
        def __init__(self, size):
            pass

        def transcribe(self, path, vad_filter):
            assert sf.info(path).duration == SECONDS
            at = 0.5 if path == "near.wav" else 61.25
            return [types.SimpleNamespace(start=at, text=f" {path} ")], None

    monkeypatch.setitem(sys.modules, "faster_whisper", types.SimpleNamespace(WhisperModel=Recogniser))
    exec(PYTHON[0], {})
    assert capsys.readouterr().out.splitlines() == ["00:00.5 near: near.wav", "01:01.2  far: far.wav"]


def test_the_notebook_has_stems(folder):
    names: dict[str, object] = {}
    exec(PYTHON[1], names)
    stems, recording = names["stems"], names["recording"]
    np.testing.assert_allclose(sum(stems), recording, atol=1e-5)
