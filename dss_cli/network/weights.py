"""Weights of a configuration, from a file."""

from __future__ import annotations

from pathlib import Path

import keras

from ..errors import DssError


def load_weights(network: keras.Model, path: Path, configuration: str) -> None:
    """Read a `.weights.h5` file into a network of that configuration.

    Raises:
        DssError: no weights, or those of another configuration.
    """
    try:
        network.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise DssError(f"{path}: not weights of configuration {configuration}: {reason}") from error
