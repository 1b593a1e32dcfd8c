"""A Keras network as the streaming engine takes it, and trained weights as such a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..constants import OVERLAP, SignalConfig
from ..errors import DssError

if TYPE_CHECKING:
    import keras

Floats = npt.NDArray[np.float32]


class KerasNetwork:
    """A Keras network as the streaming engine takes it.

    Args:
        network: functional; input `mixture`, outputs {"near", "far"}, for one chunk at a time.
        signal: what it expects of its input.
        overlap: share of a chunk that is faded into the next.
    """

    def __init__(self, network: keras.Model, signal: SignalConfig, overlap: float = OVERLAP) -> None:
        self.signal, self.overlap = signal, overlap
        self._network = network

    def separate(self, mixture: Floats) -> tuple[Floats, Floats]:
        """One chunk: compressed float32 `[1, frames, bins, 3]` to near and far, `[..., 2]`."""
        outputs = self._network.predict_on_batch(mixture)
        return np.asarray(outputs["near"]), np.asarray(outputs["far"])


def load_trained(path: Path) -> KerasNetwork:
    """Trained weights as a network that Keras runs; imports Keras and its backend.

    Args:
        path: `NAME.weights.h5`, of the configuration that its card names.

    Raises:
        DssError: no card, an unknown configuration, no weights or those of another configuration,
            or Keras is not installed.
    """
    name = trained_configuration(path)
    from ..network.keras_backend import load_keras

    load_keras()
    from ..network import build, configuration
    from ..network.weights import load_weights

    config = configuration(name)
    network = build(config, batch=1)
    load_weights(network, path, name)
    return KerasNetwork(network, config.signal)


def trained_configuration(path: Path) -> str:
    """Which configuration the card beside the weights (`NAME.json`) says that they are of.

    Raises:
        DssError: no weights or no card, or the card names none.
    """
    if not path.is_file():
        raise DssError(f"{path}: no such file")
    card = path.with_name(f"{path.name.removesuffix('.weights.h5')}.json")
    way_out = '`dss export` writes one; a file of {"configuration": "lite"} does as well'
    try:
        content = json.loads(card.read_bytes())
    except OSError as error:
        raise DssError(
            f"{card}: {error.strerror}; it says what network {path.name} is of: {way_out}"
        ) from error
    except ValueError as error:
        raise DssError(f"{card}: not a model card: {error}; {way_out}") from error
    name = content.get("configuration") if isinstance(content, dict) else None
    if not isinstance(name, str):
        raise DssError(f"{card}: names no `configuration`; {way_out}")
    return name
