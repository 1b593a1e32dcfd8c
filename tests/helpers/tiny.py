"""Smallest model (`tools.probe_model`) with its card, which tests may damage."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from dss_cli.constants import SignalConfig
from dss_cli.runtime.probe_model import FAR_GAIN, NEAR_GAIN, SIGNAL
from dss_cli.runtime.registry import Model
from tools.probe_model import constant, convolution, graph, named, pack, tensor

__all__ = [
    "FAR_GAIN",
    "NEAR_GAIN",
    "SIGNAL",
    "card",
    "constant",
    "convolution",
    "graph",
    "model",
    "named",
    "pack",
    "tensor",
    "write",
]


def card(data: bytes, name: str = "tiny", signal: SignalConfig = SIGNAL) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "signal": signal.to_dict(),
        "overlap": 0.25,
    }


def write(folder: Path, name: str = "tiny", data: bytes | None = None, signal: SignalConfig = SIGNAL) -> Path:
    """Write `NAME.tflite` and its card to a folder; return the path of the model."""
    data = pack(graph()) if data is None else data
    path = folder / f"{name}.tflite"
    path.write_bytes(data)
    path.with_suffix(".json").write_text(json.dumps(card(data, name, signal)))
    return path


def model(folder: Path, data: bytes | None = None, signal: SignalConfig = SIGNAL) -> Model:
    """Return a model without the registry's checks, so that LiteRT is the first to read `data`."""
    path = write(folder, data=data)
    return Model("tiny", path, {}, signal)
