"""Network of the `toy` configuration with context, as Keras networks and as a file, with constant weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from dss_cli.runtime.registry import Model, find_model
from tests.helpers import tiny


def network() -> Any:
    """Return the forms `separate` and `listen` of the network; new weights would pass half the mixture."""
    from dss_cli.network.keras_backend import load_keras

    load_keras("tensorflow")  # prints nothing to stderr, which tests of commands check
    import keras

    from dss_cli.network import build_for_inference, configuration

    keras.utils.set_random_seed(0)
    made = build_for_inference(configuration("toy"))
    generator = np.random.default_rng(0)
    layers = made.separate
    layers.set_weights([w + 0.2 * generator.standard_normal(w.shape) for w in layers.get_weights()])
    return made


def write(folder: Path, made: Any, name: str = "toy-context") -> Model:
    """Write the model file of the network and its card; return the model."""
    from dss_cli.export.convert import convert
    from dss_cli.export.pipeline import states, timings
    from dss_cli.network import configuration

    path = tiny.write(folder, name, convert(made, "float32"), configuration("toy").signal)
    card = json.loads(path.with_suffix(".json").read_text())
    signal = configuration("toy").signal
    card["latencies"] = [timing.to_dict(signal) for timing in timings(made)]
    card["state"] = {state: list(shape) for state, shape in states(made).items()}
    path.with_suffix(".json").write_text(json.dumps(card))
    return find_model(path)
