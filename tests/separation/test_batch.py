"""Names of outputs for given inputs, and refusals before a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from dss_cli.errors import UsageError
from dss_cli.separation.batch import plan


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def targets(*arguments, **options) -> dict[str, list[str]]:
    jobs = plan(*arguments, **options).jobs
    return {
        Path(job.source).as_posix(): [Path(path).as_posix() for path in job.targets.values()] for job in jobs
    }


@pytest.mark.parametrize(
    ("source", "options", "expected"),
    [
        ("a.flac", {}, ["a.near.flac", "a.far.flac"]),
        ("in/a.b.WAV", {}, ["a.b.near.WAV", "a.b.far.WAV"]),
        ("a.flac", {"extension": "wav"}, ["a.near.wav", "a.far.wav"]),
        ("a.flac", {"extension": ".ogg"}, ["a.near.ogg", "a.far.ogg"]),
        ("a.flac", {"output_dir": Path("out")}, ["out/a.near.flac", "out/a.far.flac"]),
        ("recording", {}, ["recording.near.wav", "recording.far.wav"]),
    ],
)
def test_default_names(source, options, expected):
    assert targets([source], {}, **options) == {source: expected}


def test_named_outputs_are_all_there_is():
    assert targets(["a.wav"], {"near": "n.flac"}) == {"a.wav": ["n.flac"]}
    assert targets(["-"], {"far": "-"}) == {"-": ["-"]}
    both = {"near": "n.wav", "far": "-", "residual": "r.wav"}
    assert targets(["-"], both) == {"-": ["n.wav", "-", "r.wav"]}


def test_residual_comes_in_addition_to_the_default_names():
    expected = {"a.wav": ["out/a.near.wav", "out/a.far.wav", "r.wav"]}
    assert targets(["a.wav"], {"residual": "r.wav"}, output_dir=Path("out")) == expected


def test_folders_are_mirrored():
    touch("in/b.wav", "in/x/y/a.flac", "in/x/notes.txt", "in/.hidden.wav", "in/.git/c.wav")
    assert targets(["in"], {}, output_dir=Path("out"), recursive=True) == {
        "in/b.wav": ["out/b.near.wav", "out/b.far.wav"],
        "in/x/y/a.flac": ["out/x/y/a.near.flac", "out/x/y/a.far.flac"],
    }


def test_what_is_passed_over_is_counted_by_kind_and_named_in_the_log(caplog):
    touch("in/a.wav", "in/b.txt", "in/c.TXT", "in/noext", "in/.hidden.wav", "in/.git/x", "real/d.wav")
    Path("in/linked").symlink_to("../real")
    Path("in/gone.wav").symlink_to("nowhere")
    with caplog.at_level("INFO", logger="dss_cli"):
        planned = plan(["in"], {}, recursive=True)
    assert [Path(job.source).as_posix() for job in planned.jobs] == ["in/a.wav"]
    kinds = ["without extension", "hidden", "hidden folder", "linked folder", "broken link"]
    assert planned.left_out == {".txt": 2, **dict.fromkeys(kinds, 1)}
    assert "left out: in/noext (without extension)" in caplog.text
    assert "left out: in/linked (linked folder)" in caplog.text


def test_linked_folders_are_followed_when_asked_and_loops_end():
    touch("in/a.wav", "real/x/d.wav")
    Path("in/linked").symlink_to("../real")
    Path("real/x/back").symlink_to("../../in")
    Path("in/again").symlink_to("../real")
    assert targets(["in"], {}, output_dir=Path("out"), recursive=True, follow_links=True) == {
        "in/a.wav": ["out/a.near.wav", "out/a.far.wav"],
        "in/again/x/d.wav": ["out/again/x/d.near.wav", "out/again/x/d.far.wav"],
    }


@pytest.mark.parametrize("extra", [True, False])
def test_files_that_ffmpeg_reads_are_taken_with_the_extra_and_counted_without(monkeypatch, extra):
    monkeypatch.setattr("dss_cli.separation.folders.find_spec", lambda name: extra or None)
    touch("in/a.wav", "in/b.m4a", "in/c.MP4", "in/code.ts")
    planned = plan(["in"], {}, output_dir=Path("out"), recursive=True)
    if extra:
        assert len(planned.jobs) == 3
        assert planned.jobs[1].targets["near"] == str(Path("out/b.near.wav"))
        assert planned.left_out == {".ts": 1}
    else:
        assert len(planned.jobs) == 1
        assert planned.left_out == {".m4a": 1, ".mp4": 1, ".ts": 1}
        assert "left out 2 files that `pip install 'dss-cli[formats]'`" in planned.notes[0]


def test_outputs_inside_the_folder_are_no_inputs():
    touch("in/a.wav", "in/out/a.near.wav", "in/out/b.wav")
    planned = plan(["in"], {}, output_dir=Path("in/out"), recursive=True, overwrite=True)
    assert [Path(job.source).as_posix() for job in planned.jobs] == ["in/a.wav"]


def test_stems_of_an_earlier_run_are_no_inputs_and_that_is_said():
    touch("in/a.wav", "in/a.near.wav", "in/a.far.wav", "in/a.residual.wav", "in/b.near.wav")
    planned = plan(["in"], {}, output_dir=Path("in"), recursive=True, overwrite=True)
    sources = [Path(job.source).as_posix() for job in planned.jobs]
    assert sources == ["in/a.wav", "in/b.near.wav"]
    assert planned.notes == ["in: left out 3 files that are named like stems of their neighbours"]


def test_finished_recordings_are_known():
    touch("a.near.wav", "a.far.wav")
    finished = [job.finished for job in plan(["a.wav", "b.wav"], {}, skip_existing=True).jobs]
    assert finished == [True, False]


def test_half_finished_recordings_are_refused_unless_they_may_be_replaced():
    touch("a.near.wav")
    with pytest.raises(UsageError, match=r"a\.near\.wav: exists already"):
        plan(["a.wav"], {}, skip_existing=True)
    (job,) = plan(["a.wav"], {}, skip_existing=True, overwrite=True).jobs
    assert not job.finished


@pytest.mark.parametrize(
    ("inputs", "named", "options", "message"),
    [
        (["a.wav", "b.wav"], {"near": "n.wav"}, {}, r"--near names .* one recording, not of 2"),
        (["-", "a.wav"], {}, {}, "standard input .* alone"),
        (["-"], {}, {}, "add --near and/or --far"),
        (["-"], {"residual": "r.wav"}, {}, "add --near and/or --far"),
        (["a.wav"], {"near": "-", "far": "-"}, {}, "only one output"),
        (["a.wav"], {"near": "n.wav"}, {"output_dir": Path("o")}, "--output-dir and --format"),
        (["a.wav"], {"near": "n.wav"}, {"extension": "ogg"}, "--output-dir and --format"),
        (["folder"], {}, {}, "folder: a folder; --recursive"),
        (["folder"], {"near": "n.wav"}, {"recursive": True}, "folder: a folder; .* --output-dir"),
        (["empty"], {}, {"recursive": True}, "empty: no recordings in it"),
        (["a.wav"], {"near": "x.wav", "far": "./x.wav"}, {}, "x.wav: the output of both a.wav"),
        (["a.wav", "b/a.wav"], {}, {}, r"both a\.wav \(near\) and b.a\.wav \(near\)"),
        (["a.wav", "a.wav"], {}, {}, r"a\.near\.wav: the output of both"),
        (["a.wav"], {"near": "./a.wav"}, {"overwrite": True}, "would replace the input a.wav"),
        (["a.wav", "a.near.wav"], {}, {"overwrite": True}, "replace the input a.near.wav"),
        (["there.wav"], {}, {}, "there.far.wav: exists already; --overwrite"),
    ],
)
def test_refusals(inputs, named, options, message):
    touch("folder/a.wav", "empty/notes.txt", "there.far.wav")
    with pytest.raises(UsageError, match=message):
        plan(inputs, named, **options)


def test_an_input_behind_a_link_is_not_replaced():
    touch("a.wav")
    Path("link.wav").symlink_to("a.wav")
    with pytest.raises(UsageError, match="would replace"):
        plan(["link.wav"], {"near": "a.wav"}, overwrite=True)
