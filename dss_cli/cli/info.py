"""`dss info`: versions, models, and working delegates and energy meters."""

from __future__ import annotations

import json
from typing import Any

from ..utils.tables import print_columns
from . import options


def info(as_json: options.Json = False, debug: options.Debug = False) -> None:
    """Show what is installed and what works on this machine, with remedies for problems.

    Every delegate is tried on a tiny model. The exit code is 0 even with problems. Include the output of
    --json in bug reports.
    """
    from ..diagnostics import describe_installation

    found = describe_installation()
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print_columns(
        [
            *((name, version) for name, version in found["versions"].items() if version),
            *((name, str(value)) for name, value in found["machine"].items()),
        ]
    )
    print()
    models = [("MODEL", "ORIGIN", "BYTES", "SHA256", "PATH")]
    models += [
        (m["name"], m["origin"], f"{m['bytes']:,}", m["sha256"][:12], m["path"]) for m in found["models"]
    ]
    print_columns(models)
    print()
    print_columns([("DELEGATE", "WORKS", "ADAPTER"), *map(_delegate, found["delegates"])])
    print()
    meters = [(m["name"], m["scope"]) for m in found["meters"]]
    print_columns([("ENERGY METER", "SCOPE"), *(meters or [("none", "-")])])
    if found["problems"]:
        print("\nproblems:")
        for problem in found["problems"]:
            print(f"  {problem}")


def _delegate(delegate: dict[str, Any]) -> tuple[str, str, str]:
    adapter = delegate["adapter"] or "-"
    if delegate["software"]:
        adapter += ": software, slower than the CPU"
    return delegate["name"], "yes" if delegate["works"] else "no", adapter
