"""`dss configurations`: the family of networks, with what each costs."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from .. import options


def configurations(as_json: options.Json = False, debug: options.Debug = False) -> None:
    """List the network configurations: parameters and multiply-accumulates, computed."""
    from ..backend import load_keras

    load_keras()
    from ..network import CONFIGURATIONS, build
    from ..network.count import macs_per_second

    rows = []
    for name, config in CONFIGURATIONS.items():
        network = build(config)
        rows.append(
            {
                "name": name,
                "parameters": network.count_params(),
                "macs_per_second": macs_per_second(network, config),
                "chunk_seconds": config.signal.chunk_seconds,
                "configuration": asdict(config),
            }
        )
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    typer.echo(f"{'NAME':8}{'PARAMETERS':>12}{'GMAC/s OF AUDIO':>18}{'CHUNK':>10}{'CHANNELS':>10}")
    for row in rows:
        typer.echo(
            f"{row['name']:8}{row['parameters']:>12,}{row['macs_per_second'] / 1e9:>18.3f}"
            f"{row['chunk_seconds']:>8.2f} s{row['configuration']['channels']:>10}"
        )
