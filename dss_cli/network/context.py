"""Context of the time stages: summary of all earlier chunks for linear attention.

In a time stage, `softmax_k(K^T) V` is a mean of the values, weighted per feature of the keys. The mean of two
time spans is the weighted mean of their means. So the mean of the past and the logarithm of its weight
represent the past completely (docs/experiments/10-context.md):

    own  = sum_t e^(k_t - m) v_t / s     s = sum_t e^(k_t - m)     l = m + log s     (m = max_t k_t)
    g    = sigmoid(L - l)                (share of the past)
    C'   = own + g (C - own)
    L'   = max(L, l) + log(1 + e^-|L - l|)

Frames without speech must not count. Their keys are reduced by up to `-NOTHING` if they are faint compared
with the loudest recent frame, and by a learned weight for every frame. If everything so far was faint
compared with a new sound, it is reduced as well. Older context fades with the amount of speech since.

There are three memories that provide the context of the time stages: `Alone` (independent chunks), `Carried`
(states as inputs and outputs, for inference) and `SharedInScene` (all chunks of training scenes at once).
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import keras
from keras import ops

from .config import Context
from .layers import Tensor

NOTHING = -30.0  # log-weight of an empty context: in float32, e^-30 vanishes beside the weight of any chunk
TINY = 1e-6  # compressed magnitude of silence
LOWEST = -80.0  # least log-weight relative to the heaviest chunk of a scene: e^x stays in float32's range
LOUDNESS = "loudness"  # name of the state for the loudest frame so far
RECENT = "recent_loudness"  # name of the state for the loudest recent frame


class Memory(Protocol):
    """Provider of context for the time stages."""

    @property
    def silence(self) -> Tensor | None:
        """Reduction of the frames' log-weights, (batch, 1, 1, frames), 0 to -NOTHING; None: no reduction."""

    def recall(self, own: list[Tensor], weights: list[Tensor], name: str) -> list[Tensor]:
        """Return the context of each head: `own` combined with earlier chunks.

        Args:
            own: per head, mean of the chunk alone, (batch, rows, d, d).
            weights: per head, log-weight of the chunk, (batch, rows, d, 1).
            name: name of the stage.

        Returns:
            Per head (batch, rows, d, d).
        """


class Alone:
    """Memory for independent chunks, as in the published network.

    Args:
        mixture: compressed spectrum (batch, frames, bins, 3).
        context: settings of the configuration; None: all frames count equally.
    """

    def __init__(self, mixture: Tensor, context: Context | None) -> None:
        self.silence = None
        if context is not None:
            level = _levels(mixture)
            self.silence = _silence(_audible(level, _loudest(level), context))

    def recall(self, own: list[Tensor], weights: list[Tensor], name: str) -> list[Tensor]:
        """See `Memory`."""
        return own


class Carried:
    """Memory for inference: the context of earlier chunks is an input, the updated context an output.

    Log-weights are stored relative to NOTHING, so that a state of zeros is an empty context.

    Args:
        mixture: compressed spectrum of one chunk (1, frames, bins, 3).
        context: settings of the context.
        seconds: duration of the chunk's frames.

    Attributes:
        inputs, outputs: states of rank 4 by name; every call of `recall` adds one.
    """

    def __init__(self, mixture: Tensor, context: Context, seconds: float) -> None:
        self.inputs: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        level = _levels(mixture)
        own = _loudest(level)
        before, recent = self._state(LOUDNESS, (1, 1, 1)), self._state(RECENT, (1, 1, 1))
        loudest = ops.maximum(before * _decay(seconds, context.loudness_half_life), own)
        recent = ops.maximum(recent * _decay(seconds, context.recent_half_life), own)
        audible = _audible(level, recent, context)
        self.outputs |= {LOUDNESS: loudest, RECENT: recent}
        self.silence = _silence(audible)
        # The loudest frame so far may count as silence compared with the new chunk.
        self._loss = _silence(_audible(before, loudest, context)) + _faded(
            ops.mean(audible, axis=-1, keepdims=True), seconds, context
        )

    def _state(self, name: str, shape: tuple[int, ...]) -> Tensor:
        return self.inputs.setdefault(name, keras.Input(shape, batch_size=1, name=name))

    def recall(self, own: list[Tensor], weights: list[Tensor], name: str) -> list[Tensor]:
        """See `Memory`. The state of a stage holds all heads, (1, rows, d, heads * (d + 1))."""
        _, rows, width, _ = own[0].shape
        state = self._state(name, (rows, width, len(own) * (width + 1)))
        contexts, after = [], []
        for i, (mean, weight) in enumerate(zip(own, weights, strict=True)):
            first = i * (width + 1)
            past = state[:, :, :, first : first + width]
            past_weight = state[:, :, :, first + width : first + width + 1] - (self._loss - NOTHING)
            apart = past_weight - weight
            context = mean + ops.sigmoid(apart) * (past - mean)
            total = ops.maximum(past_weight, weight) + ops.log(1.0 + ops.exp(-ops.abs(apart)))
            contexts.append(context)
            after += [context, total - NOTHING]
        self.outputs[name] = ops.concatenate(after, axis=-1)
        return contexts


