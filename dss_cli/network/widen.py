"""Grow a trained network: more channels, and nearly the function it had (Chen et al. 2016, Net2Net)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from .build import build
from .config import TwoStageConfig, configuration
from .weights import Weights, fill, stored

Positions = NDArray[np.intp]
BANDS = "encoder_bands_norm"  # a layer of every two-stage network, with one weight per channel
# Attention divides by the square root of its width, now larger: these layers' first outputs make up for it,
# what comes of the values or, ahead of the softmax, the queries.
DIVIDED = {"linear": "_attention_out", "relative": "_attention_out", "quadratic": "_attention_qkv"}
FAINT = 0.03  # not zero, where PReLU has no gradient


class Beginning(NamedTuple):
    """How the weights that a network begins with differ from it.

    Attributes:
        widened_from: their channels, if those are fewer.
        fresh: layers that they lack, which begin as in a fresh network.
        left: their layers that the network lacks.
    """

    widened_from: int | None
    fresh: list[str]
    left: list[str]


def begin_with(network: keras.Model, path: Path, name: str) -> Beginning:
    """Load weights into a network of the configuration `name`: with fewer channels, or without some layers.

    Raises:
        DssError: not weights of that configuration, whatever its channels.
    """
    config, there = configuration(name), stored(path, name)
    if isinstance(config, TwoStageConfig) and BANDS in there:
        channels = len(there[BANDS][0])
        if channels < config.channels:
            narrow = build(replace(config, channels=channels))
            fresh, left = fill(narrow, there, path, name)
            widen(narrow, network, config, channels, fresh)
            return Beginning(channels, fresh, left)
    return Beginning(None, *fill(network, there, path, name))


def widen(
    narrow: keras.Model,
    wide: keras.Model,
    config: TwoStageConfig,
    channels: int,
    fresh: Collection[str] = (),
) -> None:
    """Copy the weights of `narrow`, which has fewer `channels`, into `wide`, a fresh network of `config`.

    What a layer newly puts out begins faint, and what it newly takes in is weighted as in the fresh network:
    the function stays, and every new weight receives a gradient. Two more things are approximate, and mended
    by training: the softmax of a query spreads over its new features, and rotary angles are those of
    the nearest old feature. Layers named in `fresh` stay as they are.
    """
    for layer in narrow.layers:
        if layer.name in fresh:
            continue
        for old, new in zip(layer.weights, wide.get_layer(layer.name).weights, strict=True):
            if old.shape == new.shape:
                new.assign(old)
            else:
                new.assign(_wider(layer, old.numpy(), new.numpy(), config, channels))


def _wider(layer: keras.Layer, old: Weights, new: Weights, config: TwoStageConfig, channels: int) -> Weights:
    where = [np.arange(size) for size in old.shape]
    if layer.name.endswith("_norm"):
        old = old * np.float32(np.sqrt(channels / config.channels))  # zeros beside them lower the mean square
    elif isinstance(layer, keras.layers.Conv2DTranspose) and old.ndim == 4:
        new = np.random.default_rng(0).normal(0, old.std(), new.shape)  # a fresh one is zero on both sides
    elif isinstance(layer, keras.layers.Conv2D) and old.ndim == 4:
        where[2] = _inputs(layer.name, config, channels, old.shape[2], new.shape[2])
        if layer.name.endswith(DIVIDED[config.attention]):
            gain = np.ones(old.shape[3], np.float32)
            gain[:channels] = np.sqrt(config.channels / channels)
            old = old * gain
        where[3] = _outputs(layer.name, config, old.shape[3], new.shape[3])
        new[..., np.setdiff1d(np.arange(new.shape[3]), where[3])] *= FAINT
    new[np.ix_(*where)] = old
    return new


def _inputs(name: str, config: TwoStageConfig, channels: int, before: int, after: int) -> Positions:
    """Where each of the features that a layer has read lies among those that it reads now."""
    if name.endswith("_attention_out"):
        return _rotated(config.heads, before, after)
    parts = before // channels if name.endswith("_mix") else 1  # a dense layer reads those of several layers
    return _in_parts(parts, np.arange(before // parts), after // parts)


def _outputs(name: str, config: TwoStageConfig, before: int, after: int) -> Positions:
    return _rotated(3 * config.heads, before, after) if name.endswith("_qkv") else np.arange(before)


def _rotated(parts: int, before: int, after: int) -> Positions:
    """Pairs of features (first half, second half), spread so that their angles stay close."""
    width, room = before // parts, after // parts
    pair = np.round(np.arange(width // 2) * room / width).astype(np.intp)
    return _in_parts(parts, np.concatenate([pair, room // 2 + pair]), room)


def _in_parts(parts: int, positions: Positions, room: int) -> Positions:
    return np.concatenate([part * room + positions for part in range(parts)])
