"""Where outputs go: checks before any work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import UsageError

STDOUT = "-"


def check_targets(
    targets: Mapping[str, str | os.PathLike[str]],
    source: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> dict[str, Path]:
    """Real paths of the targets that are files, by stem; '-' is left out.

    Raises:
        UsageError: no target, one named twice, one that is the source, exists (without
            `overwrite`) or is no plain file, or whose folder does not exist.
    """
    if not targets:
        raise UsageError("no output asked for: name a file for near, far or the residual")
    seen: dict[str, str] = {}
    paths: dict[str, Path] = {}
    for stem, target in targets.items():
        name = os.fspath(target)
        real = name if name == STDOUT else os.path.realpath(name)
        if real in seen:
            raise UsageError(f"{name}: asked for as both {seen[real]} and {stem}")
        seen[real] = stem
        if name == STDOUT:
            continue
        path = Path(real)
        if source is not None and _same_file(path, source):
            raise UsageError(f"{name}: the {stem} output is the input itself")
        if not path.parent.is_dir():
            raise UsageError(f"{name}: the folder '{path.parent}' does not exist")
        if path.exists() and not path.is_file():
            raise UsageError(f"{name}: exists and is not a plain file")
        if path.exists() and not overwrite:
            raise UsageError(f"{name}: exists already; --overwrite replaces it")
        paths[stem] = path
    return paths


def _same_file(path: Path, source: str | os.PathLike[str]) -> bool:
    try:
        return path.samefile(source)
    except OSError:
        return False
