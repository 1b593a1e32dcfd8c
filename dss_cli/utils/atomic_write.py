"""Atomic writes: several files appear complete and together, or none of them appears."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from ..errors import DssError

Content = bytes | str | Callable[[BinaryIO], None]


def write_files(files: Mapping[Path, Content], overwrite: bool = True) -> None:
    """Write several files, all of them or none; create missing folders.

    Args:
        files: content by path: bytes, text (as UTF-8), or a function that writes into an open file.
        overwrite: replace files that exist.

    Raises:
        DssError: a file cannot be written, or exists and `overwrite` is False.
    """
    pending = PendingFiles(overwrite)
    try:
        for path, content in files.items():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DssError(f"{path.parent}: cannot be written: {error.strerror}") from error
            try:
                with pending.create(path).open("wb") as file:
                    if callable(content):
                        content(file)
                    else:
                        file.write(content.encode() if isinstance(content, str) else content)
            except OSError as error:
                raise DssError(f"{path}: cannot be written: {error.strerror or error}") from error
        pending.publish()
    finally:
        pending.discard()


class PendingFiles:
    """Files under temporary names in their final folders, renamed together at the end."""

    def __init__(self, overwrite: bool = False) -> None:
        self._overwrite = overwrite
        self._pending: dict[Path, Path] = {}  # final -> temporary

    def create(self, path: Path) -> Path:
        """Create an empty temporary file in the folder of `path`, with default permissions; return its path.

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
        """Flush all files to the disk, then rename them to their final names.

        Raises:
            DssError: a file cannot be flushed or renamed, or a final name exists by now and `overwrite` is
                False. Files that have already appeared are removed again.
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
        """Remove the remaining temporary files."""
        for temporary in self._pending.values():
            temporary.unlink(missing_ok=True)
        self._pending.clear()


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
