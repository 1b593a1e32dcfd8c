"""The `toy` configuration with random weights, for tests that need trained ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def network() -> Any:
    """The Keras network, always the same one; fresh weights would pass half the mixture on."""
    import keras

    from dss_cli.network import build

    keras.utils.set_random_seed(0)
    made = build("toy", batch=1)
    generator = np.random.default_rng(0)
    made.set_weights([w + 0.2 * generator.standard_normal(w.shape) for w in made.get_weights()])
    return made


def write_weights(folder: Path) -> Path:
    """`toy.weights.h5`, and beside it as much of a card as tells what they are."""
    path = folder / "toy.weights.h5"
    network().save_weights(path)
    (folder / "toy.json").write_text(json.dumps({"configuration": "toy"}))
    return path
