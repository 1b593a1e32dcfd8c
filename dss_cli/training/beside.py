"""What training may ask beside the two outputs: that they add up, and who is heard in each, from how far.

The heads read the decoders' last tokens and are no part of the network: its weights are saved and exported
without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from ..errors import UsageError
from ..network.config import NetworkConfig, TwoStageConfig
from ..signal import STEMS
from .losses import FLOOR, TINY

CODE = 64  # features of a frame that distance and voice are told from
VOICE = 0.1  # weight of the voice's cross-entropy, which begins at 6 of 500 talkers, to the distance's error
HEARD = 1e-3  # of its loudest frame: a stem's frames below have no distance

Losses = dict[str, Callable[[Any, Any], Any]]


@dataclass(frozen=True)
class Beside:
    """Which of them, and their weights in the loss; 0 leaves one out.

    Attributes:
        consistency: that near, far and the residual sum to the mixture (Wisdom et al. 2019, as a loss): the
            ratio, per 10 dB, of the error of near + far to the talkers.
        talker: a joint embedding of distance and speaker (proposed by Bae et al. 2025, section 5): from each
            decoder the distance frame by frame, log2 of metres, and which of the training talkers it is.
    """

    consistency: float = 0.0
    talker: float = 0.0

    def extend(self, network: keras.Model, config: NetworkConfig, talkers: int) -> keras.Model:
        """The network with an output more for each: "sum"; "distance" (batch, frames, 2), "voice" (batch, 2,
        talkers), near first.

        Raises:
            UsageError: a network without decoders, and `talker` asked for.
        """
        estimates = dict(network.output)
        if self.consistency:
            estimates["sum"] = layers.Concatenate(dtype="float32")([network.output[stem] for stem in STEMS])
        if self.talker:
            if not isinstance(config, TwoStageConfig):
                raise UsageError(
                    f"a network of {config.outline} has no decoder that could tell talkers; "
                    "leave --talker out"
                )
            names = layers.Dense(talkers, dtype="float32", name="voice_names")
            codes = [self._code(network, config, stem) for stem in STEMS]
            metres = [
                layers.Dense(1, dtype="float32", name=f"{stem}_metres")(code)
                for stem, code in zip(STEMS, codes, strict=True)
            ]
            estimates["distance"] = ops.concatenate(metres, axis=-1)
            estimates["voice"] = ops.stack([names(ops.mean(code, axis=1)) for code in codes], axis=1)
        return network if estimates.keys() == set(STEMS) else keras.Model(network.input, estimates)

    @staticmethod
    def _code(network: keras.Model, config: TwoStageConfig, stem: str) -> Any:
        tokens = network.get_layer(f"{stem}_dense{config.decoder_depth}_prelu").output
        code = layers.Dense(CODE, name=f"{stem}_code")(ops.mean(tokens, axis=2))
        return layers.PReLU(shared_axes=[1], name=f"{stem}_code_prelu")(code)

    def losses(self, exponent: float) -> Losses:
        """Of the outputs that `extend` adds, for targets of `complete`."""
        found: Losses = {}
        if self.consistency:
            found["sum"] = _weighed(self.consistency, sum_loss(exponent))
        if self.talker:
            found |= {
                "distance": _weighed(self.talker, distance_loss),
                "voice": _weighed(self.talker * VOICE, voice_loss),
            }
        return found

    def complete(self, targets: Mapping[str, Any], labels: Mapping[str, Any], xp: Any) -> dict[str, Any]:
        """Targets (batch, frames, bins, 4) of the stems, and those of the outputs that `extend` adds.

        Args:
            targets: see `data.examples`.
            labels: see `Sources.labels`.
            xp: NumPy or Keras' `ops`, of whichever the targets are.
        """
        completed = dict(targets)
        references = [targets[stem][..., :2] for stem in STEMS]
        if self.consistency:
            mixture = targets["near"][..., 2:]
            completed["sum"] = xp.concatenate([references[0] + references[1], mixture], axis=-1)
        if self.talker:
            metres = labels["metres"][:, None, :]
            energy = xp.stack([xp.sum(xp.square(r), axis=(2, 3)) for r in references], axis=-1)
            heard = (energy > HEARD * xp.max(energy, axis=1, keepdims=True)) & (metres > 0)
            exact = xp.log2(xp.maximum(metres, 1e-2)) + 0 * energy
            completed["distance"] = xp.concatenate([exact, heard * (1 + 0 * energy)], axis=-1)
            completed["voice"] = labels["voice"]
        return completed


def sum_loss(exponent: float) -> Callable[[Any, Any], Any]:
    """Of both estimates (batch, frames, bins, 4), compressed, for a target of the references' sum."""

    def loss(target: Any, estimates: Any) -> Any:
        reference, mixture = ops.split(target, 2, axis=-1)
        total = 0.0
        for estimate in ops.split(estimates, 2, axis=-1):
            power = ops.sum(ops.square(estimate), axis=-1, keepdims=True) + TINY
            total += estimate * ops.power(power, (1 / exponent - 1) / 2)
        error, wanted, energy = (
            ops.sum(ops.square(part), axis=(1, 2, 3)) for part in (total - reference, reference, mixture)
        )
        floor = FLOOR * energy + TINY
        return ops.log((error + floor) / (wanted + floor)) / ops.log(10.0)

    return loss


def distance_loss(target: Any, estimate: Any) -> Any:
    """Mean error of log2 metres over the frames that have a distance."""
    exact, heard = ops.split(target, 2, axis=-1)
    return ops.sum(heard * ops.abs(estimate - exact), axis=(1, 2)) / (ops.sum(heard, axis=(1, 2)) + 1.0)


def voice_loss(target: Any, logits: Any) -> Any:
    """Cross-entropy of the talkers that are known, those of index -1 are not."""
    known = ops.cast(target >= 0, "float32")
    entropy = ops.sparse_categorical_crossentropy(
        ops.cast(ops.maximum(target, 0), "int32"), logits, from_logits=True
    )
    return ops.mean(known * entropy, axis=-1)


def _weighed(weight: float, loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda target, estimate: weight * loss(target, estimate)
