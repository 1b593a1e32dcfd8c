"""Network of the `toy` configuration with random weights, for tests that need trained weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def network() -> Any:
    """Return the Keras network with constant random weights; new weights would pass half the mixture."""
    import keras

    from dss_cli.network import build

    keras.utils.set_random_seed(0)
    made = build("toy", batch=1)
    generator = np.random.default_rng(0)
    made.set_weights([w + 0.2 * generator.standard_normal(w.shape) for w in made.get_weights()])
    return made


def write_weights(folder: Path) -> Path:
    """Write `toy.weights.h5` and a card that names the configuration; return the path of the weights."""
    path = folder / "toy.weights.h5"
    network().save_weights(path)
    (folder / "toy.json").write_text(json.dumps({"configuration": "toy"}))
    return path
