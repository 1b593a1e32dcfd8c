"""Rules of docs/development/testing.md#prose that a program can check."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dss_cli

ROOT = Path(__file__).parents[2]
FOLDERS = ("dss_cli", "tools", "examples", "tests")
RIDDLE = re.compile(
    r"(?:And|As|But|From|How|It|Its|Of|Such|That|These|They|This|Those|What|When|Where|Whether|Which|Who|Whose|Why)\b"
)
ERRORS = {"DssError", "UsageError"}
Documented = ast.Module | ast.ClassDef | ast.FunctionDef


@functools.cache
def modules(folder: str) -> dict[Path, ast.Module]:
    """Return the syntax trees of all modules in a folder of the repository."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def documented(folder: str) -> Iterator[tuple[Path, str]]:
    """Yield file and text of every docstring in a folder of the repository."""
    for path, module in modules(folder).items():
        for node in ast.walk(module):
            if isinstance(node, Documented) and (text := ast.get_docstring(node)):
                yield path, text


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes in a function, without those of nested functions and classes."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield child
            yield from own_nodes(child)


def raised(function: ast.FunctionDef) -> set[str]:
    """Return the names of the package's errors that a function itself raises."""
    calls = [node.exc for node in own_nodes(function) if isinstance(node, ast.Raise)]
    return {
        call.func.id for call in calls if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    } & ERRORS


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_docstring_begins_with_a_riddle(folder):
    found = [f"{path}: {text.splitlines()[0]}" for path, text in documented(folder) if RIDDLE.match(text)]
    assert found == []


@pytest.mark.parametrize("text", ["Of every score, in dB.", "Whether it is there.", "What is scored."])
def test_riddles_are_found(text):
    assert RIDDLE.match(text)


@pytest.mark.parametrize("text", ["Absolute differences, in dB.", "Ask for more.", "Offer a latency."])
def test_verbs_and_nouns_are_no_riddles(text):
    assert not RIDDLE.match(text)


def test_public_functions_name_the_errors_that_they_raise():
    silent = []
    for path, module in modules("dss_cli").items():
        if path.parent.name == "cli":
            continue  # docstrings of commands are help texts
        classes = [n for n in module.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
        for owner in (module, *classes):
            for function in (node for node in owner.body if isinstance(node, ast.FunctionDef)):
                made = function.name in ("__init__", "__post_init__")
                if function.name.startswith("_") and not made:
                    continue
                text = ast.get_docstring(owner if made else function) or ""
                missing = sorted(name for name in raised(function) if name not in text)
                silent += [f"{path}: {function.name}: {name}" for name in missing]
    assert silent == []


API = [
    "Separator",
    "StreamingSeparator",
    *(n for n in dss_cli.__all__ if inspect.isroutine(getattr(dss_cli, n))),
]
NEVER_FAIL = {"list_models"}  # warns of damaged models


@pytest.mark.parametrize("name", API)
def test_the_api_has_sections_for_arguments_and_errors(name):
    text = inspect.cleandoc(getattr(dss_cli, name).__doc__)
    assert "\nArgs:\n" in text
    assert name in NEVER_FAIL or "\nRaises:\n" in text


def test_sections_stand_at_the_margin_of_their_docstring():
    inner = re.compile(r"^ +(?:Args|Attributes|Raises|Returns|Yields):$", re.MULTILINE)
    found = [str(path) for folder in FOLDERS for path, text in documented(folder) if inner.search(text)]
    assert found == []
