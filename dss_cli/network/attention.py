"""Relation-aware self-attention: linear in the positions as in the models, or what to compare it with."""

from __future__ import annotations

from keras import layers, ops

from .config import TwoStageConfig
from .context import Memory, log_weight
from .layers import Tensor, pointwise, rotate


def attention(x: Tensor, config: TwoStageConfig, name: str, memory: Memory | None = None) -> Tensor:
    """Attention along the positions of each row, per head, with rotary embedding of queries and keys.

    Args:
        x: (batch, rows, positions, channels).
        config: of the network.
        name: of the layers.
        memory: of what was heard before, for linear attention along time.

    Returns:
        The attended values, projected; the same shape as `x`.
    """
    channels, heads = config.channels, config.heads
    merged = pointwise(x, 3 * channels, f"{name}_qkv", use_bias=False)
    # First in three, then by head: XNNPACK takes splits into at most four.
    queries, keys, values = (_by_head(part, heads) for part in ops.split(merged, 3, axis=-1))
    if config.rotary:
        queries, keys = ([rotate(part) for part in parts] for parts in (queries, keys))
    if config.attention == "linear":
        attended = linear(queries, keys, values, _frame_gates(x, config, name, memory), memory, name)
    else:
        attended = list(map(quadratic, queries, keys, values))
    joined = layers.Concatenate(name=f"{name}_heads")(attended) if heads > 1 else attended[0]
    return pointwise(joined, channels, f"{name}_out")


def linear(
    queries: list[Tensor],
    keys: list[Tensor],
    values: list[Tensor],
    gates: list[Tensor],
    memory: Memory | None,
    name: str,
) -> list[Tensor]:
    """`softmax_q(Q) {softmax_k(K^T) V} / sqrt(d)` per head: no matrix of positions by positions anywhere.

    The softmax of a query runs over its channels, that of the keys over the positions (Bae et al. 2025,
    eq. 3; Shen et al. 2021). Keys are transposed first so that their softmax runs over the last axis, which
    GPU delegates demand. The braces are the context: with a memory, that of what was heard before as well.
    """
    keys = [_transposed(key) for key in keys]
    keys = [key + gate for key, gate in zip(keys, gates, strict=True)] if gates else keys
    own = [ops.matmul(ops.softmax(key, axis=-1), value) for key, value in zip(keys, values, strict=True)]
    contexts = own if memory is None else memory.recall(own, [log_weight(key) for key in keys], name)
    return [
        ops.matmul(ops.softmax(query, axis=-1), context) * context.shape[-1] ** -0.5
        for query, context in zip(queries, contexts, strict=True)
    ]


def _frame_gates(x: Tensor, config: TwoStageConfig, name: str, memory: Memory | None) -> list[Tensor]:
    """Log-weight of every frame per head, (batch, rows, 1, frames): a learned one and the memory's."""
    if memory is None or config.context is None:
        return []
    learned = pointwise(x, config.heads, f"{name}_gate", kernel_initializer="zeros")
    # A sum would pass for a bias, which a converter reshapes.
    gates = _transposed(learned) - memory.silence
    return [gates[:, :, i : i + 1] for i in range(config.heads)]


def quadratic(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """`softmax(Q K^T / sqrt(d)) V` (Vaswani et al. 2017): every position with every other, as in CMGAN."""
    likeness = ops.matmul(query, _transposed(key)) * value.shape[-1] ** -0.5
    return ops.matmul(ops.softmax(likeness, axis=-1), value)


def _by_head(x: Tensor, heads: int) -> list[Tensor]:
    return list(ops.split(x, heads, axis=-1)) if heads > 1 else [x]


def _transposed(x: Tensor) -> Tensor:
    return ops.transpose(x, (0, 1, 3, 2))
