"""Rendering of scenes (filters, levels, gain, device), common to NumPy arrays and Keras tensors.

`mixing.mix` renders one scene, `training.device_mixing` a batch, both over the last axis. They differ in
fetching samples, gating voices, and changing a voice's pace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy import fft

from ..constants import SAMPLE_RATE
from .corpus import SPEECH_RMS
from .recording_chain import device_gain, low_pass
from .scene_sampling import KNOTS, Draw
from .turns import RAMP

TYPICAL_GAIN = 0.4  # gives a talker at 0.4 m a level of about -26 dBFS
TYPICAL_NEAR = SPEECH_RMS / TYPICAL_GAIN  # level of this talker before the device's gain
BALANCING = (0.1, 100.0)  # limits of the factors, for talkers who are silent in a turn
PEAK = 0.99  # largest peak of a mixture
INAUDIBLE = 1e-6  # level below which noise is not amplified

Samples = Any  # (..., samples)
Spectrum = Any  # (..., bins), as returned by `Arrays.spectrum`


class Arrays(Protocol):
    """Interface to one kind of arrays, with transforms of one length between samples and spectra."""

    @property
    def xp(self) -> Any:
        """Module with array functions: NumPy or Keras' `ops`."""

    @property
    def hertz(self) -> Any:
        """Frequencies of a spectrum, (bins,)."""

    def spectrum(self, samples: Samples) -> Spectrum:
        """Return the spectrum of zero-padded samples."""

    def samples(self, spectrum: Spectrum) -> Samples:
        """Return the samples of a spectrum."""

    def filtered(self, spectrum: Spectrum, factors: Any) -> Spectrum:
        """Return a spectrum multiplied by real factors."""

    def convolved(self, one: Spectrum, other: Spectrum) -> Spectrum:
        """Return the product of two spectra."""

    def curve(self, decibels: Any) -> Any:
        """Return factors (..., bins) for a response in dB at KNOTS."""

    def single(self, values: Any) -> Any:
        """Round to the precision of samples."""

    def precise(self, values: Any) -> Any:
        """Return values in the precision of levels."""


class NumPyArrays:
    """NumPy arrays: float32 samples, float64 levels and curves."""

    xp = np

    def __init__(self, size: int) -> None:
        self.size, self.hertz = size, np.fft.rfftfreq(size, 1 / SAMPLE_RATE)

    def spectrum(self, samples: Samples) -> Spectrum:
        return fft.rfft(samples, self.size)

    def samples(self, spectrum: Spectrum) -> Samples:
        return fft.irfft(spectrum, self.size)

    def filtered(self, spectrum: Spectrum, factors: Any) -> Spectrum:
        return np.asarray(spectrum * factors, np.complex64)

    def convolved(self, one: Spectrum, other: Spectrum) -> Spectrum:
        return one * other

    def curve(self, decibels: Any) -> Any:
        return 10 ** (np.interp(np.log(np.maximum(self.hertz, 1.0)), np.log(KNOTS), decibels) / 20)

    def single(self, values: Any) -> Any:
        return np.asarray(values, np.float32)

    def precise(self, values: Any) -> Any:
        return np.asarray(values, np.float64)


@dataclass(frozen=True)
class Levels:
    """Parameters of a scene, or arrays (scenes, 1) of parameters; None is skipped in the rendering.

    Attributes:
        colour: response of the microphone, (..., KNOTS) in dB.
        corner: corner frequency of the microphone's high-pass in Hz.
        balance: level of the far images relative to the near images; 0 keeps the natural level.
        floor: level of the microphone's noise relative to the talkers.
        noise: level of the environmental noise relative to the talkers.
        tone: level of stationary noise before the gain.
        tone_colour: response of the stationary noise, (..., KNOTS) in dB.
        active: whether levels refer to the time with speech.
        free: whether `gain` is the level of the mixture instead of the device's gain.
        gain: see `free`.
        capture: recording device.
    """

    colour: Any
    corner: Any
    balance: Any
    floor: Any
    noise: Any
    tone: Any
    tone_colour: Any
    active: Any
    free: Any
    gain: Any
    capture: Any

    @classmethod
    def of(cls, drawn: Draw) -> Levels:
        """Return the parameters of a drawn scene."""
        return cls(
            colour=drawn.colour,
            corner=drawn.corner,
            balance=None if drawn.balance is None else 10 ** (-drawn.balance / 20),
            floor=10 ** (drawn.floor_db / 20),
            noise=None if drawn.noise is None or drawn.snr_db is None else 10 ** (-drawn.snr_db / 20),
            tone=TYPICAL_NEAR * 10 ** (-drawn.tone.level_db / 20) if drawn.tone else None,
            tone_colour=drawn.tone.colour if drawn.tone else None,
            active=drawn.active_levels,
            free=drawn.free,
            gain=10 ** (drawn.gain_db / 20) * (1.0 if drawn.free else TYPICAL_GAIN),
            capture=drawn.capture,
        )


@dataclass(frozen=True)
class Sounds:
    """Sounds of a scene other than the talkers, (..., length) each, and gates.

    Attributes:
        hiss: noise of the microphone, standard normal.
        noise: environmental noise, (..., taps + length), or None.
        tone: stationary noise before its filter, standard normal, or None.
        noise_gate: gate of the environmental noise; None: always open.
        spoken: speech activity of near and far talkers; None if levels refer to the whole scene.
        begun: gate of the whole scene; None: always open.
    """

    hiss: Samples
    noise: Samples | None = None
    tone: Samples | None = None
    noise_gate: Samples | None = None
    spoken: tuple[Samples, Samples] | None = None
    begun: Samples | None = None


