"""Adapter of Keras networks and trained weights for the streaming engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..constants import OVERLAP, SignalConfig
from ..errors import DssError
from ..runtime.timing import Timing
from .timings import timings_for

if TYPE_CHECKING:
    import keras

    from ..network import CarriedNetworks

Floats = npt.NDArray[np.float32]
State = dict[str, Floats]


class KerasNetwork:
    """Keras network with the interface of the streaming engine.

    Args:
        network: functional model for one chunk at a time (input `mixture`, outputs {"near", "far"}), or the
            two forms of a network with context.
        signal: signal constants of the network.
        overlap: overlap of consecutive chunks, as a share of a chunk.
    """

    def __init__(
        self, network: keras.Model | CarriedNetworks, signal: SignalConfig, overlap: float = OVERLAP
    ) -> None:
        self.signal, self.overlap = signal, overlap
        self.timings: tuple[Timing, ...] = ()
        from ..network import CarriedNetworks

        self._carried = network if isinstance(network, CarriedNetworks) else None
        self._separate: Any = network.separate if isinstance(network, CarriedNetworks) else network
        if self._carried:
            self.timings = timings_for(signal, self._carried.lengths)
        self._shorter: dict[int, keras.Model] = {}  # built on demand, because Keras is slow at building

    def begin(self) -> State | None:
        """Return the initial state of a recording; None if the network has no context."""
        if self._carried is None:
            return None
        return {
            name: np.zeros(tensor.shape, np.float32)
            for name, tensor in self._separate.input.items()
            if name != "mixture"
        }

    def separate(
        self, mixture: Floats, state: State | None = None, update: bool = True
    ) -> tuple[Floats, Floats]:
        """Separate one chunk: compressed float32 `[1, frames, bins, 3]` to near and far, `[..., 2]` each.

        Args:
            mixture: compressed spectrum of the chunk.
            state: context of the recording; None runs the chunk without context.
            update: whether to advance `state` by this chunk.
        """
        before = state or self.begin()
        network = self._of_length(mixture.shape[1])
        outputs = network.predict_on_batch({"mixture": mixture, **before} if before else mixture)
        if state and update:
            state.update({name: np.asarray(outputs[name]) for name in state})
        return np.asarray(outputs["near"]), np.asarray(outputs["far"])

    def listen(self, mixture: Floats, state: State) -> None:
        """Advance `state` by one chunk without separating the chunk."""
        assert self._carried is not None, "only a network with context has a state"
        outputs = self._carried.listen.predict_on_batch({"mixture": mixture, **state})
        state.update({name: np.asarray(outputs[name]) for name in state})

    def _of_length(self, frames: int) -> Any:
        if self._carried is None or frames == self.signal.frames:
            return self._separate
        if frames not in self._shorter:
            self._shorter[frames] = self._carried.shorter(frames)
        return self._shorter[frames]


def load_trained(path: Path) -> KerasNetwork:
    """Load trained weights into a Keras network; imports Keras and its backend.

    Args:
        path: path of `NAME.weights.h5`, whose card names the configuration.

    Raises:
        DssError: the card is missing, the configuration is unknown, the weights are missing or belong to
            another configuration, or Keras is not installed.
    """
    name = trained_configuration(path)
    from ..network.keras_backend import load_keras

    load_keras()
    from ..network import build_for_inference, configuration
    from ..network.weights import load_weights

    config = configuration(name)
    network = build_for_inference(config)
    load_weights(network[0] if isinstance(network, tuple) else network, path, name)
    return KerasNetwork(network, config.signal)


def trained_configuration(path: Path) -> str:
    """Return the name of the configuration in the card (`NAME.json`) beside trained weights.

    Raises:
        DssError: the weights or the card are missing, or the card names no configuration.
    """
    if not path.is_file():
        raise DssError(f"{path}: no such file")
    card = path.with_name(f"{path.name.removesuffix('.weights.h5')}.json")
    way_out = '`dss export` writes one; a file of {"configuration": "lite"} does as well'
    try:
        content = json.loads(card.read_bytes())
    except OSError as error:
        raise DssError(
            f"{card}: {error.strerror}; it must name the configuration of {path.name}: {way_out}"
        ) from error
    except ValueError as error:
        raise DssError(f"{card}: not a model card: {error}; {way_out}") from error
    name = content.get("configuration") if isinstance(content, dict) else None
    if not isinstance(name, str):
        raise DssError(f"{card}: names no `configuration`; {way_out}")
    return name
