"""Model card: identity of a model file, its training, its checks and its scores."""

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
from ..runtime.timing import Timing, whole_chunks
from ..utils.atomic_write import Content, write_files
from .diff import Check

MERGED = ("training", "scores")  # sections from other commands


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
    timings: Sequence[Timing] = (),
) -> dict[str, Any]:
    """Return the card of a model file as an object for JSON.

    Args:
        data: content of the model file.
        name: name of the model.
        configuration: name of the network's configuration.
        signal: signal constants of the model.
        parameters: number of trained parameters.
        macs_per_second: multiply-accumulates per second of audio.
        checks: results of the checks of the export.
        sections: sections `training` and `scores`, if any.
        state: shapes of the float32 states carried from chunk to chunk, by name.
        timings: timings of the shorter latencies that the model offers.

    Raises:
        UsageError: a section has another name.
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
        "latency_seconds": whole_chunks(signal, OVERLAP).seconds(signal),
        **({"latencies": [timing.to_dict(signal) for timing in timings]} if timings else {}),
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
    """Return the paths of a model, its card and the weights that it was exported from."""
    return folder / f"{name}{SUFFIX}", folder / f"{name}.json", folder / f"{name}.weights.h5"


def write_model(
    folder: Path, data: bytes, card: dict[str, Any], weights: Path | bytes, overwrite: bool = False
) -> Path:
    """Write the model, its card and a copy of its weights, all of them or none.

    Args:
        folder: folder for the files, created if missing.
        data: content of the model file.
        card: card of the model, whose name is used for the files.
        weights: path of the exported weights, or their content. A path that is the target already is kept.
        overwrite: replace existing files.

    Returns:
        Path of the model.

    Raises:
        DssError: the folder or a file cannot be written, or a file exists and `overwrite` is False.
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
