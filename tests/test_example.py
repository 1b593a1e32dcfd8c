"""Example recordings: properties of the files, and a script that still makes them."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from dss_cli.errors import DssError
from dss_cli.utils.markdown import write_section

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
NAMES = ("two_talkers", "conversation")
PARTS = {"mixture": "", "near": ".near", "far": ".far"}  # suffixes of the file names
TURN = 0.6  # longest silence within a turn in seconds
Steps = npt.NDArray[np.int32]  # 16-bit quantisation steps
FULL_SCALE = 20 * np.log10(2**15)


def read(path: Path) -> Steps:
    steps, rate = soundfile.read(path, dtype="int16")
    assert rate == 16_000 and steps.ndim == 1
    return np.asarray(steps, dtype=np.int32)


def level(steps: npt.NDArray[Any]) -> float:
    """Return the level in dB re full scale, finite for digital silence."""
    return float(10 * np.log10(np.mean(steps.astype(np.float64) ** 2) + 1e-9) - FULL_SCALE)


def correlation(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    return float(np.corrcoef(first, second)[0, 1])


def read_about(folder: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))


def turns(talker: dict[str, Any]) -> list[tuple[float, float]]:
    """Return start and end of each turn, in seconds."""
    merged: list[tuple[float, float]] = []
    for said in talker["sentences"]:
        start = said["start"]
        if merged and start - merged[-1][1] < TURN:
            start = merged.pop()[0]
        merged.append((start, said["end"]))
    return merged


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def about(name: str) -> dict[str, Any]:
    return read_about(EXAMPLES, name)


@pytest.fixture(scope="module")
def tracks(name: str) -> dict[str, Steps]:
    found = {part: read(EXAMPLES / f"{name}{end}.flac") for part, end in PARTS.items()}
    return {**found, "noise": found["mixture"] - found["near"] - found["far"]}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("make_example")


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("demo")


def test_files_are_mono_16_bit_flac_of_one_length(
    name: str, about: dict[str, Any], tracks: dict[str, Steps]
) -> None:
    for end in PARTS.values():
        info = soundfile.info(EXAMPLES / f"{name}{end}.flac")
        assert (info.format, info.subtype, info.channels) == ("FLAC", "PCM_16", 1)
        assert (info.samplerate, info.frames) == (about["sample_rate"], about["frames"])
    shortest, longest = {"two_talkers": (8, 12), "conversation": (40, 40)}[name]
    assert shortest <= about["frames"] / about["sample_rate"] <= longest
    assert 0.25 < np.max(np.abs(tracks["mixture"])) / 2**15 < 1  # loud, not clipped


def test_files_are_small(name: str) -> None:
    assert sum((EXAMPLES / f"{name}{end}.flac").stat().st_size for end in PARTS.values()) < 1_200_000


def test_levels_are_those_of_the_json_file(about: dict[str, Any], tracks: dict[str, Steps]) -> None:
    near, far = about["talkers"]["near"], about["talkers"]["far"]
    assert level(tracks["near"]) == pytest.approx(near["level"], abs=0.01)
    assert level(tracks["far"]) == pytest.approx(far["level"], abs=0.01)
    assert level(tracks["noise"]) == pytest.approx(about["noise_level"], abs=0.01)
    speech = level(tracks["near"] + tracks["far"])
    assert speech - level(tracks["noise"]) == pytest.approx(about["snr"], abs=0.02)
    assert near["level"] - far["level"] == pytest.approx(about["near_to_far"], abs=0.02)


def test_the_rest_of_the_mixture_is_the_noise_and_nothing_else(
    script: ModuleType, about: dict[str, Any], tracks: dict[str, Steps]
) -> None:
    # The rest contains neither talker: it equals the seeded noise within half a quantisation step.
    noise = script.room_noise(len(tracks["noise"]), about["seed"])
    gain = np.linalg.norm(tracks["noise"]) / np.linalg.norm(noise)
    assert np.max(np.abs(gain * noise - tracks["noise"])) < about["step"]


def test_talkers_sit_in_the_room_at_their_distances(name: str, about: dict[str, Any]) -> None:
    distances, (driest, longest) = {
        "two_talkers": ({"near": 0.4, "far": 3.0}, (0.3, 0.5)),
        "conversation": ({"near": 0.45, "far": 2.2}, (0.1, 0.25)),
    }[name]
    for stem, distance in distances.items():
        talker = about["talkers"][stem]
        position = np.array(talker["position"])
        offset = position - about["microphone"]
        assert talker["distance"] == distance
        assert np.linalg.norm(offset) == pytest.approx(distance, abs=1e-3)
        assert np.all(position > 0.3) and np.all(position < np.array(about["room"]["size"]) - 0.3)
        assert driest < talker["rt60"] < longest


def test_direct_sound_is_that_of_the_places(name: str, about: dict[str, Any]) -> None:
    near, far = (about["talkers"][stem]["direct_to_reverberant"] for stem in ("near", "far"))
    if name == "two_talkers":
        assert near > 0 > far  # inside and outside the critical distance
    else:  # the 10th to the 90th percentile of measured rooms, at 0.2 to 0.5 m and 1.8 to 2.5 m
        assert 7.8 < near < 15.1 and -2.4 < far < 6.9


def test_talkers_take_turns_and_overlap(name: str, about: dict[str, Any], tracks: dict[str, Steps]) -> None:
    activity = about["activity"]
    alone, both = {"two_talkers": (2, 2), "conversation": (15, 0.3)}[name]
    assert min(activity[part] for part in ("near_alone", "far_alone")) > alone
    assert activity["both"] > both
    assert sum(activity.values()) == pytest.approx(about["frames"] / about["sample_rate"], abs=1e-3)
    rate = about["sample_rate"]
    for stem, talker in about["talkers"].items():
        heard = np.zeros(about["frames"], dtype=bool)
        sounding = np.zeros(about["frames"], dtype=bool)
        for said in talker["sentences"]:
            heard[int(said["start"] * rate) : int((said["end"] + 0.5) * rate)] = True
            sounding[int(said["start"] * rate) : int(said["end"] * rate)] = True
        # Silence before the first word and after the decay of the room; speech in between.
        assert level(tracks[stem][~heard]) < level(tracks[stem][sounding]) - 40


def test_the_conversation_has_turns_and_an_early_monologue_of_the_far_voice() -> None:
    about = read_about(EXAMPLES, "conversation")
    near, far = (turns(about["talkers"][stem]) for stem in ("near", "far"))
    assert len(near) >= 3 and len(far) >= 3
    assert all(3 <= end - start <= 12 for start, end in near + far)
    start, end = far[0]
    assert end - start >= 10
    assert sum(min(stop, end) - begin for begin, stop in near if begin < end) < 5
    assert about["activity"]["both"] < 1  # a short overlap
    assert about["noise_level"] < -50  # a quiet room


def test_no_voice_and_no_sentence_is_in_both_examples() -> None:
    first, second = (read_about(EXAMPLES, name)["talkers"].values() for name in NAMES)
    for ours in first:
        for theirs in second:
            assert ours["voice"]["variant"] != theirs["voice"]["variant"]
            assert not {s["text"] for s in ours["sentences"]} & {s["text"] for s in theirs["sentences"]}


def test_voices_differ(about: dict[str, Any], tracks: dict[str, Steps]) -> None:
    near, far = (about["talkers"][name]["voice"] for name in ("near", "far"))
    assert all(near[key] != far[key] for key in near)
    assert abs(correlation(tracks["near"], tracks["far"])) < 0.05


@pytest.fixture(scope="module")
def remade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with all examples, made again."""
    for module in ("espeakng_loader", "pyroomacoustics"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed (extras: train, dev)")
    folder = tmp_path_factory.mktemp("examples")
    # A separate process, because the synthesiser keeps state from one sentence to the next.
    command = [sys.executable, str(EXAMPLES / "make_example.py"), "--output-dir", str(folder)]
    subprocess.run(command, check=True)
    return folder


def test_the_script_makes_the_committed_files_again(
    name: str, remade: Path, about: dict[str, Any], tracks: dict[str, Steps]
) -> None:
    for part, end in PARTS.items():
        again = read(remade / f"{name}{end}.flac")
        # Another processor may round the synthesiser's floats differently.
        assert correlation(again, tracks[part]) > 0.9999
        assert level(again) == pytest.approx(level(tracks[part]), abs=0.01)
    about_again = read_about(remade, name)
    assert about_again.keys() == about.keys()
    assert about_again["activity"] == pytest.approx(about["activity"], abs=0.01)


def test_the_script_makes_all_examples_and_nothing_else(remade: Path) -> None:
    files = {f"{name}{end}" for name in NAMES for end in (".flac", ".near.flac", ".far.flac", ".json")}
    assert {path.name for path in remade.iterdir()} == files
    assert files <= {path.name for path in EXAMPLES.iterdir()}


@pytest.fixture
def stems(tmp_path: Path) -> Callable[[str, dict[str, str]], Path]:
    """Make a folder of stems, each a copy of the example's file with the given suffix."""

    def make(folder: str, ends: dict[str, str]) -> Path:
        (tmp_path / folder).mkdir()
        for name in NAMES:
            for stem, end in ends.items():
                shutil.copy(EXAMPLES / f"{name}{end}.flac", tmp_path / folder / f"{name}.{stem}.flac")
        return tmp_path / folder

    return make


PERFECT = {"near": ".near", "far": ".far"}
SWAPPED = {"near": ".far", "far": ".near"}
UNTOUCHED = {"near": "", "far": ""}


def test_demo_scores_stems_against_the_references(
    demo: ModuleType, stems: Callable[[str, dict[str, str]], Path]
) -> None:
    scores, changed = demo.score(stems("context", PERFECT), stems("alone", UNTOUCHED))
    assert changed
    assert [(row.example, row.stem) for row in scores] == [(n, s) for n in NAMES for s in ("near", "far")]
    for row in scores:
        assert (row.context.si_sdr, row.context.wrong) == (80.0, 0)  # the best possible score
        assert row.alone.si_sdr == row.mixture  # no improvement
        assert (row.mixture > 0) == (row.stem == "near")
        assert row.cells[4] == f"{80 - row.mixture:+.1f}"


def test_demo_counts_the_seconds_that_leave_by_the_wrong_output(
    demo: ModuleType, stems: Callable[[str, dict[str, str]], Path]
) -> None:
    scores, _ = demo.score(stems("context", PERFECT), stems("alone", SWAPPED))
    for row in scores[2:]:
        assert row.alone.wrong == row.alone.lone == row.context.lone > 10
        assert row.cells[-2:] == (f"{row.alone.lone} of {row.alone.lone} s", f"0 of {row.alone.lone} s")


def test_demo_says_where_context_changes_nothing(
    tmp_path: Path,
    demo: ModuleType,
    stems: Callable[[str, dict[str, str]], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = stems("one", UNTOUCHED)
    scores, changed = demo.score(folder, folder)
    assert not changed
    assert all(row.alone == row.context for row in scores)
    page = tmp_path / "README.md"
    for known, lines in ((False, 1), (True, 0)):
        demo.show(scores, known, folder)
        page.write_text("<!-- scores -->\n<!-- scores: end -->\n")
        demo.fill(page, scores, known)
        assert (
            capsys.readouterr().out.count(demo.NO_CONTEXT) == page.read_text().count(demo.NO_CONTEXT) == lines
        )


def test_demo_fills_the_marked_place_and_nothing_else(tmp_path: Path, demo: ModuleType) -> None:
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- scores -->\nold\n<!-- scores: end -->\nafter\n")
    alone, context = demo.Quality(5.0, wrong=7, lone=9), demo.Quality(10.04, wrong=1, lone=9)
    scores = [demo.Score("meeting", "near", 3.0, alone, context)]
    for _ in range(2):  # filling again changes nothing
        demo.fill(page, scores, True)
        assert page.read_text().startswith("before\n<!-- scores -->\n")
        assert page.read_text().endswith("\n<!-- scores: end -->\nafter\n")
        table = [line for line in page.read_text().splitlines() if line.startswith("|")]
        assert len(table) == 3
        assert table[2] == "| meeting, near | +3.0 | +5.0 | +10.0 | +7.0 | 7 of 9 s | 1 of 9 s |"
    page.write_text("no marks")
    with pytest.raises(DssError, match="no line `<!-- scores -->`"):
        demo.fill(page, scores, True)


def test_readme_has_the_place_for_the_scores(demo: ModuleType) -> None:
    write_section(ROOT / "README.md", demo.LABEL, None)


def test_make_separates_the_examples_that_the_script_makes_and_the_demo_scores(
    script: ModuleType, demo: ModuleType
) -> None:
    made = re.search(r"^EXAMPLES = (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert made
    assert [Path(path).stem for path in made[1].split()] == list(demo.EXAMPLES)
    assert [scene.name for scene in script.SCENES] == list(demo.EXAMPLES)
