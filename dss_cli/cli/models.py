"""`dss models`: available models and the facts in their cards."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from ..utils.tables import harmless
from . import options
from .console import warning_line

if TYPE_CHECKING:
    from ..runtime.registry import Model

_INDENT = 14  # columns before the values


def models(as_json: options.Json = False, debug: options.Debug = False) -> None:
    """List the available models with size, digest, and the test sets of their scores."""
    from ..runtime.registry import list_models

    found = list_models(warn=warning_line)
    if as_json:
        entries = [{"name": m.name, "path": str(m.path), "card": m.card} for m in found]
        print(json.dumps({"models": entries}, indent=2))
        return
    for number, model in enumerate(found):
        if number:
            print()
        _print(model)


def _print(model: Model) -> None:
    """Print facts in lines of at most 80 columns; only a path may be longer."""
    card: dict[str, Any] = model.card
    parameters = f"{card['parameters']:,}" if "parameters" in card else "unknown"
    scored = textwrap.wrap(harmless("; ".join(card.get("scores", {}))) or "nothing", 80 - _INDENT)
    facts = [("parameters", parameters), ("sha256", str(card.get("sha256", "-"))[:12])]
    latencies = [*(entry["seconds"] for entry in card.get("latencies", [])), card.get("latency_seconds")]
    told = ", ".join(f"{seconds:g}" for seconds in latencies if seconds is not None)
    facts.append(("latency", f"{told} s" if told else "unknown"))
    facts += [("scored on" if n == 0 else "", text) for n, text in enumerate(scored)]
    print(harmless(model.name))
    for name, value in [*facts, ("path", str(model.path))]:
        print(f"  {name:{_INDENT - 2}}{harmless(value)}")
