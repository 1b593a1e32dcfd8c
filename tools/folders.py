"""Generate the table of the package's folders and their imports, from the import statements.

`python -m tools.update_docs folders` writes the table into docs/development/architecture.md.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import dss_cli
from dss_cli.utils.tables import markdown_table

LABEL = "folders"
PACKAGE = Path(dss_cli.__file__).parent


def imported(package: Path = PACKAGE) -> dict[str, set[str]]:
    """Return the modules that each module of a package imports, at its top or inside functions.

    Returns:
        Dotted names such as `dss_cli.runtime.litert`, by dotted name; modules of other packages are included.
    """
    files = {_name(path, package): path for path in package.rglob("*.py")}
    return {name: set(_targets(path, package, files)) for name, path in sorted(files.items())}


def folders(modules: Mapping[str, set[str]], package: str = PACKAGE.name) -> dict[str, set[str]]:
    """Return the folders and top-level modules that each folder or top-level module imports."""
    found: dict[str, set[str]] = {}
    for name, targets in modules.items():
        here = found.setdefault(_folder(name, package), set())
        here |= {_folder(target, package) for target in targets if target.split(".")[0] == package}
    return {name: targets - {name} for name, targets in found.items()}


def floors(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the folders by floor: a folder imports only from lower floors, among them the next lower one.

    Raises:
        graphlib.CycleError: folders import each other in a cycle.
    """
    sorter = TopologicalSorter(imports)
    sorter.prepare()
    found = []
    while sorter.is_active():
        ready = sorter.get_ready()
        found.append(sorted(ready))
        sorter.done(*ready)
    return found


def picture() -> str:
    """Return the floors as a Markdown table, top floor first."""
    imports = folders(imported())
    numbered = reversed(list(enumerate(floors(imports))))
    rows = [
        [str(floor), f"`{name}`", ", ".join(f"`{target}`" for target in sorted(imports[name])) or "-"]
        for floor, names in numbered
        for name in names
    ]
    return markdown_table(["floor", "folder or module", "imports"], rows)


def _targets(path: Path, package: Path, files: Mapping[str, Path]) -> Iterator[str]:
    """Yield the dotted names of the modules that a file imports."""
    parents = path.relative_to(package.parent).parent.parts
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield inner if inner in files else module


def _name(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _folder(module: str, package: str) -> str:
    return module.removeprefix(f"{package}.").split(".")[0]
