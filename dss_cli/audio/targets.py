"""Check the output paths of a recording before any work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError
from ..utils.descriptors import PIPE, is_stream


class Targets(NamedTuple):
    """Checked targets of the stems."""

    files: dict[str, Path]  # real paths, by stem
    streams: dict[str, str]  # '-', FIFOs and devices, by stem


def check_targets(
    targets: Mapping[str, str | os.PathLike[str]],
    source: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Targets:
    """Check the targets of one recording, and sort them into files and streams.

    Args:
        targets: path or '-' by stem.
        source: path of the input, which no target may be.
        overwrite: allow targets that exist.

    Raises:
        UsageError: there is no target, or a target is named twice, is the source, is a folder, exists
            (without `overwrite`), lies in a missing folder, or is a FIFO with an extension other than WAV.
    """
    if not targets:
        raise UsageError("no output requested: name a file for near, far or the residual")
    seen: dict[str, str] = {}
    found = Targets({}, {})
    for stem, target in targets.items():
        name = os.fspath(target)
        if name != PIPE and is_stream(name):
            if (extension := Path(name).suffix.lower()) not in ("", ".wav", ".wave"):
                raise UsageError(f"{name}: a pipe carries WAV, not {extension}; name it .wav")
            found.streams[stem] = name
            continue
        real = name if name == PIPE else os.path.realpath(name)
        if real in seen:
            raise UsageError(f"{name}: asked for as both {seen[real]} and {stem}")
        seen[real] = stem
        if name == PIPE:
            found.streams[stem] = name
            continue
        path = Path(real)
        if source is not None and _same_file(path, source):
            raise UsageError(f"{name}: the {stem} output is the input itself")
        if not path.parent.is_dir():
            raise UsageError(f"{name}: the folder '{path.parent}' does not exist")
        if path.exists() and not path.is_file():
            raise UsageError(f"{name}: exists and is not a file")
        if path.exists() and not overwrite:
            raise UsageError(f"{name}: exists already; --overwrite replaces it")
        found.files[stem] = path
    return found


def _same_file(path: Path, source: str | os.PathLike[str]) -> bool:
    try:
        return path.samefile(source)
    except OSError:
        return False
