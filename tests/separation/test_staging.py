"""Jobs with files at URLs, and jobs that ended before their report."""

from __future__ import annotations

import json

import pytest

from dss_cli.errors import DssError
from dss_cli.separation.batch import Job
from dss_cli.separation.staging import staged
from tests.helpers import tiny
from tests.helpers.stub import files
from tests.helpers.testsets import contents


@pytest.fixture
def job(here):
    """Job with an existing near stem and a missing far stem."""
    (here / "near.wav").write_bytes(b"near")
    return Job("a.wav", {stem: str(here / f"{stem}.wav") for stem in ("near", "far")})


def make(job, near=b"near", **options):
    with staged(job, **options) as here:
        for stem, data in (("near", near), ("far", b"far")):
            with open(here.targets[stem], "wb") as file:  # noqa: PTH123
                file.write(data)


def test_a_job_of_plain_files_is_worked_on_in_place(job):
    for options in ({}, {"adopt": True, "overwrite": True}):
        with staged(job, **options) as here:
            assert here is job


def test_what_an_earlier_attempt_has_written_is_completed(job, here):
    before = (here / "near.wav").stat().st_mtime_ns
    make(job, adopt=True)
    assert contents(here) == {"near.wav": b"near", "far.wav": b"far"}
    assert (here / "near.wav").stat().st_mtime_ns == before


def test_another_file_that_appeared_stays_and_is_an_error(job, here):
    with pytest.raises(DssError, match=r"near\.wav: appeared while working; nothing was written"):
        make(job, near=b"other", adopt=True)
    assert contents(here) == {"near.wav": b"near"}


def test_errors_have_the_names_that_the_user_gave(job):
    with pytest.raises(DssError) as error, staged(job, adopt=True) as here:
        raise DssError(f"{here.targets['far']}: no space")
    assert str(error.value) == f"{job.targets['far']}: no space"


# URLs.


@pytest.fixture
def separate(dss, here, memory, recording):
    """`separate(*arguments)`: run the smallest model; the recordings of `in` are also at memory://in."""
    tiny.write(here)
    for name in ("a.wav", "b/c.flac"):
        recording(f"in/{name}")
    (here / "in" / "notes.txt").write_text("no audio")
    memory.put(str(here / "in"), "/in", recursive=True)

    def run(*arguments):
        return dss("separate", "--model", "tiny.tflite", "--delegate", "cpu", "--jobs", "1", *arguments)

    return run


def stored(memory, folder):
    return {name.removeprefix(f"{folder}/"): memory.cat(name) for name in memory.find(folder)}


@pytest.mark.parametrize("into", ["memory://out", "out"])
def test_urls_are_separated_as_files_are(separate, here, memory, into):
    assert separate("-r", "in", "-o", "plain", "--quiet") == (0, "", [])
    status, out, err = separate("-r", "memory://in", "-o", into, "--json", "--manifest", "m.jsonl")
    assert (status, err) == (0, [])
    report = json.loads(out)
    made = stored(memory, "/out") if into.startswith("memory") else contents(here / "out")
    assert made == contents(here / "plain")
    assert [entry["input"] for entry in report["files"]] == ["memory://in/a.wav", "memory://in/b/c.flac"]
    assert report["files"][1]["outputs"]["far"] == f"{into}/b/c.far.flac"
    assert report["tally"]["left_out"] == {".txt": 1}


def test_outputs_behind_urls_are_refused_skipped_or_replaced(separate, memory):
    memory.pipe("/out/a.near.wav", b"mine")
    status, _, err = separate("-r", "memory://in", "-o", "memory://out")
    assert (status, len(err)) == (2, 1)
    assert "memory://out/a.near.wav: exists already" in err[0]
    assert separate("-r", "memory://in", "-o", "memory://out", "--overwrite")[0] == 0
    assert memory.cat("/out/a.near.wav") != b"mine"
    _, _, err = separate("-r", "memory://in", "-o", "memory://out", "--skip-existing")
    assert err[-1].startswith("0 separated, 3 left out (2 outputs exist")


def test_urls_as_single_files_and_names(separate, here, memory):
    assert separate("memory://in/a.wav", "--near", "memory://x/n.wav", "--far", "f.wav")[0] == 0
    assert separate("in/a.wav", "--near", "n.wav", "--far", "f2.wav")[0] == 0
    assert memory.cat("/x/n.wav") == (here / "n.wav").read_bytes()
    assert (here / "f.wav").read_bytes() == (here / "f2.wav").read_bytes()
    assert separate(f"file://{here}/in/a.wav", "-o", f"file://{here}/plain")[0] == 0
    assert files(here / "plain") == ["a.far.wav", "a.near.wav"]


def test_urls_that_cannot_be_used_are_one_line_each(separate, here, memory):
    memory.pipe("/in/broken.wav", b"no audio")
    before = files(here)
    for arguments, status, word in (
        (["memory://in", "-o", "out"], 2, "memory://in: a folder; --recursive"),
        (["memory://in/none.wav"], 1, "memory://in/none.wav: cannot be read: no such file"),
        (["memory://in/broken.wav"], 1, "memory://in/broken.wav: not audio"),
        (["nonsense://a.wav"], 1, "nonsense://a.wav: cannot be read: "),
        (["memory://in/a.wav", "--near", "memory://in/a.wav"], 2, "would replace the input"),
        (["-r", "memory://empty", "-o", "out"], 1, "memory://empty: cannot be read: no such file"),
    ):
        found, _, err = separate(*arguments)
        assert (found, len(err)) == (status, 1), err
        assert word in err[0]
    assert files(here) == before
