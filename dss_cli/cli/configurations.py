"""`dss configurations`: network configurations and their cost."""

from __future__ import annotations

import json
from dataclasses import asdict

from ..utils.tables import print_columns
from . import options


def configurations(as_json: options.Json = False, debug: options.Debug = False) -> None:
    """List the network configurations with computed parameters and multiply-accumulates."""
    from ..network.keras_backend import load_keras

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
                "for_gpu": config.for_gpu,
                "outline": config.outline,
                "configuration": asdict(config),
            }
        )
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    print_columns(
        [
            ("NAME", "PARAMETERS", "GMAC/s OF AUDIO", "CHUNK", "GPU", "NETWORK"),
            *(
                (
                    row["name"],
                    f"{row['parameters']:,}",
                    f"{row['macs_per_second'] / 1e9:.3f}",
                    f"{row['chunk_seconds']:.2f} s",
                    "yes" if row["for_gpu"] else "no",
                    row["outline"],
                )
                for row in rows
            ),
        ]
    )
