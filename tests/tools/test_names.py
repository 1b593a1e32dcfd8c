"""Unique public names in the package, and a probe model equal to the script's output."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import dss_cli
from dss_cli.runtime.probe_model import FILE
from tools.probe_model import graph, pack

PACKAGE = Path(dss_cli.__file__).parent
ALIKE = {"find"}  # every kind of energy meter has the same function


def public_names(package):
    """Return modules by public class or function, without the commands of `cli`, which share names."""
    found = defaultdict(set)
    for path in package.rglob("*.py"):
        if path.parent.name == "cli":
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                found[node.name].add(str(path.relative_to(package)))
    return found


def test_no_two_public_things_share_a_name():
    shared = {name: homes for name, homes in public_names(PACKAGE).items() if len(homes) > 1}
    assert shared.keys() == ALIKE


def test_a_name_that_is_shared_is_found(tmp_path):
    for name in ("one", "other"):
        (tmp_path / f"{name}.py").write_text("def walk(): ...\ndef _own(): ...\n")
    assert dict(public_names(tmp_path)) == {"walk": {"one.py", "other.py"}}


def test_the_probe_model_is_what_its_script_makes():
    assert FILE.read_bytes() == pack(graph()), "python -m tools.probe_model"
