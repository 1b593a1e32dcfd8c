"""What the streaming engine needs of a network, with and without context from chunk to chunk."""

from __future__ import annotations

from typing import Any, Protocol, TypeGuard, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..constants import SignalConfig

Floats = npt.NDArray[np.float32]


class Network(Protocol):
    """What the streaming engine needs of a model."""

    @property
    def signal(self) -> SignalConfig:
        """The constants of the spectra that it takes."""

    @property
    def overlap(self) -> float:
        """Share of a chunk that is best faded into the next, 0 to 0.5."""

    def separate(self, mixture: Floats) -> tuple[Floats, Floats]:
        """Separate one chunk: compressed float32 `[1, frames, bins, 3]` to near and far, `[..., 2]`.

        A network that has `timings` (see `timing.offered`) takes chunks of their lengths too.
        """


@runtime_checkable
class ContextNetwork(Network, Protocol):
    """What the streaming engine needs of a model that carries context from chunk to chunk."""

    def begin(self) -> Any:
        """Return a state that has heard nothing, for one channel; None: no context is carried."""

    def listen(self, mixture: Floats, state: Any) -> None:
        """Let a chunk count for later ones in `state`, without separating it."""

    def separate(self, mixture: Floats, state: Any = None, update: bool = True) -> tuple[Floats, Floats]:
        """Separate one chunk within the context of `state`; `update` lets it count for later ones."""


def carries_context(network: Network) -> TypeGuard[ContextNetwork]:
    """Whether a network carries context: one that could may have a model without states."""
    return isinstance(network, ContextNetwork) and network.begin() is not None
