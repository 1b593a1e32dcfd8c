"""Manifest of a batch: complete lines, however the previous run ended."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest

from dss_cli.errors import DssError, UsageError
from dss_cli.separation.manifest import Manifest

DONE = {
    "input": "a.wav",
    "outputs": {"near": "a.near.wav"},
    "sha256": {"near": "00"},
    "seconds": 1.0,
    "elapsed": 0.1,
    "warnings": [],
}


def write(path, *entries):
    notes = []
    with Manifest(path, notes.append) as manifest:
        for entry in entries:
            manifest.add(entry)
    return notes


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_line_is_there_as_soon_as_it_is_added(tmp_path):
    path = tmp_path / "new" / "m.jsonl"
    with Manifest(path, print) as manifest:
        for number in range(3):
            manifest.add(DONE | {"input": f"{number}.wav", "rtf": 0.1})
            assert [entry["input"] for entry in read(path)] == [f"{each}.wav" for each in range(number + 1)]
    assert read(path)[0] == DONE | {"input": "0.wav", "worker": platform.node()}


def test_a_further_run_appends_and_does_not_tell_twice_what_was_left_out(tmp_path):
    path = tmp_path / "m.jsonl"
    write(path, DONE, {"input": "b.wav", "error": "b.wav: not audio", "exit_code": 1})
    skipped = {"outputs": {}, "skipped": True}
    assert (
        write(path, {"input": "a.wav", **skipped}, DONE | {"input": "b.wav"}, {"input": "c.wav", **skipped})
        == []
    )
    told = [(entry["input"], "error" in entry, "skipped" in entry) for entry in read(path)]
    assert told == [
        ("a.wav", False, False),
        ("b.wav", True, False),
        ("b.wav", False, False),
        ("c.wav", False, True),
    ]


@pytest.mark.parametrize("cut", [12, 40, -1])
def test_a_line_that_a_crash_cut_short_is_removed_aloud(tmp_path, cut):
    path = tmp_path / "m.jsonl"
    write(path, DONE, DONE | {"input": "b.wav"})
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:cut])
    (note,) = write(path, DONE | {"input": "c.wav"})
    assert note == f"{path}: line 2 was truncated by a crash, and is removed"
    assert [entry["input"] for entry in read(path)] == ["a.wav", "c.wav"]


@pytest.mark.parametrize("data", [b"RIFF", b"[1]\n", b'{"a": 1}\n', b"text\nmore\n", b"\xff\xfe\n"])
def test_other_files_are_refused_and_stay(tmp_path, data):
    path = tmp_path / "m.jsonl"
    path.write_bytes(data)
    with pytest.raises(UsageError, match="name another file"):
        write(path, DONE)
    assert path.read_bytes() == data


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DssError, match="cannot be written"):
        write(tmp_path / "file" / "m.jsonl")


def test_devices_and_folders_are_refused(tmp_path):
    for path in (Path(os.devnull), tmp_path):
        with pytest.raises(UsageError, match="a manifest must be a regular file"):
            write(path, DONE)


def test_a_disk_that_is_full_leaves_whole_lines(tmp_path, monkeypatch):
    path = tmp_path / "m.jsonl"
    write(path, DONE)
    ordinary = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: ordinary(descriptor, data[:20]))
    with pytest.raises(DssError, match="cannot be written: no space left"):
        write(path, DONE | {"input": "b.wav"})
    assert [entry["input"] for entry in read(path)] == ["a.wav"]
