"""Weights of a configuration, from a file: layer by layer, by name."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from ..errors import DssError

Weights = NDArray[np.floating[Any]]


class Beginning(NamedTuple):
    """Differences between a network and the weights that it begins with.

    Attributes:
        fresh: layers that the weights lack; they keep their fresh values.
        left: layers of the weights that the network lacks.
    """

    fresh: list[str]
    left: list[str]


def begin_with(network: keras.Model, path: Path, configuration: str) -> Beginning:
    """Load weights into a network, which may have layers that they lack, and lack some of theirs.

    Raises:
        DssError: not weights of that configuration: a layer of another shape, or none of the network's.
    """
    return Beginning(*fill(network, stored_layers(path, configuration), path, configuration))


def load_weights(network: keras.Model, path: Path, configuration: str) -> None:
    """Read a `.weights.h5` file into a network of that configuration, which has the same layers.

    Keras itself lets a file pass that has more of them.

    Raises:
        DssError: no weights, or those of another configuration.
    """
    fresh, left = fill(network, stored_layers(path, configuration), path, configuration)
    for what, layers in (("it lacks", fresh), ("it also holds", left)):
        if layers:
            raise DssError(f"{path}: not weights of configuration {configuration}: {what} {few_of(layers)}")


def few_of(layers: Sequence[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(layers) - 3} more" if len(layers) > 3 else ""
    return ", ".join(layers[:3]) + more


def weights_file(network: keras.Model) -> bytes:
    """Content of a `.weights.h5` file, which Keras would write in place: by half where the disk is full.

    Raises:
        DssError: no room for it among temporary files.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.weights.h5")
        try:
            network.save_weights(path)
        except (OSError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            raise DssError(f"{path}: cannot be written: {reason}") from error
        return path.read_bytes()


def stored_layers(path: Path, configuration: str) -> dict[str, list[Weights]]:
    """The weights in a file, by the name of their layer; `outer/inner` of one within another.

    Args:
        path: of a `.weights.h5` file.
        configuration: whose weights they ought to be, for the message.

    Raises:
        DssError: it cannot be read.
    """
    found: dict[str, list[Weights]] = {}

    def visit(_: str, item: h5py.Group | h5py.Dataset) -> None:
        if "name" in item.attrs and isinstance(item, h5py.Group) and len(item):
            found[_name(item)] = [np.asarray(item[str(i)]) for i in range(len(item))]

    try:
        with h5py.File(path) as file:
            file.visititems(visit)
    except (OSError, KeyError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise DssError(f"{path}: not weights of configuration {configuration}: {reason}") from error
    return found


def _name(weights: h5py.Group) -> str:
    """Keras keeps a layer's own weights in its group `vars`, and the layers in it beside that."""
    outer = weights.parent.parent.get("vars")
    name = str(weights.attrs["name"])
    return name if outer is None or outer.parent.name == "/" else f"{_name(outer)}/{name}"


def fill(
    network: keras.Model, weights: dict[str, list[Weights]], path: Path, configuration: str
) -> tuple[list[str], list[str]]:
    """Give every layer of a network the weights that are stored by its name.

    Args:
        network: of that configuration.
        weights: as `stored` reads them.
        path, configuration: for messages.

    Returns:
        Layers without stored weights, which stay as they are, and stored ones that the network lacks.

    Raises:
        DssError: a layer of another shape, or none of the network's layers.
    """
    layers: dict[str, list[Any]] = {}
    for variable in network.weights:
        layers.setdefault(variable.path.rpartition("/")[0], []).append(variable)
    common = weights.keys() & layers.keys()
    if not common:
        raise DssError(f"{path}: not weights of configuration {configuration}: it holds none of its layers")
    for label in sorted(common):
        there, here = ([tuple(w.shape) for w in part] for part in (weights[label], layers[label]))
        if there != here:
            raise DssError(
                f"{path}: not weights of configuration {configuration}: its layer {label} has the shapes "
                f"{there}, where {here} are needed"
            )
        for variable, value in zip(layers[label], weights[label], strict=True):
            variable.assign(value)
    return sorted(layers.keys() - common), sorted(weights.keys() - common)
