"""Interfaces between the streaming engine and a network, with and without context between chunks."""

from __future__ import annotations

from typing import Any, Protocol, TypeGuard, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..constants import SignalConfig

Floats = npt.NDArray[np.float32]


class Network(Protocol):
    """Network that separates chunks independently of each other."""

    @property
    def signal(self) -> SignalConfig:
        """Signal constants of the spectra."""

    @property
    def overlap(self) -> float:
        """Recommended overlap of consecutive chunks, as a share of a chunk, 0 to 0.5."""

    def separate(self, mixture: Floats) -> tuple[Floats, Floats]:
        """Separate one chunk: compressed float32 `[1, frames, bins, 3]` to near and far, `[..., 2]`.

        A network with `timings` (see `timing.offered`) also accepts chunks of the lengths in `timings`.
        """


@runtime_checkable
class ContextNetwork(Network, Protocol):
    """Network that may carry context (a state) from chunk to chunk."""

    def begin(self) -> Any:
        """Return the initial state of one channel; None if the model has no context."""

    def listen(self, mixture: Floats, state: Any) -> None:
        """Advance `state` by one chunk without separating the chunk."""

    def separate(self, mixture: Floats, state: Any = None, update: bool = True) -> tuple[Floats, Floats]:
        """Separate one chunk in the context of `state`; `update` advances the state by the chunk."""


def carries_context(network: Network) -> TypeGuard[ContextNetwork]:
    """Return whether a network carries context; a network with the interface may have a model without."""
    return isinstance(network, ContextNetwork) and network.begin() is not None
