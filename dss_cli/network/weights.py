"""Read and write the weights of a network, layer by layer, by name."""

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
    """Differences between a network and its initial weights from a file.

    Attributes:
        fresh: layers of the network that the file lacks; they keep their random values.
        left: layers of the file that the network lacks.
    """

    fresh: list[str]
    left: list[str]


def begin_with(network: keras.Model, path: Path, configuration: str) -> Beginning:
    """Load initial weights into a network; layers may be missing on both sides.

    Args:
        network: network to fill.
        path: path of a `.weights.h5` file.
        configuration: name of the configuration, for messages.

    Raises:
        DssError: the file cannot be read, a layer has another shape, or no layer has a name of the network's.
    """
    return Beginning(*fill(network, stored_layers(path, configuration), path, configuration))


def load_weights(network: keras.Model, path: Path, configuration: str) -> None:
    """Load a `.weights.h5` file into a network with exactly the same layers.

    Keras itself accepts files with additional layers.

    Raises:
        DssError: the file cannot be read, or holds weights of another configuration.
    """
    fresh, left = fill(network, stored_layers(path, configuration), path, configuration)
    for what, layers in (("it lacks", fresh), ("it also holds", left)):
        if layers:
            raise DssError(f"{path}: not weights of configuration {configuration}: {what} {few_of(layers)}")


def few_of(layers: Sequence[str]) -> str:
    """Return the first three names, and the number of further names."""
    more = f" and {len(layers) - 3} more" if len(layers) > 3 else ""
    return ", ".join(layers[:3]) + more


def weights_file(network: keras.Model) -> bytes:
    """Return the content of a `.weights.h5` file, for atomic writing: Keras itself writes files in place.

    Raises:
        DssError: the temporary file cannot be written, for example on a full disk.
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
    """Return the weights in a file by the name of their layer; nested layers are named `outer/inner`.

    Args:
        path: path of a `.weights.h5` file.
        configuration: name of the expected configuration, for messages.

    Raises:
        DssError: the file cannot be read.
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
    """Return the name of a layer; its weights are in the group `vars`, its inner layers beside that group."""
    outer = weights.parent.parent.get("vars")
    name = str(weights.attrs["name"])
    return name if outer is None or outer.parent.name == "/" else f"{_name(outer)}/{name}"


def fill(
    network: keras.Model, weights: dict[str, list[Weights]], path: Path, configuration: str
) -> tuple[list[str], list[str]]:
    """Assign stored weights to the layers of a network by name.

    Args:
        network: network to fill.
        weights: weights from `stored_layers`.
        path, configuration: file and configuration, for messages.

    Returns:
        Layers without stored weights, which stay unchanged, and stored layers that the network lacks.

    Raises:
        DssError: no layer matches, or the shapes of a layer differ.
    """
    layers: dict[str, list[Any]] = {}
    for variable in network.weights:
        layers.setdefault(variable.path.rpartition("/")[0], []).append(variable)
    common = weights.keys() & layers.keys()
    if not common:
        raise DssError(f"{path}: not weights of configuration {configuration}: it has none of its layers")
    for label in sorted(common):
        there, here = ([tuple(w.shape) for w in part] for part in (weights[label], layers[label]))
        if there != here:
            raise DssError(
                f"{path}: not weights of configuration {configuration}: its layer {label} has the shapes "
                f"{there}, but {here} are needed"
            )
        for variable, value in zip(layers[label], weights[label], strict=True):
            variable.assign(value)
    return sorted(layers.keys() - common), sorted(weights.keys() - common)
