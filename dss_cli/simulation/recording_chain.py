"""Recording chain of a device after its microphone: automatic gain, soft clipping, narrow band, codec.

All parts of a scene get the same gain at each sample, which is computed from the mixture. So the parts still
sum to the mixture. The functions work with NumPy and with Keras `ops`, for one scene or many, along the last
axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

BANDS = (3400.0, 7800.0)  # Hz: upper limit of telephones, and of 16 kHz recordings
STEEP = 0.1  # width of the transition of the low-pass, relative to its edge
MU, STEPS = 255.0, 127.0  # 8-bit mu-law (ITU-T G.711, as a smooth curve), steps per sign
BLOCK = 2048  # samples that are summed at once; fewer than any memory of an automatic gain
QUIETEST = 1e-3  # least power for automatic gain, relative to the mean power


@dataclass(frozen=True)
class Capture:
    """Settings of one device.

    Attributes:
        band: upper limit of the band in Hz; 0: unlimited.
        drive: highest peak relative to the level at which soft clipping begins; 0: no clipping.
        levelling: share of the changes of the level, in dB, that automatic gain compensates.
        memory: samples over which automatic gain measures the level.
        clips_first: whether clipping comes before automatic gain.
        companded: whether samples are finally coded in 8 bits on a logarithmic scale.
    """

    band: float = 0.0
    drive: float = 0.0
    levelling: float = 0.0
    memory: int = 16_000
    clips_first: bool = False
    companded: bool = False


def draw_capture(rng: np.random.Generator) -> Capture:
    """Draw a device: each of the first three effects has a probability of 1/2, the codec of 1/4."""
    band, drive, levelling = rng.uniform(BANDS[0], BANDS[1]), rng.uniform(0.5, 4.0), rng.uniform(0.2, 0.8)
    does = rng.uniform(size=3) < 0.5
    memory = int(16_000 * 10 ** rng.uniform(-0.7, 0.3))  # 0.2 to 2 s
    clips_first = bool(rng.uniform() < 0.5)
    companded = bool(rng.uniform() < 0.25)
    return Capture(band * does[0], drive * does[1], levelling * does[2], memory, clips_first, companded)


def low_pass(hertz: Any, band: Any, xp: Any) -> Any:
    """Return the factors of a low-pass at frequencies in Hz; all factors are 1 for a band of 0."""
    closing = xp.clip((band - hertz) / (STEEP * xp.maximum(band, 1.0)), 0.0, 1.0)
    return xp.where(band > 0, closing, xp.ones_like(closing))


def soft_clip(mixture: Any, drive: Any, xp: Any) -> Any:
    """Return the gain at each sample of a hyperbolic tangent of the mixture scaled to a peak of `drive`."""
    peak = xp.max(xp.abs(mixture), axis=-1, keepdims=True) + 1e-9
    over = mixture * (drive / peak)
    safe = xp.where(xp.abs(over) > 1e-3, over, xp.ones_like(over))
    return xp.where(xp.abs(over) > 1e-3, xp.tanh(safe) / safe, xp.ones_like(over))


def automatic_gain(mixture: Any, levelling: Any, memory: Any, xp: Any) -> Any:
    """Return the gain at each sample that partly compensates the recent level relative to the mean level."""
    power = xp.square(mixture)
    heard = xp.minimum(xp.arange(mixture.shape[-1], dtype="int32") + 1, memory)
    mean = xp.mean(power, axis=-1, keepdims=True) + 1e-12
    level = xp.divide(trailing_sum(power, memory, xp), heard) / mean + QUIETEST
    return level ** (-levelling / 2)


def trailing_sum(values: Any, length: Any, xp: Any) -> Any:
    """Return the sum of the last `length` values at each position.

    Only sums are added, and no large sums subtracted, so that float32 keeps what is faint after a loud sound.

    Args:
        values: non-negative values (..., samples).
        length: number of values, at least BLOCK; an integer or integers (..., 1).
        xp: NumPy or Keras `ops`.
    """
    *batch, samples = values.shape
    count = -(-samples // BLOCK)
    padded = xp.pad(values, [(0, 0)] * len(batch) + [(0, count * BLOCK - samples)])
    blocks = xp.reshape(padded, (*batch, count, BLOCK))
    until = xp.reshape(xp.cumsum(blocks, axis=-1), padded.shape)  # from the beginning of the block
    since = xp.reshape(xp.flip(xp.cumsum(xp.flip(blocks, axis=-1), axis=-1), axis=-1), padded.shape)
    later = np.tri(count, k=-1, dtype=bool).T  # [i, j]: block j is later than block i
    sums = xp.where(later, xp.sum(blocks, axis=-1)[..., None, :], 0)
    across = xp.reshape(xp.cumsum(sums, axis=-1), (*batch, count * count))  # blocks after i, up to and with j
    position = xp.arange(samples, dtype="int32")
    first = xp.broadcast_to(xp.maximum(position - length + 1, 0), values.shape)
    block, begin = position // BLOCK, first // BLOCK
    whole = xp.take_along_axis(across, begin * count + xp.maximum(block - 1, 0), axis=-1)
    earlier = xp.take_along_axis(since, first, axis=-1) + whole
    return until[..., :samples] + xp.where(begin < block, earlier, 0)


def codec(mixture: Any, companded: Any, xp: Any) -> Any:
    """Return the gain at each sample that moves it to the nearest step of the codec; full scale is 1."""
    size = xp.abs(mixture)
    scale = xp.log1p(MU * xp.clip(size, 0.0, 1.0)) / np.log1p(MU)
    coded = xp.expm1(xp.round(scale * STEPS) / STEPS * np.log1p(MU)) / MU
    coding = (size > 1e-9) & companded
    return xp.where(coding, coded / xp.maximum(size, 1e-9), xp.ones_like(size))


def device_gain(mixture: Any, capture: Any, xp: Any) -> Any:
    """Return the product of all gains at each sample; each effect is applied to the output of the one before.

    Args:
        mixture: samples (..., samples).
        capture: a `Capture`, whose attributes may be arrays (..., 1).
        xp: NumPy or Keras `ops`.
    """
    gains = []
    for clips_first in (True, False):
        first = (
            soft_clip(mixture, capture.drive, xp)
            if clips_first
            else automatic_gain(mixture, capture.levelling, capture.memory, xp)
        )
        heard = mixture * first
        second = (
            automatic_gain(heard, capture.levelling, capture.memory, xp)
            if clips_first
            else soft_clip(heard, capture.drive, xp)
        )
        gains.append(first * second)
    gain = xp.where(capture.clips_first, *gains)
    return gain * codec(mixture * gain, capture.companded, xp)
