"""Linear relation-aware self-attention: cost linear in the positions, no N x N matrix anywhere."""

from __future__ import annotations

from keras import layers, ops

from .config import NetworkConfig
from .layers import Tensor, pointwise, rotate


def linear_attention(x: Tensor, config: NetworkConfig, name: str) -> Tensor:
    """`softmax_q(Q_r) {softmax_k(K_r^T) V} / sqrt(d)` per head, along the positions of each row.

    Q_r and K_r carry rotary embedding before their feature maps: the softmax of a query runs over its
    channels, that of the keys over the positions (Bae et al. 2025, eq. 3; Shen et al. 2021). Keys are
    transposed first so that their softmax runs over the last axis, which GPU delegates demand.

    Args:
        x: (batch, rows, positions, channels).

    Returns:
        The attended values, projected; the same shape as `x`.
    """
    channels, heads = config.channels, config.heads
    width = channels // heads
    merged = pointwise(x, 3 * channels, f"{name}_qkv", use_bias=False)
    # First in three, then by head: XNNPACK takes splits into at most four.
    queries, keys, values = (_by_head(part, heads) for part in ops.split(merged, 3, axis=-1))
    attended = []
    for query, key, value in zip(queries, keys, values, strict=True):
        query = ops.softmax(rotate(query), axis=-1)
        key = ops.softmax(ops.transpose(rotate(key), (0, 1, 3, 2)), axis=-1)
        context = ops.matmul(key, value)  # (batch, rows, width, width)
        attended.append(ops.matmul(query, context) * width**-0.5)
    joined = layers.Concatenate(name=f"{name}_heads")(attended) if heads > 1 else attended[0]
    return pointwise(joined, channels, f"{name}_out")


def _by_head(x: Tensor, heads: int) -> list[Tensor]:
    return list(ops.split(x, heads, axis=-1)) if heads > 1 else [x]
