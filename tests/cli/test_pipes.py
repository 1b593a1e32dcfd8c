"""Pipes, devices and closed streams, with the real ffmpeg and sox if they are installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from tests.helpers.documented import run_documented
from tests.helpers.synth import noise, tone, write

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def piped_lines():
    """Return every line of the documents with a pipe into or out of `dss separate`."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    documents = [ROOT / "README.md", *(page for page in pages if page.name != "recipes.md")]  # test_recipes
    lines = [
        line for path in documents for block in BLOCK.findall(path.read_text()) for line in block.splitlines()
    ]
    return [line for line in lines if "|" in line and "dss separate" in line]


def test_the_readme_has_a_pipe():
    assert piped_lines()


@pytest.mark.parametrize("command", piped_lines())
def test_every_pipe_of_the_documents_works_with_the_real_programs(here, command):
    for program in ("ffmpeg", "sox"):
        if program in command and shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    write(here / "in.wav", tone(64_000, 16_000))
    for name in ("call.m4a", "call.wav", "talk.mp3"):
        if name in command:
            subprocess.run(["ffmpeg", "-v", "error", "-i", "in.wav", name], check=True, cwd=here)
    before = set(here.iterdir())
    done = run_documented(command, here)
    assert done.returncode == 0, done.stderr
    made = set(here.iterdir()) - before
    assert made
    for path in made:
        seconds = sf.info(path).duration
        assert seconds == pytest.approx(4.0, abs=0.2), path


def test_header_and_first_samples_leave_in_one_write(stubbed, here):
    write(here / "a.wav", noise(16_000))
    process = subprocess.Popen(
        [*stubbed(), "separate", "a.wav", "--near", "-"], stdout=subprocess.PIPE, stderr=-3
    )
    first = os.read(process.stdout.fileno(), 65_536)
    rest = process.stdout.read()
    assert process.wait(60) == 0
    assert first.startswith(b"RIFF")
    assert len(first) > 44
    assert len(first + rest) == 44 + 32_000


# Devices and FIFOs.


def test_a_device_is_written_to(dss, stub, recording, here):
    recording("a.wav")
    assert dss("separate", "a.wav", "--near", "/dev/null", "--far", "f.wav")[0] == 0
    assert sf.info(here / "f.wav").frames == 16_000
    assert dss("separate", "a.wav", "--near", "/dev/null", "--far", "/dev/null")[0] == 0
    assert Path("/dev/null").is_char_device()


def test_a_fifo_is_written_to_and_stays_one(dss, stub, recording, here):
    samples = recording("a.wav")
    os.mkfifo(here / "near.wav")
    got = []
    reader = threading.Thread(target=lambda: got.append((here / "near.wav").read_bytes()))
    reader.start()
    assert dss("separate", "a.wav", "--near", "near.wav", "--far", "far.wav")[0] == 0
    reader.join(10)
    assert (here / "near.wav").is_fifo()
    (here / "got.wav").write_bytes(got[0])
    np.testing.assert_allclose(sf.read(here / "got.wav", always_2d=True)[0], 0.75 * samples, atol=1e-6)


def test_a_fifo_that_is_named_like_another_format_is_refused(dss, stub, recording, here):
    recording("a.wav")
    os.mkfifo(here / "near.flac")
    status, _, err = dss("separate", "a.wav", "--near", "near.flac")
    assert (status, err) == (2, ["dss: error: near.flac: a pipe carries WAV, not .flac; name it .wav"])


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_dev_stdout_is_standard_output(stubbed, recording, here, name):
    samples = recording("a.wav")
    with (here / "near.wav").open("wb") as file:
        command = [*stubbed(), "separate", "a.wav", "--near", name]
        assert subprocess.run(command, stdout=file, timeout=60).returncode == 0
    np.testing.assert_allclose(sf.read(here / "near.wav", always_2d=True)[0], 0.75 * samples, atol=1e-6)


def test_dev_stdout_and_json_are_refused_together(dss, stub, recording):
    recording("a.wav")
    status, out, err = dss("separate", "a.wav", "--near", "/dev/stdout", "--json")
    assert (status, out, len(err)) == (2, "", 1)


# Closed streams.


def shell(stubbed, redirections, *arguments, data=b"", changes=""):
    command = [*stubbed(changes), "separate", *arguments]
    quoted = " ".join(f"'{part}'" for part in command)
    return subprocess.run(
        ["sh", "-c", f"{quoted} {redirections}"], input=data, capture_output=True, timeout=60
    )


def test_with_stderr_closed_files_are_read_and_errors_vanish(stubbed, recording, here):
    samples = recording("a.wav")
    done = shell(stubbed, "2>&-", "a.wav", "--near", "-")
    assert (done.returncode, done.stderr) == (0, b"")
    (here / "out.wav").write_bytes(done.stdout)
    np.testing.assert_allclose(sf.read(here / "out.wav", always_2d=True)[0], 0.75 * samples, atol=1e-6)
    done = shell(stubbed, "2>&-", "missing.wav", "--near", "-")
    assert (done.returncode, done.stdout) == (1, b"")


def test_with_stdout_closed_files_are_separated(stubbed, recording, here):
    recording("a.wav")
    done = shell(stubbed, ">&-", "a.wav")
    assert done.returncode == 0
    assert b"a.near.wav" in done.stderr
    assert sf.info(here / "a.near.wav").frames == 16_000


@pytest.mark.parametrize("arguments", [("--near", "-"), ("--near", "n.wav", "--json")])
def test_a_stem_or_report_for_a_closed_stdout_is_an_error(stubbed, recording, here, arguments):
    recording("a.wav")
    done = shell(stubbed, ">&-", "a.wav", *arguments, "--quiet")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert b"dss: error: " in done.stderr


def test_a_closed_stdin_is_an_error_where_it_is_read(stubbed, recording, here):
    recording("a.wav")
    assert shell(stubbed, "<&-", "a.wav").returncode == 0
    done = shell(stubbed, "<&-", "-", "--near", "n.wav")
    assert done.returncode == 1
    assert done.stderr.startswith(b"dss: error: standard input: cannot be read")
    assert len(done.stderr.splitlines()) == 1


def test_with_all_streams_closed_the_stems_are_whole(stubbed, recording, here):
    recording("a.flac")
    assert shell(stubbed, "<&- >&- 2>&-", "a.flac").returncode == 0
    assert sf.info(here / "a.far.flac").frames == 16_000


# The network prints on both descriptors while it runs.
PRINTING = """
import os
quiet = Stub.separate

def separate(self, mixture):
    os.write(1, b"from C on 1")
    os.write(2, b"from C on 2")
    return quiet(self, mixture)

Stub.separate = separate
"""


def test_what_c_libraries_print_never_reaches_standard_output(stubbed, recording, here):
    samples = recording("a.wav")
    done = shell(stubbed, "", "a.wav", "--near", "-", changes=PRINTING)
    assert done.returncode == 0
    assert b"from C" not in done.stdout
    assert b"from C on 1" in done.stderr
    (here / "out.wav").write_bytes(done.stdout)
    np.testing.assert_allclose(sf.read(here / "out.wav", always_2d=True)[0], 0.75 * samples, atol=1e-6)


def test_json_stands_alone_on_standard_output_whatever_c_libraries_print(stubbed, recording, here):
    recording("a.wav")
    done = shell(stubbed, "", "a.wav", "--near", "n.wav", "--json", changes=PRINTING)
    assert json.loads(done.stdout)["tally"]["separated"] == 1
