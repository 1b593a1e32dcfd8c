"""The example recording: what its files promise, and that its script still makes them."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from dss_cli.utils.markdown import write_section

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
Steps = npt.NDArray[np.int32]  # 16-bit quantisation steps
FULL_SCALE = 20 * np.log10(2**15)


def read(path: Path) -> Steps:
    steps, rate = soundfile.read(path, dtype="int16")
    assert rate == 16_000 and steps.ndim == 1
    return np.asarray(steps, dtype=np.int32)


def level(steps: npt.NDArray[Any]) -> float:
    """dB re full scale."""
    return float(10 * np.log10(np.mean(steps.astype(np.float64) ** 2)) - FULL_SCALE)


def correlation(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    return float(np.corrcoef(first, second)[0, 1])


@pytest.fixture(scope="module")
def about() -> dict[str, Any]:
    text = (EXAMPLES / "two_talkers.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@pytest.fixture(scope="module")
def tracks() -> dict[str, Steps]:
    mixture, near, far = (read(EXAMPLES / f"two_talkers{part}.flac") for part in ("", ".near", ".far"))
    return {"mixture": mixture, "near": near, "far": far, "noise": mixture - near - far}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("make_example")


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("demo")


def test_files_are_mono_16_bit_flac_of_one_length(about: dict[str, Any], tracks: dict[str, Steps]) -> None:
    for part in ("", ".near", ".far"):
        info = soundfile.info(EXAMPLES / f"two_talkers{part}.flac")
        assert (info.format, info.subtype, info.channels) == ("FLAC", "PCM_16", 1)
        assert (info.samplerate, info.frames) == (about["sample_rate"], about["frames"])
    assert 8 <= about["frames"] / about["sample_rate"] <= 12
    assert 0.25 < np.max(np.abs(tracks["mixture"])) / 2**15 < 1  # loud, not clipped


def test_levels_are_those_of_the_json_file(about: dict[str, Any], tracks: dict[str, Steps]) -> None:
    near, far = about["talkers"]["near"], about["talkers"]["far"]
    assert level(tracks["near"]) == pytest.approx(near["level"], abs=0.01)
    assert level(tracks["far"]) == pytest.approx(far["level"], abs=0.01)
    assert level(tracks["noise"]) == pytest.approx(about["noise_level"], abs=0.01)
    speech = level(tracks["near"] + tracks["far"])
    assert speech - level(tracks["noise"]) == pytest.approx(about["snr"], abs=0.02)
    assert near["level"] - far["level"] == pytest.approx(about["near_to_far"], abs=0.02)


def test_the_rest_of_the_mixture_is_the_noise_and_nothing_else(
    script: ModuleType, tracks: dict[str, Steps]
) -> None:
    # Nothing of either talker is in the rest: it is the seeded noise to half a quantisation step.
    noise = script.room_noise(len(tracks["noise"]))
    gain = np.linalg.norm(tracks["noise"]) / np.linalg.norm(noise)
    assert np.max(np.abs(gain * noise - tracks["noise"])) < 1


def test_talkers_sit_in_the_room_at_their_distances(about: dict[str, Any]) -> None:
    for name, distance in (("near", 0.4), ("far", 3.0)):
        talker = about["talkers"][name]
        position = np.array(talker["position"])
        offset = position - about["microphone"]
        assert talker["distance"] == distance
        assert np.linalg.norm(offset) == pytest.approx(distance, abs=1e-3)
        assert np.all(position > 0.3) and np.all(position < np.array(about["room"]["size"]) - 0.3)
        assert 0.3 < talker["rt60"] < 0.5
    near, far = (about["talkers"][name]["direct_to_reverberant"] for name in ("near", "far"))
    assert near > 0 > far  # inside and outside the critical distance


def test_talkers_take_turns_and_overlap(about: dict[str, Any], tracks: dict[str, Steps]) -> None:
    activity = about["activity"]
    assert min(activity[part] for part in ("near_alone", "far_alone", "both")) > 2
    assert sum(activity.values()) == pytest.approx(about["frames"] / about["sample_rate"], abs=1e-3)
    rate = about["sample_rate"]
    for name, talker in about["talkers"].items():
        heard = np.zeros(about["frames"], dtype=bool)
        sounding = np.zeros(about["frames"], dtype=bool)
        for said in talker["sentences"]:
            heard[int(said["start"] * rate) : int((said["end"] + 0.5) * rate)] = True
            sounding[int(said["start"] * rate) : int(said["end"] * rate)] = True
        # Silence before the first word and once the room has died away; speech in between.
        assert level(tracks[name][~heard]) < level(tracks[name][sounding]) - 40


def test_voices_differ(about: dict[str, Any], tracks: dict[str, Steps]) -> None:
    near, far = (about["talkers"][name]["voice"] for name in ("near", "far"))
    assert all(near[key] != far[key] for key in near)
    assert abs(correlation(tracks["near"], tracks["far"])) < 0.05


def test_the_script_makes_the_committed_files_again(
    tmp_path: Path, about: dict[str, Any], tracks: dict[str, Steps]
) -> None:
    for module in ("espeakng_loader", "pyroomacoustics"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed (extras: train, dev)")
    # A process of its own: the synthesiser keeps state from one sentence to the next.
    command = [sys.executable, str(EXAMPLES / "make_example.py"), "--output-dir", str(tmp_path)]
    subprocess.run(command, check=True)
    for part, name in (("", "mixture"), (".near", "near"), (".far", "far")):
        again = read(tmp_path / f"two_talkers{part}.flac")
        # Another processor may round the synthesiser's floats differently.
        assert correlation(again, tracks[name]) > 0.9999
        assert level(again) == pytest.approx(level(tracks[name]), abs=0.01)
    remade = json.loads((tmp_path / "two_talkers.json").read_text(encoding="utf-8"))
    assert remade.keys() == about.keys()
    assert remade["activity"] == pytest.approx(about["activity"], abs=0.01)


def test_demo_scores_stems_against_the_references(tmp_path: Path, demo: ModuleType) -> None:
    # A perfect near stem and a useless far stem: as good as it gets, and no better than before.
    shutil.copy(EXAMPLES / "two_talkers.near.flac", tmp_path)
    shutil.copy(EXAMPLES / "two_talkers.flac", tmp_path / "two_talkers.far.flac")
    near, far = demo.score(tmp_path)
    assert (near.stem, near.after) == ("near", 80.0)
    assert (far.stem, far.after) == ("far", far.before)
    assert near.before > 0 > far.before
    assert far.cells[-1] == "+0.0 dB"


def test_the_readme_shows_the_scores_of_the_demo(tmp_path: Path, demo: ModuleType) -> None:
    scores = [demo.Score("near", tmp_path, before=3.0, after=10.04)]
    assert demo.table(scores).splitlines() == [
        "| stem | SI-SDR in the mixture | SI-SDR in the stem | improvement |",
        "| --- | ---: | ---: | ---: |",
        "| near | +3.0 dB | +10.0 dB | +7.0 dB |",
    ]
    write_section(ROOT / "README.md", "scores", None)  # has its place
