"""Find the recordings in a folder and its subfolders; count the other files by kind."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path, PurePath, PurePosixPath

from ..constants import STEMS
from ..utils import urls

_log = logging.getLogger(__name__)

SUFFIXES = (*STEMS, "residual")
# Read and written by libsndfile.
WRITABLE = frozenset(
    f".{name}"
    for name in (
        *("wav", "wave", "w64", "rf64", "flac", "aif", "aiff", "aifc"),
        *("caf", "au", "snd", "ogg", "oga", "opus", "mp3"),
    )
)
# Only readable, with the extra `formats`: their stems are WAV files.
DECODED = frozenset(
    f".{name}"
    for name in (
        *("m4a", "m4b", "aac", "mp4", "m4v", "mov", "3gp", "webm", "mkv", "mka", "wma", "wmv", "asf"),
        *("avi", "flv", "ts", "mts", "mpg", "mpeg", "mp2", "ac3", "eac3", "dts", "amr", "wv", "ape", "tta"),
        *("ogv", "mpc", "tak", "dsf", "rm"),
    )
)

_AMBIGUOUS = {".ts", ".mts"}  # more often TypeScript than MPEG: read only if named
_READABLE = DECODED - _AMBIGUOUS


@dataclass
class FoundRecordings:
    """Result of a search for recordings.

    Attributes:
        recordings: sorted paths; for a URL relative to it.
        left_out: count of files and folders that were left out, by kind.
        needs_extra: number of files left out that the extra `formats` could read.
    """

    recordings: Sequence[PurePath] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    needs_extra: int = 0

    def leave_out(self, path: PurePath, kind: str) -> None:
        """Count a file or folder as left out, and write its name to the log."""
        self.left_out[kind] += 1
        _log.info("left out: %s (%s)", path, kind)


def find_recordings(folder: Path, outputs: Path, follow_links: bool = False) -> FoundRecordings:
    """Search a folder and its subfolders for recordings, by their extensions.

    Args:
        folder: folder to search.
        outputs: folder of the stems; if it lies inside `folder`, it is not searched.
        follow_links: search linked folders too, each real folder once.
    """
    found = FoundRecordings()
    inside = outputs.resolve()
    nested = folder.resolve() in inside.parents
    extensions = _extensions()
    seen: set[tuple[int, int]] = set()
    candidates: list[Path] = []

    def unreadable(error: OSError) -> None:
        found.leave_out(Path(error.filename), "unreadable folder")

    for root, folders, names in os.walk(folder, followlinks=follow_links, onerror=unreadable):
        here = Path(root)
        status = here.stat()
        if (status.st_dev, status.st_ino) in seen:  # a link to a folder that was searched already
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = [
            name
            for name in sorted(folders)
            if _enter(here / name, found, inside if nested else None, follow_links)
        ]
        for name in sorted(names):
            path = here / name
            kind = _passed_over(path, extensions)
            if kind is None:
                candidates.append(path)
                continue
            found.leave_out(path, kind)
            found.needs_extra += path.suffix.lower() in _READABLE - extensions
    _keep_originals(candidates, found)
    return found


def find_remote_recordings(folder: str, outputs: str) -> FoundRecordings:
    """Search a URL for recordings, by their extensions.

    Args:
        folder: URL to search, with all levels below it.
        outputs: URL of the stems; if it lies inside `folder`, it is not searched.

    Raises:
        DssError: the file system cannot be reached or read.
    """
    found = FoundRecordings()
    extensions = _extensions()
    root = f"{folder.rstrip('/')}/"
    inside = outputs.rstrip("/").removeprefix(root) if outputs.startswith(root) else None
    candidates: list[PurePosixPath] = []
    for path in map(PurePosixPath, urls.find(folder)):
        if inside and PurePosixPath(inside) in path.parents:
            continue
        if any(part.startswith(".") for part in path.parts):
            found.leave_out(path, "hidden")
        elif path.suffix.lower() in extensions:
            candidates.append(path)
        else:
            found.leave_out(path, path.suffix.lower() or "without extension")
            found.needs_extra += path.suffix.lower() in _READABLE - extensions
    _keep_originals(candidates, found)
    return found


def _extensions() -> frozenset[str]:
    return WRITABLE | _READABLE if find_spec("av") else WRITABLE


def _keep_originals(candidates: Sequence[PurePath], found: FoundRecordings) -> None:
    """Leave out files that are named like a stem of another candidate."""
    originals = {path.with_suffix("") for path in candidates}
    kept: list[PurePath] = []
    for path in sorted(candidates):
        if path.with_suffix("").suffix[1:] in SUFFIXES and path.with_suffix("").with_suffix("") in originals:
            found.leave_out(path, "stem of its neighbour")
        else:
            kept.append(path)
    found.recordings = kept


def _enter(path: Path, found: FoundRecordings, outputs: Path | None, follow_links: bool) -> bool:
    """Return whether to search a folder; count it as left out otherwise."""
    if path.name.startswith("."):
        found.leave_out(path, "hidden folder")
    elif path.is_symlink() and not follow_links:
        found.leave_out(path, "linked folder")
    elif outputs is not None and path.resolve() == outputs:
        pass
    else:
        return True
    return False


def _passed_over(path: Path, extensions: frozenset[str]) -> str | None:
    """Return the kind of a file that is not a recording, None for a possible recording."""
    if path.name.startswith("."):
        return "hidden"
    if not path.exists():
        return "broken link"
    if not path.is_file():
        return "special file"
    suffix = path.suffix.lower()
    if suffix in extensions:
        return None
    return suffix or "without extension"
