"""Write the summary of an evaluation into the model's card."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from .._version import __version__
from ..runtime.registry import find_model
from ..testset.format import CUSTOM, protocol_of
from ..utils.atomic_write import write_files
from .model_readme import update


def entry_name(about: Mapping[str, Any], latency: float | None = None, context: str | None = None) -> str:
    """Return the name of a test set in a card's scores: `PRESET, seed S`.

    A test set of chosen strata is named by its folder. The protocol of simulated rooms is added unless it is
    1. A chosen latency is added in seconds. The context `past` is added for whole chunks.
    """
    what = about["name"] if about["preset"] == CUSTOM else about["preset"]
    protocol = protocol_of(about)
    rooms = " in measured rooms" if about["rirs"] else "" if protocol == 1 else f", protocol {protocol}"
    past = ", past context" if context == "past" else ""
    kept = past if latency is None else f", latency {latency:g} s"
    return f"{what}{rooms}, seed {about['seed']}{kept}"


def write_scores(model: str, runs: list[Mapping[str, Any]], command: str) -> Path:
    """Write runs of one model into the `scores` of its card; the rest of the card stays unchanged.

    A README.md beside the card is updated, see `model_readme`.

    Args:
        model: name or path of the model.
        runs: runs of `evaluate`, each on another test set; an older entry of the same name (`entry_name`) is
            replaced.
        command: command that gave these scores, for the card.

    Returns:
        Path of the card.

    Raises:
        DssError: the card cannot be read or written.
    """
    found = find_model(model)
    scores = dict(found.card.get("scores") or {})
    for run in runs:
        latency, context = run["system"].get("latency"), run["system"].get("context")
        scores[entry_name(run["test_set"], latency, context)] = {
            "command": command,
            "date": date.today().isoformat(),
            "context": context,
            "latency": latency,
            "version": __version__,
            "test_set": run["test_set"],
            "delegate": run["system"]["delegate"],
            "strata": run["strata"],
            "leakage": run["leakage"],
        }
    card = {**found.card, "scores": scores}
    path = found.path.with_suffix(".json")
    write_files({path: _dumped(card)})
    update(path.parent)
    return path


def _dumped(card: dict[str, Any]) -> str:
    """Return the card as indented JSON, with one line for each innermost object of the scores."""
    text = json.dumps({**card, "scores": {}}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    scores = json.dumps(card["scores"], indent=2, ensure_ascii=False, allow_nan=False)
    flat = re.sub(r"\{[^{}\[\]]*\}", lambda match: re.sub(r"\n\s*", " ", match[0]), scores)
    return text.replace('\n  "scores": {}', '\n  "scores": ' + flat.replace("\n", "\n  "), 1)
