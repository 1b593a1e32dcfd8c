"""Multiply-accumulates of a network, from its Keras graph."""

from __future__ import annotations

from math import prod

import keras
from keras import layers

from .config import NetworkConfig


def macs(network: keras.Model) -> int:
    """Return the multiply-accumulates of one chunk: convolutions and matrix products only."""
    return sum(_macs(operation) for operation in network.operations)


def macs_per_second(network: keras.Model, config: NetworkConfig) -> int:
    """Return the multiply-accumulates per second of audio, without overlap."""
    return round(macs(network) / config.signal.chunk_seconds)


def _macs(operation: keras.Operation) -> int:
    if isinstance(operation, layers.Conv2DTranspose):
        height, width, outputs, inputs = operation.kernel.shape
        return prod(operation.input.shape[1:3]) * height * width * inputs * outputs
    if isinstance(operation, layers.DepthwiseConv2D):
        return prod(operation.output.shape[1:]) * prod(operation.kernel_size)
    if isinstance(operation, layers.Conv2D):
        return prod(operation.output.shape[1:]) * prod(operation.kernel.shape[:3])
    if isinstance(operation, layers.Dense | layers.Bidirectional):  # for every step; each gate is a matrix
        matrices = (weight for weight in operation.weights if len(weight.shape) == 2)
        return prod(operation.input.shape[1:-1]) * sum(prod(matrix.shape) for matrix in matrices)
    if type(operation).__name__ == "Matmul":
        return prod(operation.output.shape[1:]) * operation.input[0].shape[-1]
    return 0
