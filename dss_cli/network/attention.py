"""Self-attention: linear in the number of positions, as in the models, or quadratic, for comparison."""

from __future__ import annotations

from keras import layers, ops

from .config import TwoStageConfig
from .context import Memory, log_weight
from .layers import Tensor, pointwise, rotate


def attention(x: Tensor, config: TwoStageConfig, name: str, memory: Memory | None = None) -> Tensor:
    """Apply multi-head attention along the positions of each row, with rotary embedding.

    Args:
        x: tokens (batch, rows, positions, channels).
        config: configuration of the network.
        name: prefix of the layers' names.
        memory: memory of earlier chunks, for linear attention along time.

    Returns:
        Projected output of the attention, same shape as `x`.
    """
    channels, heads = config.channels, config.heads
    merged = pointwise(x, 3 * channels, f"{name}_qkv", use_bias=False)
    # Two splits, first into three, then by head: XNNPACK supports at most four parts.
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
    """Compute linear attention, `softmax_q(Q) {softmax_k(K^T) V} / sqrt(d)`, per head.

    The softmax of queries runs over the channels, the softmax of keys over the positions (Bae et al. 2025,
    eq. 3; Shen et al. 2021); no matrix of positions x positions is needed. Keys are transposed first, because
    GPU delegates require a softmax over the last axis. The term in braces is the context; with a memory it
    includes earlier chunks.

    Args:
        queries, keys, values: per head (batch, rows, positions, d).
        gates: per head, log-weights (batch, rows, 1, positions) added to the transposed keys; may be empty.
        memory: memory of earlier chunks, None without.
        name: name of the stage.

    Returns:
        Per head (batch, rows, positions, d).
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
    """Return log-weights of the frames per head, (batch, rows, 1, frames): learned, minus the silence."""
    if memory is None or config.context is None:
        return []
    learned = pointwise(x, config.heads, f"{name}_gate", kernel_initializer="zeros")
    # A difference, because a converter would take a sum for a bias and reshape it.
    gates = _transposed(learned) - memory.silence
    return [gates[:, :, i : i + 1] for i in range(config.heads)]


def quadratic(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Compute quadratic attention, `softmax(Q K^T / sqrt(d)) V` (Vaswani et al. 2017), as in CMGAN."""
    likeness = ops.matmul(query, _transposed(key)) * value.shape[-1] ** -0.5
    return ops.matmul(ops.softmax(likeness, axis=-1), value)


def _by_head(x: Tensor, heads: int) -> list[Tensor]:
    return list(ops.split(x, heads, axis=-1)) if heads > 1 else [x]


def _transposed(x: Tensor) -> Tensor:
    return ops.transpose(x, (0, 1, 3, 2))
