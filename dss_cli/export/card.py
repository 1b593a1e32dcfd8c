"""The model card: what a model file is, how it was made and checked, how good it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..audio.targets import PendingFiles
from ..errors import DssError, UsageError
from ..separator import DEFAULT_OVERLAP
from ..signal import SignalConfig
from ..store import SCHEMA, SUFFIX
from .diff import Check

# Metres from talker to microphone, shortest and longest, that the scenes of training hold.
LIMITS = {"near": [0.2, 0.8], "far": [1.2, 6.0], "far_outdoor": [1.2, 15.0]}
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
) -> dict[str, Any]:
    """The card of a model file's content, ready for JSON.

    Args:
        data: the content.
        name, configuration: of the model, and of the network's shape.
        signal: what the model expects of its input.
        parameters, macs_per_second: trained numbers; multiply-accumulates per second of audio.
        checks: of the export, as they came out.
        sections: `training` and `scores`, where there are any.

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
        "overlap": DEFAULT_OVERLAP,
        "limits": LIMITS,
        "parameters": parameters,
        "macs_per_second": macs_per_second,
        "training": sections.get("training", {}),
        "checks": [check.to_dict() for check in checks],
        "scores": sections.get("scores", {}),
    }


def write_model(folder: Path, data: bytes, card: dict[str, Any], overwrite: bool = False) -> Path:
    """Write `NAME.tflite` and `NAME.json`, both or neither; returns the model's path.

    Raises:
        DssError: the folder or a file in it cannot be written, or exists (without `overwrite`).
    """
    text = json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    path = folder / f"{card['name']}{SUFFIX}"
    contents = {path: data, path.with_suffix(".json"): text.encode()}
    pending = PendingFiles(overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for final, content in contents.items():
            pending.create(final).write_bytes(content)
        pending.publish()
    except OSError as error:
        raise DssError(f"{folder}: cannot be written: {error.strerror}") from error
    finally:
        pending.discard()
    return path
