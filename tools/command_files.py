"""Generate the man page of `dss` and completions for bash, zsh and fish from the commands.

`python -m tools.update_docs share` writes the files into share/, which the wheel installs as data.
"""

from __future__ import annotations

import enum
import inspect
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.models import ArgumentInfo, OptionInfo

from dss_cli._version import __version__
from dss_cli.cli.app import COMMANDS
from dss_cli.errors import ExitCode

MAN = "man/man1/dss.1"
BASH = "bash-completion/completions/dss"
ZSH = "zsh/site-functions/_dss"
FISH = "fish/vendor_completions.d/dss.fish"
NUMBERS = {int: "N", float: "X"}  # names of values by type
EXITS = {
    ExitCode.OK: "Everything requested was done.",
    ExitCode.FAILED: "A file could not be read, separated or written (others were done); or a check failed.",
    ExitCode.USAGE: "The command line is wrong; nothing was changed.",
    ExitCode.HUNG_UP: "The terminal was closed; no half-written file is left.",
    ExitCode.INTERRUPTED: "Interrupted; no half-written file is left.",
    ExitCode.TERMINATED: "Terminated; no half-written file is left.",
}


@dataclass(frozen=True)
class Option:
    """Option of a command.

    Attributes:
        names: names with dashes, the short one first.
        value: name of the value in the help; empty for a switch.
        choices: allowed values, if they are enumerated.
        about: help text.
    """

    names: tuple[str, ...]
    value: str
    choices: tuple[str, ...]
    about: str


@dataclass(frozen=True)
class Subcommand:
    """Command of `dss` with its name, help, arguments (as in the usage line) and options."""

    name: str
    about: str
    arguments: str
    options: tuple[Option, ...]


def subcommands() -> list[Subcommand]:
    """Return the commands in the order of `dss --help`, read from the signatures of their functions."""
    found = []
    for command in COMMANDS:
        hints = typing.get_type_hints(command, include_extras=True)
        arguments, options = [], []
        for name in inspect.signature(command).parameters:
            kind, *notes = typing.get_args(hints[name])
            (info,) = (note for note in notes if isinstance(note, ArgumentInfo | OptionInfo))
            if isinstance(info, ArgumentInfo):
                many = " ..." if typing.get_origin(kind) is list else ""
                arguments.append((info.metavar or name.upper()).strip("[]") + many)
            else:
                options.append(_option(name, kind, info))
        about = inspect.cleandoc(command.__doc__ or "")
        name = command.__name__.replace("_", "-")
        found.append(Subcommand(name, about, " ".join(arguments), tuple(options)))
    return found


def files() -> dict[str, str]:
    """Return the content of each file by its path below `share`."""
    found = subcommands()
    return {MAN: man_page(found), BASH: bash(found), ZSH: zsh(found), FISH: fish(found)}


def write(folder: Path) -> None:
    """Write the files into a folder."""
    for name, text in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def man_page(commands: list[Subcommand]) -> str:
    """Return the man page, in the macros of man(7)."""
    lines = [
        f'.TH DSS 1 "" "dss {__version__}" "User Commands"',
        ".SH NAME",
        r"dss \- separate a recording into near and far talkers",
        ".SH SYNOPSIS",
        ".B dss",
        r"COMMAND [OPTIONS] \&...",
    ]
    for command in commands:
        lines += [f".SH {command.name.upper()}", rf".B dss {_roff(command.name)}"]
        lines += [_roff(f"{command.arguments} [OPTIONS]".strip())]
        lines += [part for text in command.about.split("\n\n") for part in (".PP", _roff(_line(text)))]
        for option in command.options:
            names = ", ".join(rf"\fB{_roff(name)}\fR" for name in option.names)
            value = rf" \fI{_roff(option.value)}\fR" if option.value else ""
            lines += [".TP", names + value, _roff(option.about)]
    lines += [".SH EXIT STATUS"]
    for code, about in EXITS.items():
        lines += [".TP", rf"\fB{int(code)}\fR", _roff(about)]
    return "\n".join(lines) + "\n"


