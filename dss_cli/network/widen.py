"""Widen a trained network: more channels, and nearly the function it had (Chen et al. 2016, Net2Net)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from .build import build
from .config import NetworkConfig, configuration
from .weights import load_weights

Positions = NDArray[np.intp]
Weights = NDArray[np.floating[Any]]
FAINT = 0.03  # not zero, where PReLU has no gradient


def begin_with(network: keras.Model, path: Path, name: str) -> int | None:
    """Load weights into a network of the configuration `name`, widened where they have fewer channels.

    Returns:
        How many channels they had, if those were fewer.

    Raises:
        DssError: not weights of that configuration, whatever its channels.
    """
    config = configuration(name)
    channels = _stored_channels(path)
    if channels is None or channels >= config.channels:
        load_weights(network, path, name)
        return None
    narrow = build(replace(config, channels=channels))
    load_weights(narrow, path, name)
    widen(narrow, network, config, channels)
    return channels


def _stored_channels(path: Path) -> int | None:
    found: list[int] = []

    def visit(_: str, item: h5py.Group | h5py.Dataset) -> None:
        if item.attrs.get("name") == "encoder_bands" and "0" in item:
            found.append(int(item["0"].shape[-1]))

    try:
        with h5py.File(path) as file:
            file.visititems(visit)
    except OSError:
        return None  # whoever loads it says what is wrong
    return found[0] if found else None


def widen(narrow: keras.Model, wide: keras.Model, config: NetworkConfig, channels: int) -> None:
    """Copy the weights of `narrow`, which has fewer `channels`, into `wide`, a fresh network of `config`.

    What a layer newly puts out begins faint, and what it newly takes in is weighted as in the fresh network:
    the function stays, and every new weight receives a gradient. Two more things are approximate, and mended
    by training: the softmax of a query spreads over its new features, and rotary angles are those of
    the nearest old feature.
    """
    for layer in narrow.layers:
        for old, new in zip(layer.weights, wide.get_layer(layer.name).weights, strict=True):
            if old.shape == new.shape:
                new.assign(old)
            else:
                new.assign(_wider(layer, old.numpy(), new.numpy(), config, channels))


def _wider(layer: keras.Layer, old: Weights, new: Weights, config: NetworkConfig, channels: int) -> Weights:
    where = [np.arange(size) for size in old.shape]
    if layer.name.endswith("_norm"):
        old = old * np.float32(np.sqrt(channels / config.channels))  # zeros beside them lower the mean square
    elif isinstance(layer, keras.layers.Conv2DTranspose) and old.ndim == 4:
        new = np.random.default_rng(0).normal(0, old.std(), new.shape)  # a fresh one is zero on both sides
    elif isinstance(layer, keras.layers.Conv2D) and old.ndim == 4:
        where[2] = _inputs(layer.name, config, channels, old.shape[2], new.shape[2])
        if layer.name.endswith("_attention_out"):  # attention divides by the square root of a larger width
            old = old * np.float32(np.sqrt(config.channels / channels))
        where[3] = _outputs(layer.name, config, old.shape[3], new.shape[3])
        new[..., np.setdiff1d(np.arange(new.shape[3]), where[3])] *= FAINT
    new[np.ix_(*where)] = old
    return new


def _inputs(name: str, config: NetworkConfig, channels: int, before: int, after: int) -> Positions:
    """Where each of the features that a layer has read lies among those that it reads now."""
    if name.endswith("_attention_out"):
        return _rotated(config.heads, before, after)
    parts = before // channels if name.endswith("_mix") else 1  # a dense layer reads those of several layers
    return _in_parts(parts, np.arange(before // parts), after // parts)


def _outputs(name: str, config: NetworkConfig, before: int, after: int) -> Positions:
    return _rotated(3 * config.heads, before, after) if name.endswith("_qkv") else np.arange(before)


def _rotated(parts: int, before: int, after: int) -> Positions:
    """Pairs of features (first half, second half), spread so that their angles stay close."""
    width, room = before // parts, after // parts
    pair = np.round(np.arange(width // 2) * room / width).astype(np.intp)
    return _in_parts(parts, np.concatenate([pair, room // 2 + pair]), room)


def _in_parts(parts: int, positions: Positions, room: int) -> Positions:
    return np.concatenate([part * room + positions for part in range(parts)])
