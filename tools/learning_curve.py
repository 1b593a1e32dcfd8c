"""Show how the scores of the bundled model grew with the hours of audio, from the cards in Git's history.

`python -m tools.update_docs curve` writes the table. Each column is the newest card with that number of
hours; the bars and their floors are those of `tools/bars.py`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dss_cli.errors import DssError
from dss_cli.utils.tables import markdown_table
from tools import bars

LABEL = "curve"
CARD = Path("models/lite.json")


def table(root: Path, since: float) -> str:
    """Return the bars (rows) by hours of training (columns) as Markdown.

    Args:
        root: a clone with its history; its working tree has the newest card.
        since: hours of the first column.

    Raises:
        DssError: Git or the history is missing, such as in a source archive.
    """
    newest: dict[float, Mapping[str, Any]] = {}
    for card in _cards(root):
        newest.setdefault(hours(card), card)
    chosen = {spent: newest[spent]["scores"] for spent in sorted(newest) if spent >= since}
    head = ["near / far", "floor", *(f"{spent:.1f} h" for spent in chosen)]
    rows = [
        [bar.what, bars.told(bar, bar.floor), *(bars.measured(bar, scores)[0] for scores in chosen.values())]
        for bar in bars.BARS
    ]
    return markdown_table(head, rows)


def hours(card: Mapping[str, Any]) -> float:
    """Return the hours of audio that the weights of a card have been trained on, with the runs before."""
    training = card["training"]
    return round(float(training["hours"]) + float(training.get("hours_before", 0.0)), 1)


def _cards(root: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the card of the working tree, then those of the history, newest first."""
    yield json.loads((root / CARD).read_text(encoding="utf-8"))
    for revision in _git(root, "log", "--format=%H", "--diff-filter=AM", "--", CARD.as_posix()).split():
        card = json.loads(_git(root, "show", f"{revision}:{CARD.as_posix()}"))
        if "scores" in card and "hours" in card.get("training", {}):
            yield card


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        raise DssError(f"{root}: the learning curve needs Git and a clone: {str(reason).strip()}") from error
    return done.stdout