def bash(commands: list[Subcommand]) -> str:
    """Return the completion for bash."""
    cases = []
    for command in commands:
        words = " ".join(name for option in command.options for name in option.names if name[1] == "-")
        values = [
            f'            {command.name}:{name}) words="{" ".join(option.choices)}" ;;'
            for option in command.options
            if option.choices
            for name in option.names
        ]
        cases.append((command.name, words, values))
    names = " ".join(command.name for command in commands)
    choices = "\n".join(line for _, _, values in cases for line in values)
    switches = "\n".join(f'                {name}) words="{words} --help" ;;' for name, words, _ in cases)
    return f"""# bash completion of dss; made by tools/command_files.py
_dss() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}
    local command=${{COMP_WORDS[1]}} words=
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words="{names} --help --version"
    else
        case "$command:$before" in
{choices}
        esac
        if [[ -z $words && $current == -* ]]; then
            case "$command" in
{switches}
            esac
        fi
    fi
    [[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}
complete -o default -F _dss dss
"""


def zsh(commands: list[Subcommand]) -> str:
    """Return the completion for zsh."""
    named = "\n".join(f"        {_quote(f'{c.name}:{_summary(c.about)}')}" for c in commands)
    cases = []
    for command in commands:
        specs = [spec for option in command.options for spec in _zsh_specs(option)]
        arguments = " \\\n                ".join([*specs, "'*:file:_files'"])
        cases.append(
            f"        {command.name})\n            _arguments \\\n                {arguments}\n            ;;"
        )
    joined = "\n".join(cases)
    return f"""#compdef dss
# zsh completion of dss; made by tools/command_files.py
_dss() {{
    local -a commands
    commands=(
{named}
    )
    if ((CURRENT == 2)); then
        _describe command commands
        return
    fi
    local command=${{words[2]}}
    shift words
    ((CURRENT--))
    case $command in
{joined}
    esac
}}
_dss "$@"
"""


def fish(commands: list[Subcommand]) -> str:
    """Return the completion for fish."""
    lines = ["# fish completion of dss; made by tools/command_files.py"]
    for command in commands:
        about = _quote(_summary(command.about))
        lines.append(f"complete -c dss -n __fish_use_subcommand -f -a {command.name} -d {about}")
    for command in commands:
        for option in command.options:
            parts = [f"complete -c dss -n '__fish_seen_subcommand_from {command.name}'"]
            for name in option.names:
                parts.append(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}")
            if option.value:
                parts.append(f"-x -a '{' '.join(option.choices)}'" if option.choices else "-r")
            lines.append(" ".join([*parts, "-d", _quote(option.about)]))
    return "\n".join(lines) + "\n"


def _option(name: str, kind: Any, info: OptionInfo) -> Option:
    """Return the option that Typer makes of a parameter."""
    given: tuple[Any, ...] = typing.get_args(kind)
    inner = next((one for one in given if one is not type(None)), kind)
    members: list[Any] = list(inner) if isinstance(inner, enum.EnumMeta) else []
    choices = tuple(member.value for member in members)
    declared = (info.default, *(info.param_decls or ()))  # Typer stores the first name as the default
    names = tuple(one for one in declared if isinstance(one, str)) or (f"--{name.replace('_', '-')}",)
    value = info.metavar or "|".join(choices) or NUMBERS.get(inner, "PATH" if inner is Path else "VALUE")
    value = "" if kind is bool else value
    return Option(tuple(sorted(names, key=len)), value, choices, _line(info.help or ""))


def _zsh_specs(option: Option) -> Iterator[str]:
    about = re.sub(r"([\[\]:])", r"\\\1", option.about)
    completed = f"({' '.join(option.choices)})" if option.choices else "_files"
    value = f":value:{' ' if option.value in NUMBERS.values() else completed}"
    for name in option.names:
        yield _quote(f"{name}[{about}]{value if option.value else ''}")


def _summary(text: str) -> str:
    return _line(text.split("\n\n")[0]).split(". ")[0].rstrip(".")


def _line(text: str) -> str:
    return " ".join(text.split())


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _roff(text: str) -> str:
    return text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")
