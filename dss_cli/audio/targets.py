"""Where outputs go: checks before any work, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from ..errors import DssError, UsageError

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


class PendingFiles:
    """Files under temporary names in their final folders, renamed together at the end."""

    def __init__(self, overwrite: bool = False) -> None:
        self._overwrite = overwrite
        self._pending: dict[Path, Path] = {}  # final -> temporary

    def create(self, path: Path) -> Path:
        """An empty file beside `path` with the permissions of any new file; returns its path.

        Raises:
            DssError: the folder cannot be written to.
        """
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        self._pending[path] = temporary
        try:
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except OSError as error:
            raise DssError(f"{path}: cannot be written: {error.strerror}") from error
        return temporary

    def publish(self) -> None:
        """Flush every file to the disk, then give all of them their names.

        Raises:
            DssError: a file could not be flushed or renamed, or an output appeared meanwhile.
        """
        appeared: list[Path] = []
        try:
            for temporary in self._pending.values():
                _sync(temporary, os.O_RDWR)
            for path, temporary in self._pending.items():
                existed = path.exists()
                if existed and not self._overwrite:
                    raise DssError(f"{path}: appeared while working; nothing was written")
                temporary.replace(path)
                if not existed:
                    appeared.append(path)
        except BaseException as error:
            for done in appeared:
                done.unlink(missing_ok=True)
            names = ", ".join(map(str, self._pending))
            self.discard()
            if isinstance(error, OSError):
                raise DssError(f"{names}: cannot be written: {error.strerror}") from error
            raise
        for folder in {path.parent for path in self._pending}:
            with contextlib.suppress(OSError):  # not every system can flush a folder
                _sync(folder, os.O_RDONLY)
        self._pending.clear()

    def discard(self) -> None:
        """Remove what is left under temporary names."""
        for temporary in self._pending.values():
            temporary.unlink(missing_ok=True)
        self._pending.clear()


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
