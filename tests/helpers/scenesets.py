"""Tiny test sets in the format of `dss simulate-test-set`, with noise bursts instead of talkers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

RATE = 16_000
FRAMES = 4000
ROLES = {"near-only": ("near",), "far-only": ("far",), "1N+1F": ("near", "far")}


def scene(name: str, kind: str = "1N+1F", **changes: Any) -> dict[str, Any]:
    """Return the metadata line of one scene."""
    distances = {"near": changes.pop("near_m", 0.4), "far": changes.pop("far_m", 3.0)}
    talkers = [{"role": role, "distance_m": distances[role]} for role in ROLES[kind]]
    return {
        "id": name,
        "stratum": f"indoor-{kind}",
        "kind": kind,
        "environment": "indoor",
        "snr_db": 20.0,
        "ur0": False,
        "talkers": talkers,
        **{part: f"{part}/{name}.flac" for part in ("mixture", "near", "far")},
        **changes,
    }


def write(folder: Path, scenes: Iterable[dict[str, Any]], **changes: Any) -> Path:
    """Write the test set as 16-bit files; the parts and a little noise sum to the mixture."""
    scenes = list(scenes)
    for part in ("mixture", "near", "far"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number, line in enumerate(scenes):
        rng = np.random.default_rng(number)
        roles = {talker["role"] for talker in line["talkers"]}
        parts = {
            role: (rng.integers(-4000, 4000, FRAMES) if role in roles else np.zeros(FRAMES, int))
            for role in ("near", "far")
        }
        noise = rng.integers(-40, 40, FRAMES) if line["snr_db"] is not None else 0
        parts["mixture"] = parts["near"] + parts["far"] + noise
        for part, samples in parts.items():
            sf.write(folder / line[part], samples.astype(np.int16), RATE)
    header = {
        "schema": 1,
        "version": "0.0",
        "preset": "tiny",
        "seed": 7,
        "rate": RATE,
        "seconds": FRAMES / RATE,
        "threshold_m": None,
        "speech": "synthetic",
        "noise": "synthetic",
        "rirs": None,
        "scenes": len(scenes),
        "complete": True,
        **changes,
    }
    (folder / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in scenes))
    (folder / "test-set.json").write_text(json.dumps(header))
    return folder
