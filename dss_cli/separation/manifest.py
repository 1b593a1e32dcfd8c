"""Manifest of a batch: one JSON line for each recording, appended when the recording is done."""

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
    """File of JSON lines, used as a context manager; an existing manifest is continued.

    Each line is written by one call, so that earlier lines stay complete however the run ends. A last line
    that was truncated by a crash of the system is removed by the next run.

    Args:
        path: path of the file; its folder is created if necessary.
        warn: receives a line about a removed line.

    Raises:
        UsageError: the path is not a regular file, or the file is not a manifest.
        DssError: the file cannot be read or written.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._path = path
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: a manifest must be a regular file")
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
        """Append the report of one recording; skipped recordings that are listed already are not repeated.

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
            if written < len(data):  # the disk is full: restore the former length
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
                raise DssError(f"{self._path}: cannot be written: no space left")
        except OSError as error:
            raise self._failure(error) from error

    def _read(self, warn: Callable[[str], None]) -> set[str]:
        """Return the inputs that the lines report as done; remove a truncated last line."""
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
                        f"{self._path}: line {number} is not from a manifest; name another file"
                    ) from None
                if entry is None:
                    if not line.startswith(b'{"input": '):
                        raise UsageError(f"{self._path}: not a manifest; name another file")
                    os.ftruncate(self._descriptor, end)
                    warn(f"{self._path}: line {number} was truncated by a crash, and is removed")
                    break
                end += len(line)
        return told

    def _failure(self, error: OSError) -> DssError:
        return DssError(f"{self._path}: cannot be written: {error.strerror or error}")
