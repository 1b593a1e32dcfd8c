"""The whole way from a Keras network to a checked model file and its card."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..constants import SignalConfig
from ..runtime.registry import SUFFIX, Model
from ..runtime.session import INPUT
from ..runtime.timing import Timing
from ..tflite.graph import multiply_accumulates, read_graph
from .analyzer import violations
from .card import make_card
from .convert import convert
from .diff import Check, inference_diff
from .timings import timings_for

if TYPE_CHECKING:
    import keras

    from ..network import CarriedNetworks


def export_network(
    network: keras.Model | CarriedNetworks,
    signal: SignalConfig,
    name: str,
    configuration: str,
    weights: str = "float16",
    sections: Mapping[str, Any] | None = None,
) -> tuple[bytes, dict[str, Any], list[Check]]:
    """Convert and check a network; nothing is written where it could be seen.

    Args:
        network: with a batch size of 1; of one that carries context, both forms.
        signal: what it expects of its input.
        name, configuration: for the card.
        weights: as `convert` takes them.
        sections: `training` and `scores` of the card.

    Returns:
        The file's content, its card, and the checks; the caller looks whether they passed.

    Raises:
        DssError: the network cannot be converted, or LiteRT cannot load what became of it.
    """
    data = convert(network, weights)
    broken = violations(data)
    checks = [Check("GPU rules", not broken, len(broken), 0, "; ".join(broken[:3]))]
    with tempfile.TemporaryDirectory() as folder:
        bundled = exact = _temporary(Path(folder), name, network, data, signal)
        if weights != "float32":
            exact = _temporary(Path(folder), "float32", network, convert(network, "float32"), signal)
        checks += inference_diff(network, bundled, exact, weights)
    return data, describe_model(network, data, signal, name, configuration, checks, sections), checks


def describe_model(
    network: keras.Model | CarriedNetworks,
    data: bytes,
    signal: SignalConfig,
    name: str,
    configuration: str,
    checks: Sequence[Check] = (),
    sections: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The card of a converted network, as `make_card` makes it of what is counted here."""
    from ..network import CarriedNetworks

    return make_card(
        data,
        name,
        configuration,
        signal,
        (network.separate if isinstance(network, CarriedNetworks) else network).count_params(),
        round(multiply_accumulates(read_graph(data)) / signal.chunk_seconds),
        checks,
        sections or {},
        states(network),
        timings(network),
    )


def states(network: keras.Model | CarriedNetworks) -> dict[str, tuple[int, ...]]:
    """Shape by name of what a network carries from chunk to chunk, in the order of the file's signature."""
    from ..network import CarriedNetworks

    if not isinstance(network, CarriedNetworks):
        return {}
    return {name: tuple(x.shape) for name, x in sorted(network.separate.input.items()) if name != INPUT}


def timings(network: keras.Model | CarriedNetworks) -> tuple[Timing, ...]:
    """Timings of the shorter latencies that a network's file offers."""
    from ..network import CarriedNetworks

    if not isinstance(network, CarriedNetworks):
        return ()
    return timings_for(network.config.signal, network.lengths)


def _temporary(
    folder: Path, name: str, network: keras.Model | CarriedNetworks, data: bytes, signal: SignalConfig
) -> Model:
    path = Path(tempfile.mkstemp(suffix=SUFFIX, dir=folder)[1])
    path.write_bytes(data)
    return Model(name, path, {}, signal, state=states(network), timings=timings(network))