class Renderer:
    """Renderer of one scene, or of scenes of equal length, through the microphone.

    Args:
        arrays: interface to arrays of at least `taps + length` samples.
        levels: parameters of the scene.
        length: samples of the scene.
        taps: samples before the scene, which contain the beginning of the responses.
    """

    def __init__(self, arrays: Arrays, levels: Levels, length: int, taps: int) -> None:
        self.arrays, self.levels, self.length, self.taps = arrays, levels, length, taps
        square = arrays.hertz**2
        high_pass = square / (square + levels.corner**2)
        self.microphone = arrays.single(arrays.curve(levels.colour) * high_pass)
        self.band = None  # the whole band
        if levels.capture is not None:
            self.band = arrays.single(low_pass(arrays.hertz, levels.capture.band, arrays.xp))
            self.microphone = self.microphone * self.band

    def voice(self, dry: Samples, response: Samples, timbre: Any) -> Spectrum:
        """Return the spectrum of voices filtered by their responses; `timbre` in dB at KNOTS, or None."""
        arrays = self.arrays
        heard = arrays.convolved(arrays.spectrum(dry), arrays.spectrum(response))
        return heard if timbre is None else arrays.filtered(heard, arrays.curve(timbre))

    def heard(self, spectrum: Spectrum) -> Samples:
        """Return (..., length) samples of a sound filtered by the microphone."""
        through = self.arrays.samples(self.arrays.filtered(spectrum, self.microphone))
        return through[..., self.taps : self.taps + self.length]

    def mix(self, near: Samples, far: Samples, sounds: Sounds) -> tuple[Samples, Samples, Samples, Any]:
        """Set the levels of near and far images, add all other sounds, and record the sum.

        Returns:
            Near, far and the rest, which sum to the mixture, and the gain (..., 1) before the device.
        """
        levels, xp = self.levels, self.arrays.xp
        if levels.balance is not None:
            far = self._balanced(near, far, sounds)
        spoken = None if sounds.spoken is None else xp.maximum(*sounds.spoken)
        talkers = xp.sqrt(self._power(near + far, spoken) + 1e-12)
        parts = [near, far, self._rest(talkers, sounds)]
        if sounds.begun is not None:  # transforms leave rounding errors in the talkers' silence
            parts = [part * sounds.begun for part in parts]
        gain = self._gain(parts[0] + parts[1] + parts[2])
        parts = [part * gain for part in parts]
        if levels.capture is not None:
            changes = device_gain(parts[0] + parts[1] + parts[2], levels.capture, xp)
            parts = [part * self.arrays.single(changes) for part in parts]
        return parts[0], parts[1], parts[2], gain

    def _power(self, samples: Samples, spoken: Samples | None) -> Any:
        """Return the mean square (..., 1), over the time with speech if `active` is set."""
        arrays, xp = self.arrays, self.arrays.xp
        power = xp.mean(xp.square(samples), axis=-1, keepdims=True)
        if spoken is None:
            return arrays.precise(power)
        share = xp.maximum(xp.mean(arrays.precise(spoken), axis=-1, keepdims=True), RAMP / self.length)
        return arrays.precise(power / arrays.single(xp.where(self.levels.active, share, 1.0)))

    def _level(self, samples: Samples) -> Any:
        xp = self.arrays.xp
        return self.arrays.precise(xp.sqrt(xp.mean(xp.square(samples), axis=-1, keepdims=True)))

    def _balanced(self, near: Samples, far: Samples, sounds: Sounds) -> Samples:
        levels, xp = self.levels, self.arrays.xp
        near_level, far_level = (
            xp.sqrt(self._power(image, spoken)) + 1e-9
            for image, spoken in zip((near, far), sounds.spoken or (None, None), strict=True)
        )
        factor = near_level / far_level * levels.balance
        factor = xp.where(levels.active, xp.clip(factor, *BALANCING), factor)
        return self.arrays.single(xp.where(levels.balance > 0, far * factor, far))

    def _rest(self, talkers: Any, sounds: Sounds) -> Samples:
        """Return the sum of the noises of a scene for talkers of a given level."""
        arrays, levels, xp = self.arrays, self.levels, self.arrays.xp
        hiss = sounds.hiss if self.band is None else self._coloured(sounds.hiss, self.band)
        rest = arrays.single(hiss * (talkers * levels.floor))
        if sounds.noise is not None:
            noise = self.heard(arrays.spectrum(sounds.noise))
            level = self._level(noise)
            factor = xp.where(level > INAUDIBLE, talkers / xp.maximum(level, INAUDIBLE) * levels.noise, 0.0)
            noise = noise * arrays.single(factor)
            rest = rest + (noise if sounds.noise_gate is None else noise * sounds.noise_gate)
        if sounds.tone is not None:
            tone = self._coloured(sounds.tone, arrays.curve(levels.tone_colour) * self.microphone)
            rest = rest + arrays.single(tone * (levels.tone / (self._level(tone) + 1e-9)))
        return rest

    def _coloured(self, samples: Samples, factors: Any) -> Samples:
        arrays = self.arrays
        return arrays.samples(arrays.filtered(arrays.spectrum(samples), factors))[..., : self.length]

    def _gain(self, mixture: Samples) -> Any:
        levels, xp = self.levels, self.arrays.xp
        peak = self.arrays.precise(xp.max(xp.abs(mixture), axis=-1, keepdims=True)) + 1e-9
        gain = xp.where(levels.free, levels.gain / (self._level(mixture) + 1e-9), levels.gain)
        return self.arrays.single(xp.minimum(gain, PEAK / peak))
