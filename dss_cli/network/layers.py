"""Layers that obey the GPU rules by construction: 4-D tensors, no reshape, one batch size.

Every function takes and returns a Keras tensor (batch, rows, positions, channels). One-dimensional operations
run along `positions` as (1, k) convolutions, so that the stages for time and frequency share the code.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import initializers, layers, ops

QUARTER = initializers.Constant(0.25)  # initial slope of a PReLU (He et al. 2015)
Tensor = Any  # keras.KerasTensor; Keras has no public alias that mypy supports


def pointwise(x: Tensor, channels: int, name: str, **options: Any) -> Tensor:
    """Apply a linear map of the channels, a 1x1 convolution."""
    return layers.Conv2D(channels, 1, name=name, **options)(x)


def depthwise(x: Tensor, kernel: tuple[int, int], name: str, dilation: int = 1) -> Tensor:
    """Apply one filter per channel, dilated along the rows."""
    return Depthwise(kernel, padding="same", dilation_rate=(dilation, 1), name=name)(x)


class Depthwise(layers.DepthwiseConv2D):
    """Depthwise convolution whose filters along positions are trained as filters along rows.

    The result is the same. On a processor, TensorFlow needs 20 to 150 times as long for the gradient of a (1,
    15) filter as for that of a (15, 1) filter. Inference keeps the form without a reshape, for the GPU rules.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        rows, positions = self.kernel_size
        if not training or rows > 1:
            return super().call(inputs)
        shape = ops.shape(inputs)
        column = ops.reshape(inputs, (-1, shape[2], 1, shape[3]))
        kernel = ops.reshape(self.kernel, (positions, 1, *self.kernel.shape[2:]))
        filtered = ops.depthwise_conv(column, kernel, padding="same")
        return ops.reshape(filtered, shape) + self.bias


def bins_to_bands(x: Tensor, channels: int, stride: int, name: str) -> Tensor:
    """Encode every `stride` bins as one token, by a strided convolution over three frames."""
    kernel = (3, _overlapping(stride))
    return layers.Conv2D(channels, kernel, strides=(1, stride), padding="same", name=name)(x)


def bands_to_bins(x: Tensor, channels: int, stride: int, name: str, **options: Any) -> Tensor:
    """Decode every token to `stride` bins, by a transposed convolution."""
    return layers.Conv2DTranspose(
        channels, (1, _overlapping(stride)), strides=(1, stride), padding="same", name=name, **options
    )(x)


def _overlapping(stride: int) -> int:
    """Return the kernel size over bins: 1.5 times the stride, so that tokens overlap."""
    return stride * 3 // 2


def norm(x: Tensor, kind: str, name: str) -> Tensor:
    """Normalise each token over its channels."""
    if kind == "layer":
        return layers.LayerNormalization(epsilon=1e-5, name=name)(x)
    return layers.RMSNormalization(epsilon=1e-5, name=name)(x)


def prelu(x: Tensor, name: str) -> Tensor:
    """Apply a PReLU with one slope per channel, as in the published encoder and decoders."""
    return layers.PReLU(shared_axes=[1, 2], alpha_initializer=QUARTER, name=name)(x)


def rotary_tables(positions: Any, width: int, base: float = 10_000.0) -> tuple[Any, Any]:
    """Return cosines and sines of the rotary embedding (Su et al. 2021), (1, 1, positions, width / 2)."""
    frequencies = base ** (-np.arange(0, width, 2) / width)
    if not isinstance(positions, int):  # a tensor, known only at run time
        angles = ops.cast(ops.arange(positions), "float32")[:, None] * frequencies.astype("float32")
        return ops.cos(angles)[None, None], ops.sin(angles)[None, None]
    angles = (np.arange(positions)[:, None] * frequencies)[None, None]
    return np.cos(angles).astype("float32"), np.sin(angles).astype("float32")


class Rotation(keras.layers.Layer):
    """Layer that rotates pairs of features (first, second half) by angles proportional to the position."""

    def call(self, x: Any) -> Any:
        tables = rotary_tables(ops.shape(x)[2], x.shape[3])
        cosine, sine = (ops.cast(table, x.dtype) for table in tables)
        first, second = ops.split(x, 2, axis=-1)
        return ops.concatenate([first * cosine - second * sine, first * sine + second * cosine], axis=-1)


def rotate(x: Tensor) -> Tensor:
    """Apply the rotary embedding along the positions of (batch, rows, positions, width)."""
    return Rotation()(x)
