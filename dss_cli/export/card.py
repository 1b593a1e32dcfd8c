"""The model card: what a model file is, how it was made and checked, how good it is."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..constants import OVERLAP, SignalConfig
from ..distances import limits
from ..errors import UsageError
from ..runtime.registry import SCHEMA, SUFFIX
from ..separation.streaming import latency
from ..utils.atomic_write import Content, write_files
from .diff import Check

MERGED = ("training", "scores")  # sections that others write


def make_card(
    data: bytes,
    name: str,
    configuration: str,
    signal: SignalConfig,
    parameters: int,
    macs_per_second: int,
    checks: Sequence[Check],
    sections: Mapping[str, Any],
    state: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> dict[str, Any]:
    """The card of a model file's content, ready for JSON.

    Args:
        data: the content.
        name, configuration: of the model, and of the network's shape.
        signal: what the model expects of its input.
        parameters, macs_per_second: trained numbers; multiply-accumulates per second of audio.
        checks: of the export, as they came out.
        sections: `training` and `scores`, where there are any.
        state: shape by name of what is carried from chunk to chunk, float32.

    Raises:
        UsageError: a section of another name.
    """
    if unknown := sorted(set(sections) - set(MERGED)):
        raise UsageError(f"unknown in a card: {', '.join(unknown)}; known are {', '.join(MERGED)}")
    return {
        "schema": SCHEMA,
        "name": name,
        "configuration": configuration,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "signal": signal.to_dict(),
        "overlap": OVERLAP,
        "latency_seconds": latency(signal) / signal.sample_rate,
        **_described(state),
        "limits": limits(),
        "parameters": parameters,
        "macs_per_second": macs_per_second,
        "training": sections.get("training", {}),
        "checks": [check.to_dict() for check in checks],
        "scores": sections.get("scores", {}),
    }


def _described(state: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    if not state:
        return {}
    numbers = sum(math.prod(shape) for shape in state.values())
    return {"state": {name: list(shape) for name, shape in state.items()}, "state_bytes": 4 * numbers}


def model_files(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """Where a model, its card and the weights that it was exported from stand."""
    return folder / f"{name}{SUFFIX}", folder / f"{name}.json", folder / f"{name}.weights.h5"


def write_model(
    folder: Path, data: bytes, card: dict[str, Any], weights: Path | bytes, overwrite: bool = False
) -> Path:
    """Write the model, its card and a copy of its weights: all of them or none.

    Args:
        folder: is made if need be.
        data: content of the model file.
        card: of the model; names the files.
        weights: the file that was exported, left alone where it is the copy already, or its content.
        overwrite: replace files that exist.

    Returns:
        The model's path.

    Raises:
        DssError: the folder or a file in it cannot be written, or exists (without `overwrite`).
    """
    text = json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    path, card_path, copy = model_files(folder, card["name"])
    contents: dict[Path, Content] = {path: data, card_path: text}
    if isinstance(weights, bytes):
        contents[copy] = weights
    elif not (copy.exists() and copy.samefile(weights)):
        contents[copy] = weights.read_bytes()
    write_files(contents, overwrite)
    return path
