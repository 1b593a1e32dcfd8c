"""Export pipeline: from a Keras network to a checked model file and its card."""

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
    """Convert and check a network; only temporary files are written.

    Args:
        network: network with batch size 1; both forms of a network with context.
        signal: signal constants of the network.
        name, configuration: names of model and configuration, for the card.
        weights: storage type of the weights, as in `convert`.
        sections: sections `training` and `scores` of the card.

    Returns:
        Content of the file, its card, and the checks. The caller must look whether the checks passed.

    Raises:
        DssError: the network cannot be converted, or LiteRT cannot load the result.
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
    """Return the card of a converted network; parameters and multiply-accumulates are counted here.

    Raises:
        UsageError: as `make_card`.
    """
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
    """Return the shapes of a network's states by name, in the order of the file's signature."""
    from ..network import CarriedNetworks

    if not isinstance(network, CarriedNetworks):
        return {}
    return {name: tuple(x.shape) for name, x in sorted(network.separate.input.items()) if name != INPUT}


def timings(network: keras.Model | CarriedNetworks) -> tuple[Timing, ...]:
    """Return the timings of the shorter latencies that a network's file offers."""
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
