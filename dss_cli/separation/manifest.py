"""The manifest of a batch: a JSON line for each recording, appended as soon as that is done."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import DssError, UsageError

_KEYS = ("input", "outputs", "sha256", "seconds", "elapsed", "warnings", "worker", "error", "skipped")


class Manifest:
    """A file of JSON lines; use it as a context manager. One that exists is gone on with.

    Each line goes out in one write, so that whatever ends the run, the lines before are whole; a last line
    that a crash of the system cut short is removed by the next run.

    Args:
        path: of the file; its folder is made if need be.
        warn: told of a line that was removed.

    Raises:
        UsageError: it is no plain file, or holds something else.
        DssError: it cannot be read or written.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._path = path
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: a manifest is a plain file")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise self._failure(error) from error
        try:
            self._told = self._read(warn)
        except OSError as error:
            os.close(self._descriptor)
            raise self._failure(error) from error
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Manifest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            os.fsync(self._descriptor)
        except OSError as problem:
            if error is None:
                raise self._failure(problem) from problem
        finally:
            os.close(self._descriptor)

    def add(self, entry: dict[str, Any]) -> None:
        """Append what became of one recording; nothing where it was left out and stands here already.

        Raises:
            DssError: the file cannot be written.
        """
        if "skipped" in entry and entry["input"] in self._told:
            return
        line = {key: entry[key] for key in _KEYS if key in entry}
        if "skipped" not in entry:
            line.setdefault("worker", platform.node())
        data = (json.dumps(line) + "\n").encode()
        try:
            written = os.write(self._descriptor, data)
            if written < len(data):  # a full disk: the file is as long as before, or as it can be
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
                raise DssError(f"{self._path}: cannot be written: no space left")
        except OSError as error:
            raise self._failure(error) from error

    def _read(self, warn: Callable[[str], None]) -> set[str]:
        """Inputs whose outputs the lines tell of; a last line without its end is cut off."""
        told: set[str] = set()
        end = 0
        with open(self._descriptor, "rb", closefd=False) as file:
            for number, line in enumerate(file, 1):
                try:
                    entry = json.loads(line) if line.endswith(b"\n") else None
                    if entry is not None and "error" not in entry:
                        told.add(entry["input"])
                except (ValueError, KeyError, TypeError):
                    raise UsageError(
                        f"{self._path}: line {number} is none of a manifest; name another file"
                    ) from None
                if entry is None:
                    if not line.startswith(b'{"input": '):
                        raise UsageError(f"{self._path}: not a manifest; name another file")
                    os.ftruncate(self._descriptor, end)
                    warn(f"{self._path}: line {number} was cut short by a crash, and is removed")
                    break
                end += len(line)
        return told

    def _failure(self, error: OSError) -> DssError:
        return DssError(f"{self._path}: cannot be written: {error.strerror or error}")
