"""The recordings in a folder and everything below it; what is passed over is counted by kind."""

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
# Read through the extra `formats`, never written: their stems are WAV files.
DECODED = frozenset(
    f".{name}"
    for name in (
        *("m4a", "m4b", "aac", "mp4", "m4v", "mov", "3gp", "webm", "mkv", "mka", "wma", "wmv", "asf"),
        *("avi", "flv", "ts", "mts", "mpg", "mpeg", "mp2", "ac3", "eac3", "dts", "amr", "wv", "ape", "tta"),
        *("ogv", "mpc", "tak", "dsf", "rm"),
    )
)

_AMBIGUOUS = {".ts", ".mts"}  # more often TypeScript than MPEG: only read when named
_READABLE = DECODED - _AMBIGUOUS


@dataclass
class FoundRecordings:
    """What lies under a folder.

    Attributes:
        recordings: sorted; behind a URL by their paths from there.
        left_out: how many files and folders were passed over, by kind.
        needs_extra: how many of them the extra `formats` would read.
    """

    recordings: Sequence[PurePath] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    needs_extra: int = 0

    def leave_out(self, path: PurePath, kind: str) -> None:
        """Count a file or folder as passed over, and name it in the log."""
        self.left_out[kind] += 1
        _log.info("left out: %s (%s)", path, kind)


def find_recordings(folder: Path, outputs: Path, follow_links: bool = False) -> FoundRecordings:
    """Look for recordings under `folder`, by their extensions.

    Args:
        folder: where to begin.
        outputs: where stems go; if it lies inside, what it holds is no input.
        follow_links: enter linked folders, each real folder once.
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
        if (status.st_dev, status.st_ino) in seen:  # a link leads back
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
    """Look for recordings anywhere behind a URL, by their extensions.

    Args:
        folder: where to begin.
        outputs: where stems go; if it lies inside, what it holds is no input.

    Raises:
        DssError: the place cannot be looked at.
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
    """Leave out what is named like a stem of its neighbour."""
    originals = {path.with_suffix("") for path in candidates}
    kept: list[PurePath] = []
    for path in sorted(candidates):
        if path.with_suffix("").suffix[1:] in SUFFIXES and path.with_suffix("").with_suffix("") in originals:
            found.leave_out(path, "stem of its neighbour")
        else:
            kept.append(path)
    found.recordings = kept


def _enter(path: Path, found: FoundRecordings, outputs: Path | None, follow_links: bool) -> bool:
    """Whether to look into a folder."""
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
    """The kind of a file that is no recording, None for one that may be."""
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
