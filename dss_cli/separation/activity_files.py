"""Files of speech activity: JSON, RTTM, Audacity labels and CSV, selected by the extension."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING

from ..constants import STEMS
from ..errors import UsageError

if TYPE_CHECKING:
    from .activity import Activity


def _json(activity: Activity, name: str) -> str:
    stems = {
        stem: {
            "share": round(activity.share(stem), 4),
            "spans": [{"begin": begin, "end": end} for begin, end in activity.spans[stem]],
        }
        for stem in STEMS
    }
    return json.dumps({"recording": name, "seconds": round(activity.seconds, 3), **stems}, indent=2) + "\n"


def _rttm(activity: Activity, name: str) -> str:
    """Return RTTM text (Rich Transcription Time Marked, NIST): a line per interval, separated by spaces."""
    recording = "_".join(PurePath(name).stem.split()) or "recording"
    return "".join(
        f"SPEAKER {recording} 1 {begin:.3f} {end - begin:.3f} <NA> <NA> {stem} <NA> <NA>\n"
        for begin, end, stem in _in_order(activity)
    )


def _labels(activity: Activity, name: str) -> str:
    """Return a label track of Audacity: start, end and text, separated by tabs."""
    return "".join(f"{begin:.6f}\t{end:.6f}\t{stem}\n" for begin, end, stem in _in_order(activity))


def _csv(activity: Activity, name: str) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("stem", "begin", "end"))
    rows.writerows((stem, f"{begin:.3f}", f"{end:.3f}") for begin, end, stem in _in_order(activity))
    return text.getvalue()


_FORMATS: dict[str, Callable[[Activity, str], str]] = {
    ".json": _json,
    ".rttm": _rttm,
    ".txt": _labels,
    ".csv": _csv,
}
EXTENSIONS = tuple(_FORMATS)


def check_extension(path: str) -> None:
    """Check that the extension of a file selects a format.

    Raises:
        UsageError: the extension is not .json, .rttm, .txt or .csv.
    """
    if _extension(path) not in _FORMATS:
        raise UsageError(f"--activity {path}: the extension must be one of {', '.join(_FORMATS)}")


def activity_text(activity: Activity, path: str, recording: str) -> str:
    """Return the content of a file of speech activity.

    Args:
        activity: intervals to write.
        path: path of the file; the extension selects the format.
        recording: name of the recording, for formats that contain it.

    Raises:
        UsageError: see `check_extension`.
    """
    check_extension(path)
    return _FORMATS[_extension(path)](activity, recording)


def _extension(path: str) -> str:
    return f".{path.rpartition('.')[2].lower()}"


def _in_order(activity: Activity) -> list[tuple[float, float, str]]:
    return sorted((begin, end, stem) for stem in STEMS for begin, end in activity.spans[stem])
