"""Write the summary of an evaluation into the model's card."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._version import __version__
from ..runtime.registry import find_model
from ..testset.format import CUSTOM, protocol_of
from ..utils.atomic_write import write_files
from .model_readme import update


def entry_name(about: Mapping[str, Any]) -> str:
    """Return the name of a test set among a card's scores: `PRESET, seed S`.

    Chosen strata go by their folder's name. Simulated rooms of another protocol than the first are named.
    """
    what = about["name"] if about["preset"] == CUSTOM else about["preset"]
    protocol = protocol_of(about)
    rooms = " in measured rooms" if about["rirs"] else "" if protocol == 1 else f", protocol {protocol}"
    return f"{what}{rooms}, seed {about['seed']}"


def write_scores(model: str, runs: list[Mapping[str, Any]], command: str) -> Path:
    """Put runs of one model into its card's `scores`; everything else there stays as it is.

    A README.md beside the card follows, see `model_readme`.

    Args:
        model: name or path.
        runs: of `evaluate`, each of another test set; an older entry of the same name
            (`entry_name`) is replaced.
        command: that gave these scores, for the card.

    Returns:
        The card's path.

    Raises:
        DssError: the card cannot be read or written.
    """
    found = find_model(model)
    scores = dict(found.card.get("scores") or {})
    for run in runs:
        scores[entry_name(run["test_set"])] = {
            "command": command,
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
    """Indented like any card; the scores with one line for each of their many innermost objects."""
    text = json.dumps({**card, "scores": {}}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    scores = json.dumps(card["scores"], indent=2, ensure_ascii=False, allow_nan=False)
    flat = re.sub(r"\{[^{}\[\]]*\}", lambda match: re.sub(r"\n\s*", " ", match[0]), scores)
    return text.replace('\n  "scores": {}', '\n  "scores": ' + flat.replace("\n", "\n  "), 1)
