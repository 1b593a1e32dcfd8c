"""Loss of an output: scale-invariant ratio that is safe for silent targets, and compressed spectra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

# Added to the error, as a share of the estimate's target part: above 25 dB the loss decreases no further.
CEILING = 3e-3
# Added to both parts, as a share of the mixture's energy: for a silent target the output is trained to fall
# 33 dB below the mixture, and faint targets do not outweigh loud ones.
FLOOR = 5e-4
TINY = 1e-8


def separation_loss(
    exponent: float, ratio_weight: float = 1.0, compressed: float = 1.0
) -> Callable[[Any, Any], Any]:
    """Return the loss function of one output.

    The ratio is scale-invariant (SI-SDR on spectra). A plain signal-to-noise ratio could be improved by
    fading out: with far talkers 10 dB below the mixture, a silent output would score best. The compressed
    terms determine the scale. For a silent reference all terms reward silence.

    Args:
        exponent: exponent of the power-law compression.
        ratio_weight: weight of the scale-invariant ratio of linear spectra, per 10 dB.
        compressed: weight of the compressed-spectrum terms (Braun & Tashev 2020).

    Returns:
        Function of target (batch, frames, bins, 4), see `data.examples`, and estimate (batch, frames, bins,
        2), compressed real and imaginary part; its result has one value per scene.
    """

    def loss(target: Any, estimate: Any) -> Any:
        reference, mixture = ops.split(target, 2, axis=-1)
        estimate_power = _power(estimate)
        linear = estimate * ops.power(estimate_power, (1 / exponent - 1) / 2)
        energy = ops.sum(ops.square(mixture), axis=(1, 2, 3)) + TINY
        wanted = ops.sum(ops.square(reference), axis=(1, 2, 3))
        common = ops.square(ops.sum(linear * reference, axis=(1, 2, 3))) / (wanted + 1e-6 * energy)
        error = ops.relu(ops.sum(ops.square(linear), axis=(1, 2, 3)) - common)
        ratio = (error + CEILING * common + FLOOR * energy) / (common + FLOOR * energy)

        reference_power = _power(reference)
        squeezed = reference * ops.power(reference_power, (exponent - 1) / 2)
        scale = ops.mean(ops.power(_power(mixture), exponent), axis=(1, 2, 3)) + TINY
        complex_error = ops.sum(ops.square(estimate - squeezed), axis=-1, keepdims=True)
        magnitude_error = ops.square(ops.sqrt(estimate_power) - ops.power(reference_power, exponent / 2))
        spectral = ops.mean(complex_error + magnitude_error, axis=(1, 2, 3)) / scale
        return ratio_weight * ops.log(ratio) / ops.log(10.0) + compressed * spectral

    return loss


def _power(spectrum: Any) -> Any:
    return ops.sum(ops.square(spectrum), axis=-1, keepdims=True) + TINY
