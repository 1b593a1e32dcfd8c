"""Commands of docs/development/training.md on a small synthetic set, from folders to stems."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.helpers import synth
from tests.helpers.testsets import talker

pytest.importorskip("tensorflow")
pytest.importorskip("pyroomacoustics")

GUIDE = Path(__file__).parents[2] / "docs" / "development" / "training.md"
BLOCKS = re.findall(r"^<!-- run -->\n```sh\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
SMALL = {"CONFIGURATION": "toy", "STEPS": "2", "BATCH": "2", "PLACES": "2", "VALIDATION": "1", "COUNT": "1"}
NAMES = {"SPEECH": "speech", "NOISE": "noise", "RUN": "runs/mine", "RECORDING": "meeting.flac"}
TALKERS, FRAMES = 12, 22_050


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Speech in the layout of LibriTTS and VCTK at a rate that needs conversion, noise, and a recording."""
    root = tmp_path_factory.mktemp("guide")
    for number in range(TALKERS):
        short = talker(number, 1.0, FRAMES)
        if number % 2:
            names = [f"wav48_silence_trimmed/p{number}/a_mic{microphone}.flac" for microphone in (1, 2)]
        else:
            names = [f"train-clean-100/t{number}/{chapter}/a.wav" for chapter in (1, 2)]
        for name in names:
            path = root / NAMES["SPEECH"] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            synth.write(path, short, FRAMES)
    (root / NAMES["NOISE"]).mkdir()
    synth.write(root / NAMES["NOISE"] / "wind.wav", synth.noise(32_000, peak=0.2))
    synth.write(root / NAMES["RECORDING"], talker(3, 1.0, FRAMES), FRAMES)
    return root


@pytest.mark.slow
def test_the_guide_from_folders_to_stems(folder):
    script = f"""set -eu
        dss() {{ '{sys.executable}' -m dss_cli "$@"; }}
        python() {{ '{sys.executable}' "$@"; }}
        """
    script += "".join(f"echo 'block {number}' >&2\n{block}" for number, block in enumerate(BLOCKS))
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    cache = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**kept, **cache, **SMALL, **NAMES},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr

    manifest = (folder / "speech" / "MANIFEST.csv").read_text().splitlines()
    assert len(manifest) == 1 + TALKERS // 2 * 3, "a talker has two chapters, or one of two microphones"
    assert sum(line.endswith(",dev") for line in manifest) == 3  # the first and the eleventh name

    run = folder / "runs" / "mine"
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "settings" in row] == [0, 2]
    assert [row["step"] for row in rows if "loss" in row] == [2, 4]
    assert [row["step"] for row in rows if "scores" in row] == [2, 4]
    first = json.loads((run / "training.json").read_text())["training"]
    assert first["steps"] == 4
    assert first["talkers"] == TALKERS - 2
    assert first["limits"]["near"] == [0.2, 0.8]

    card = json.loads((folder / "models" / "mine-1.5m.json").read_text())
    assert card["limits"] == {"near": [0.2, 1.3], "far": [1.7, 6.0], "far_outdoor": [1.7, 15.0]}
    training = card["training"]
    assert training["precision"] == "float32"
    assert training["begun_with"] == "mine.weights.h5"
    assert training["hours_before"] == first["hours"]
    assert "limits" not in training
    (scores,) = card["scores"].values()
    assert scores["test_set"]["threshold_m"] == 1.5
    assert sum(stratum["scenes"] for stratum in scores["strata"].values()) == 4

    near, far = soundfile.read(folder / "near.wav")[0], soundfile.read(folder / "far.wav")[0]
    assert len(near) == len(far) == soundfile.info(folder / "meeting.flac").frames
    assert np.any(near) and np.any(far)


def test_every_variable_of_the_guide_is_explained():
    """No other variable is explained."""
    (explained,) = re.findall(r"^```sh\n(SPEECH=.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    names = set(re.findall(r"^([A-Z]+)=", explained, re.M))
    assert names == set(SMALL) | set(NAMES)
    assert set(re.findall(r"\$\(?\(?(?:\d \* )?([A-Z]+)", "".join(BLOCKS))) == names
