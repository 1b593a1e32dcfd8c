"""What a device does behind its microphone: automatic gain, soft clipping, a narrow band, a codec.

Every part of a scene goes through the gain that the mixture meets at each sample, so that the parts still sum
to the mixture. The same functions serve NumPy and Keras' `ops`, one scene or many, over the last axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

BANDS = (3400.0, 7800.0)  # Hz: where telephones end, and 16 kHz recordings
STEEP = 0.1  # of the band's edge: what a low-pass takes to close
MU, STEPS = 255.0, 127.0  # of 8-bit mu-law (ITU-T G.711, as its smooth curve), for each sign
QUIETEST = 1e-3  # of the mean power: automatic gain turns nothing up further


@dataclass(frozen=True)
class Capture:
    """One device.

    Attributes:
        band: Hz, where its band ends; 0 is as the microphone gives.
        drive: the highest peak over the level that soft clipping begins at; 0 clips nothing.
        levelling: share of the level's changes, in dB, that automatic gain takes back.
        memory: samples that automatic gain measures the level over.
        clips_first: ahead of automatic gain.
        companded: whether samples are coded in 8 bits on a logarithmic scale, behind all else.
    """

    band: float = 0.0
    drive: float = 0.0
    levelling: float = 0.0
    memory: int = 16_000
    clips_first: bool = False
    companded: bool = False


def draw_capture(rng: np.random.Generator) -> Capture:
    """A device, which does each of the first three at even odds, and codes at one to three."""
    band, drive, levelling = rng.uniform(BANDS[0], BANDS[1]), rng.uniform(0.5, 4.0), rng.uniform(0.2, 0.8)
    does = rng.uniform(size=3) < 0.5
    memory = int(16_000 * 10 ** rng.uniform(-0.7, 0.3))  # 0.2 to 2 s
    clips_first = bool(rng.uniform() < 0.5)
    companded = bool(rng.uniform() < 0.25)
    return Capture(band * does[0], drive * does[1], levelling * does[2], memory, clips_first, companded)


def low_pass(hertz: Any, band: Any, xp: Any) -> Any:
    """Factors at frequencies; all 1 for a band of 0."""
    closing = xp.clip((band - hertz) / (STEEP * xp.maximum(band, 1.0)), 0.0, 1.0)
    return xp.where(band > 0, closing, xp.ones_like(closing))


def soft_clip(mixture: Any, drive: Any, xp: Any) -> Any:
    """Gain at each sample: a hyperbolic tangent of the mixture, its highest peak at `drive`."""
    peak = xp.max(xp.abs(mixture), axis=-1, keepdims=True) + 1e-9
    over = mixture * (drive / peak)
    safe = xp.where(xp.abs(over) > 1e-3, over, xp.ones_like(over))
    return xp.where(xp.abs(over) > 1e-3, xp.tanh(safe) / safe, xp.ones_like(over))


def automatic_gain(mixture: Any, levelling: Any, memory: Any, xp: Any) -> Any:
    """Gain at each sample: the recent level over the whole mixture's, taken back in part."""
    power = xp.square(mixture)
    total = xp.cumsum(power, axis=-1)
    index = xp.arange(mixture.shape[-1], dtype="int32")
    before = xp.broadcast_to(xp.maximum(index - memory, 0), mixture.shape)
    since = xp.minimum(index + 1, memory)
    recent = xp.where(index < memory, total, total - xp.take_along_axis(total, before, axis=-1))
    mean = xp.mean(power, axis=-1, keepdims=True) + 1e-12
    level = xp.maximum(xp.divide(recent, since), 0.0) / mean + QUIETEST
    return level ** (-levelling / 2)


def codec(mixture: Any, companded: Any, xp: Any) -> Any:
    """Gain at each sample that leaves it at the nearest of the codec's steps; full scale is 1."""
    size = xp.abs(mixture)
    scale = xp.log1p(MU * xp.clip(size, 0.0, 1.0)) / np.log1p(MU)
    coded = xp.expm1(xp.round(scale * STEPS) / STEPS * np.log1p(MU)) / MU
    coding = (size > 1e-9) & companded
    return xp.where(coding, coded / xp.maximum(size, 1e-9), xp.ones_like(size))


def device_gain(mixture: Any, capture: Any, xp: Any) -> Any:
    """All gains, each of what those before have left.

    Args:
        mixture: (..., samples).
        capture: a `Capture`, or one with arrays (..., 1) for attributes.
        xp: NumPy or Keras' `ops`.
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
