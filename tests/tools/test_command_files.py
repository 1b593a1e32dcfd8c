"""Man page and completions: every option of every command, tested in real shells."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dss_cli.cli.app import COMMANDS
from dss_cli.errors import ExitCode
from tools.command_files import BASH, EXITS, FISH, MAN, ZSH, files, subcommands

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", [MAN, BASH, ZSH, FISH])
def test_the_files_are_those_of_todays_commands(name):
    assert (ROOT / "share" / name).read_text() == files()[name], "python -m tools.update_docs share"


def test_options_are_those_of_the_help(dss):
    found = {command.name: command for command in subcommands()}
    assert len(found) == len(COMMANDS)
    for name, command in found.items():
        status, out, _ = dss(name, "--help")
        shown = set(re.findall(r"(?:^  |, )(--?[a-z][a-z-]*)", out, re.MULTILINE)) - {"-h", "--help"}
        assert status == 0
        assert {one for option in command.options for one in option.names} == shown, name


def test_every_exit_status_is_explained():
    assert set(EXITS) == set(ExitCode)


@pytest.mark.skipif(not shutil.which("bash"), reason="bash completes here")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tr"], ["train"]),
        (["separate", "--delegate", ""], ["auto", "gpu", "cpu"]),
        (["separate", "--out"], ["--output-dir"]),
        (["separate", "in.wav", "--res"], ["--residual"]),
        (["train", "run", "--conf"], ["--config"]),
        (["train", ""], []),
    ],
)
def test_bash_completes(words, expected):
    quoted = " ".join(f"'{word}'" for word in ["dss", *words])
    script = f"source '{ROOT / 'share' / BASH}'; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _dss"
    script += '; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == expected


@pytest.mark.parametrize(("shell", "name"), [("zsh", ZSH), ("fish", FISH)])
def test_other_shells_can_read_theirs(shell, name):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    subprocess.run([shell, "-n", str(ROOT / "share" / name)], check=True)


@pytest.mark.skipif(not shutil.which("groff"), reason="groff reads the man page")
def test_the_man_page_is_set_without_a_warning():
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", str(ROOT / "share" / MAN)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
