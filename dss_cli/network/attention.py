"""Relation-aware self-attention: linear in the positions as in the models, or what to compare it with."""

from __future__ import annotations

from keras import layers, ops

from .config import TwoStageConfig
from .layers import Tensor, pointwise, rotate


def attention(x: Tensor, config: TwoStageConfig, name: str) -> Tensor:
    """Attention along the positions of each row, per head, with rotary embedding of queries and keys.

    Args:
        x: (batch, rows, positions, channels).

    Returns:
        The attended values, projected; the same shape as `x`.
    """
    channels, heads = config.channels, config.heads
    merged = pointwise(x, 3 * channels, f"{name}_qkv", use_bias=False)
    # First in three, then by head: XNNPACK takes splits into at most four.
    queries, keys, values = (_by_head(part, heads) for part in ops.split(merged, 3, axis=-1))
    if config.rotary:
        queries, keys = ([rotate(part) for part in parts] for parts in (queries, keys))
    attended = list(map(KINDS[config.attention], queries, keys, values))
    joined = layers.Concatenate(name=f"{name}_heads")(attended) if heads > 1 else attended[0]
    return pointwise(joined, channels, f"{name}_out")


def linear(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """`softmax_q(Q) {softmax_k(K^T) V} / sqrt(d)`: no matrix of positions by positions anywhere.

    The softmax of a query runs over its channels, that of the keys over the positions (Bae et al. 2025,
    eq. 3; Shen et al. 2021). Keys are transposed first so that their softmax runs over the last axis, which
    GPU delegates demand.
    """
    query = ops.softmax(query, axis=-1)
    key = ops.softmax(_transposed(key), axis=-1)
    context = ops.matmul(key, value)  # (batch, rows, d, d)
    return ops.matmul(query, context) * value.shape[-1] ** -0.5


def quadratic(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """`softmax(Q K^T / sqrt(d)) V` (Vaswani et al. 2017): every position with every other, as in CMGAN."""
    likeness = ops.matmul(query, _transposed(key)) * value.shape[-1] ** -0.5
    return ops.matmul(ops.softmax(likeness, axis=-1), value)


KINDS = {"linear": linear, "quadratic": quadratic}


def _by_head(x: Tensor, heads: int) -> list[Tensor]:
    return list(ops.split(x, heads, axis=-1)) if heads > 1 else [x]


def _transposed(x: Tensor) -> Tensor:
    return ops.transpose(x, (0, 1, 3, 2))
