"""`dss models`: which models there are, and what their cards say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..utils.tables import print_columns
from . import options
from .console import warning_line

if TYPE_CHECKING:
    from ..runtime.registry import Model


def models(as_json: options.Json = False, debug: options.Debug = False) -> None:
    """List the models: name, size, digest, and the test sets that they were scored on."""
    from ..runtime.registry import list_models

    found = list_models(warn=warning_line)
    if as_json:
        entries = [{"name": m.name, "path": str(m.path), "card": m.card} for m in found]
        print(json.dumps({"models": entries}, indent=2))
        return
    print_columns([("NAME", "PARAMETERS", "SHA256", "SCORED ON", "PATH"), *map(_row, found)])


def _row(model: Model) -> tuple[str, ...]:
    card: dict[str, Any] = model.card
    return (
        model.name,
        f"{card['parameters']:,}" if "parameters" in card else "-",
        str(card.get("sha256", "-"))[:12],
        "; ".join(card.get("scores", {})) or "-",
        str(model.path),
    )