class SharedInScene:
    """Memory for training: each chunk gets the context of the scene up to it, or of the whole scene.

    Args:
        scenes: compressed spectra (batch, chunks, frames, bins, 3).
        whole: (batch,), 1 for context of the whole scene, 0 for context of the past.
        context: settings of the context.
        hop_seconds: duration of one hop.
    """

    def __init__(self, scenes: Tensor, whole: Tensor, context: Context, hop_seconds: float) -> None:
        weights = SceneWeights(context, hop_seconds, name="scene_weights")
        self.silence, self._offsets = weights(scenes)
        self._whole = whole

    def recall(self, own: list[Tensor], weights: list[Tensor], name: str) -> list[Tensor]:
        """See `Memory`. The chunks of a scene are consecutive in the batch."""
        return [
            SceneContext(name=f"{name}_context{i}")([mean, weight, self._offsets, self._whole])
            for i, (mean, weight) in enumerate(zip(own, weights, strict=True), 1)
        ]


class SceneWeights(keras.layers.Layer):
    """Layer for the silence of all frames of training scenes, and for the offsets of the chunks' log-weights.

    Input: scenes (batch, chunks, frames, bins, 3). Outputs: reductions of the frames' log-weights (batch *
    chunks, 1, 1, frames), and offsets (batch, chunks), the total fading up to each chunk.
    """

    def __init__(self, context: Context, hop_seconds: float, **options: Any) -> None:
        super().__init__(dtype="float32", trainable=False, **options)
        self.context, self.hop_seconds = context, hop_seconds

    def call(self, scenes: Any) -> Any:
        context = self.context
        level = ops.mean(scenes[..., 0], axis=-1)  # (batch, chunks, frames)
        chunks, frames = ops.shape(level)[1], ops.shape(level)[2]
        seconds = ops.cast(frames, "float32") * self.hop_seconds
        own = ops.max(level, axis=-1)
        apart = ops.cast(ops.abs(ops.arange(chunks)[:, None] - ops.arange(chunks)), "float32") * seconds

        def so_far(half_life: float) -> Any:
            """Return the loudest frame up to each chunk, (batch, chunks), which decays."""
            return ops.max(own[:, None, :] * ops.tril(_decay(apart, half_life)), axis=-1)

        loudest, recent = so_far(context.loudness_half_life), so_far(context.recent_half_life)
        audible = _audible(level, recent[..., None], context)
        before = ops.concatenate([loudest[:, :1], loudest[:, :-1]], axis=1)
        faded = _faded(ops.mean(audible, axis=-1), seconds, context)
        loss = faded + _silence(_audible(before, loudest, context))
        return ops.reshape(_silence(audible), (-1, 1, 1, frames)), ops.cumsum(loss, axis=1)


class SceneContext(keras.layers.Layer):
    """Layer for weighted means over the chunks of each training scene, up to a chunk or over all chunks.

    Inputs: own (batch * chunks, rows, d, d), its log-weight (batch * chunks, rows, d, 1), offsets (batch,
    chunks) and whole (batch,). Output: contexts in the shape of own. Sums are in float32, because weights
    differ by many powers of e.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(dtype="float32", trainable=False, autocast=False, **options)

    def call(self, inputs: Any) -> Any:
        own, weight, offsets, whole = inputs
        batch, chunks = ops.shape(offsets)[0], ops.shape(offsets)[1]
        rows, width = ops.shape(own)[1], own.shape[-1]
        means = ops.reshape(ops.cast(own, "float32"), (batch, chunks, rows, width, width))
        weights = ops.reshape(weight, (batch, chunks, rows, width, 1)) + offsets[:, :, None, None, None]
        heaviest = ops.stop_gradient(ops.max(weights, axis=1, keepdims=True))
        share = ops.exp(ops.maximum(weights - heaviest, LOWEST))
        past, total = ops.cumsum(share * means, axis=1), ops.cumsum(share, axis=1)
        everything = whole[:, None, None, None, None] > 0.5
        sums = ops.where(everything, past[:, -1:], past)
        totals = ops.where(everything, total[:, -1:], total)
        return ops.cast(ops.reshape(sums / totals, (-1, rows, width, width)), own.dtype)


def log_weight(keys: Tensor) -> Tensor:
    """Return the logarithm of the sum of e^k over the last axis, (batch, rows, d, 1) float32."""
    keys = ops.cast(keys, "float32")
    most = ops.max(keys, axis=-1, keepdims=True)
    return most + ops.log(ops.sum(ops.exp(keys - most), axis=-1, keepdims=True))


def _levels(mixture: Tensor) -> Tensor:
    """Return the mean compressed magnitude of each frame, (batch, 1, 1, frames), the layout of keys."""
    # Transpose before the mean: with one bin, a converter replaces the transpose by a reshape.
    return ops.mean(ops.transpose(mixture[:, :, :, :1], (0, 3, 2, 1)), axis=2, keepdims=True)


def _loudest(levels: Tensor) -> Tensor:
    return ops.max(levels, axis=-1, keepdims=True)


def _audible(level: Any, loudest: Any, context: Context) -> Any:
    """Return a value from 0 (digital silence) to 1 (`context.silence` of the loudest frame and above)."""
    return 1.0 - ops.relu(1.0 - level / (ops.maximum(loudest, TINY) * context.silence))


def _silence(audible: Any) -> Any:
    return (1.0 - audible) * -NOTHING


def _decay(seconds: Any, half_life: float) -> Any:
    return 2.0 ** (-seconds / half_life)


def _faded(speech_share: Any, seconds: Any, context: Context) -> Any:
    """Return the reduction of the log-weight of older context by `seconds` with a given share of speech."""
    return speech_share * (seconds * math.log(2.0) / context.half_life)
