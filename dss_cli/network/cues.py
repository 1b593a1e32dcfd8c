"""What tells a distance, spelled out: how fast a band decays, and how much of it repeats what was."""

from __future__ import annotations

from keras import layers, ops

from .config import TwoStageConfig
from .layers import Tensor, pointwise

DECAYS = (0.016, 0.032, 0.064, 0.128)  # seconds that a level is compared over
DELAYS = (0.032, 0.064)  # seconds from a frame back to the one that predicts it
WINDOW = 0.144  # seconds that a prediction is fitted over
TINY = 1e-4  # of compressed power, below which nothing is told


def add_cues(x: Tensor, mixture: Tensor, config: TwoStageConfig) -> Tensor:
    """Add to the tokens what the cues say of them; nothing at first.

    - Decay: a band's compressed magnitude less its own some frames ago.
    - Predictability: the coherence of each bin with itself some frames ago, averaged over its band: how much
      a delayed linear predictor of one tap explains. Dereverberation by linear prediction calls that late
      (Nakatani et al. 2010); here it stands in for the direct-to-reverberant ratio.

    Args:
        x: (batch, frames, tokens, channels).
        mixture: compressed spectrum (batch, frames, 256, 3).
    """
    hop = config.signal.hop / config.signal.sample_rate
    stride = config.band_stride
    loudness = _banded(mixture[:, :, :, :1], stride, "cue_loudness")
    found = [loudness - _delayed(loudness, lag, hop, f"cue_decay{i}") for i, lag in enumerate(DECAYS)]
    power = _smooth(ops.square(mixture[:, :, :, :1]), hop, "cue_power")
    real, imaginary = mixture[:, :, :, 1:2], mixture[:, :, :, 2:]
    for i, delay in enumerate(DELAYS):
        name = f"cue_repeat{i}"
        then_real, then_imaginary = (
            _delayed(part, delay, hop, f"{name}_{label}")
            for part, label in ((real, "real"), (imaginary, "imaginary"))
        )
        together = (
            _smooth(real * then_real + imaginary * then_imaginary, hop, f"{name}_in"),
            _smooth(imaginary * then_real - real * then_imaginary, hop, f"{name}_out"),
        )
        shared = ops.sqrt(ops.square(together[0]) + ops.square(together[1]) + TINY**2)
        either = 0.5 * (power + _delayed(power, delay, hop, f"{name}_power"))
        found.append(_banded(shared / (either + TINY), stride, f"{name}_bands"))
    cues = layers.Concatenate(name="cues")(found)  # as many as DECAYS, then as many as DELAYS
    return x + pointwise(cues, config.channels, "cues_in", kernel_initializer="zeros")


def _banded(x: Tensor, stride: int, name: str) -> Tensor:
    return layers.AveragePooling2D((1, stride), name=name)(x)


def _smooth(x: Tensor, hop: float, name: str) -> Tensor:
    frames = round(WINDOW / hop)
    return layers.AveragePooling2D((frames, 1), strides=1, padding="same", name=name)(x)


def _delayed(x: Tensor, seconds: float, hop: float, name: str) -> Tensor:
    """`x` so much later, silence ahead of it."""
    lag = round(seconds / hop)
    return layers.ZeroPadding2D(((lag, 0), (0, 0)), name=name)(x)[:, :-lag]
