"""Mixing on the accelerator: spectra of a batch from its drawn scenes, in Keras `ops`, equal to `mixing.mix`.

The same rendering gives inputs and targets. So the renderer is a layer before the network, and the loss is
computed from outputs alone, in `compute_loss`, which Keras's trainers call with every backend.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy import fft

from ..constants import SAMPLE_RATE, STEMS
from ..separation.stft import root_hann
from ..simulation.recording_chain import Capture
from ..simulation.rendering import Levels, Renderer, Sounds
from ..simulation.scene_sampling import KNOTS
from ..simulation.turns import FOREVER, RAMP
from .cut import Cut, in_segments, inputs_of
from .device_batches import DEVICE, ROW, SLOTS, STRETCH, TURNS, Desk, number_shapes

ROLES = (slice(SLOTS[0]), slice(SLOTS[0], None))  # slots of near and far voices
CURVES = ("colour", "tone_colour")  # parameters with a value at each knot
EASE = 0.06  # transition of the low-pass for faster voices, as a share of half the rate
TINY = 1e-30  # power below which a bin is silent


class KerasArrays:
    """Keras tensors as `rendering.Arrays`: float32; a spectrum is a pair of real and imaginary part."""

    xp = ops

    def __init__(self, size: int) -> None:
        hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
        place = np.log(np.maximum(hertz, 1.0))
        self.size, self._hertz = size, hertz
        self._basis = np.array([np.interp(place, np.log(KNOTS), knot) for knot in np.eye(len(KNOTS))]) / 20

    @property
    def hertz(self) -> Any:
        return _constant(self._hertz)

    def spectrum(self, samples: Any) -> Any:
        return ops.rfft(samples, self.size)

    def samples(self, spectrum: Any) -> Any:
        return ops.irfft(spectrum, self.size)

    def filtered(self, spectrum: Any, factors: Any) -> Any:
        return tuple(part * factors for part in spectrum)

    def convolved(self, one: Any, other: Any) -> Any:
        return one[0] * other[0] - one[1] * other[1], one[0] * other[1] + one[1] * other[0]

    def curve(self, decibels: Any) -> Any:
        return ops.power(10.0, ops.matmul(decibels, _constant(self._basis)))

    def single(self, values: Any) -> Any:
        return values

    def precise(self, values: Any) -> Any:
        return values


class Mixing(keras.layers.Layer):
    """Layer that mixes a batch of scenes from the arrays of `Desk.numbers`.

    Speech, noise and responses are non-trainable variables, because constants would become part of the
    compiled step. The layer computes in float32 with every dtype policy, because levels span 100 dB.

    Outputs, as `data.examples`: "inputs" (size, frames, bins, 3) and "targets" by stem (size, frames, bins,
    4).
    """

    def __init__(self, desk: Desk):
        super().__init__(name="mixing", dtype="float32", trainable=False)
        self.signal, self.length, self.taps = desk.signal, desk.length, desk.taps
        self.reach, self.noise_reach = desk.speech.reach, desk.noise.reach
        self.arrays = KerasArrays(fft.next_fast_len(self.length + self.taps, real=True))
        self.speech = self._table("speech", desk.speech.rows)
        self.noise = self._table("noise", desk.noise.rows)
        self.responses = self._table("responses", desk.responses)
        self.hiss = self._table("hiss", desk.hiss)

    def _table(self, name: str, values: Any) -> Any:
        return self.add_weight(
            shape=values.shape,
            initializer=lambda shape, dtype: ops.convert_to_tensor(values),
            dtype=str(values.dtype),
            trainable=False,
            autocast=False,
            name=name,
        )

    def call(self, numbers: Any) -> Any:
        n = numbers
        renderer = Renderer(self.arrays, self._levels(n), self.length, self.taps)
        gates = self._gates(n)
        dry = self._dry(n) * n["level"][..., None] * gates
        responses = ops.cast(ops.take(self.responses, n["response"], axis=0), "float32")
        voices = renderer.voice(dry, responses, n["timbre"])
        near, far = (
            renderer.heard(tuple(ops.sum(part[:, slots], axis=1) for part in voices)) for slots in ROLES
        )
        gates *= ops.cast(n["level"] > 0, "float32")[..., None]
        begins = ops.stack([n["begins"], ops.full_like(n["begins"], FOREVER)], axis=-1)
        sounds = Sounds(
            self._hiss(n["hiss"]),
            self._noise(n),
            self._hiss(n["tone_first"]),
            self._gate(n["noise_span"], self.length),
            tuple(ops.max(gates[:, slots, self.taps :], axis=1) for slots in ROLES),
            self._gate(begins, self.length),
        )
        near, far, rest, _ = renderer.mix(near, far, sounds)
        real, imaginary = self._spectra(ops.stack([near, far, near + far + rest], axis=1))
        heard = [real[:, 2], imaginary[:, 2]]
        return {
            "inputs": self._compressed(*heard),
            "targets": {
                stem: ops.stack([real[:, i], imaginary[:, i], *heard], axis=-1)
                for i, stem in enumerate(STEMS)
            },
        }

    @staticmethod
    def _levels(n: Any) -> Levels:
        """Return the parameters of a batch in the form of the renderer."""
        names = [field.name for field in fields(Levels) if field.name != "capture"]
        values = {name: n[name] if name in CURVES else n[name][:, None] for name in names}
        return Levels(**values, capture=Capture(**{name: n[name][:, None] for name in DEVICE}))

    def _gate(self, span: Any, length: int) -> Any:
        """Return gates (..., length) of intervals (..., 2), as `turns.gate`."""
        samples = ops.arange(length, dtype="float32")
        rise, fall = (ops.clip((samples - span[..., i : i + 1]) / RAMP, 0.0, 1.0) for i in range(2))
        return rise - fall

    def _gates(self, n: Any) -> Any:
        """Return the gates of all voices, (size, slots, length + taps)."""
        whole = self.length + self.taps
        return sum(self._gate(n["spans"][..., i, :], whole) for i in range(TURNS))

    def _dry(self, n: Any) -> Any:
        """Return the dry voices at their pace, (size, slots, length + taps).

        Voices are interpolated by a cubic spline at twice the rate, which attenuates images by 68 dB at 4
        kHz. The transform that doubles the rate also computes the coefficients of the spline, and removes
        frequencies that a faster pace would move beyond half the rate.
        """
        half = self.reach * ROW // 2
        pieces = _pieces(self.speech, n["row"], self.reach)
        spline = 12 / (4 + 2 * np.cos(np.pi / (2 * half) * np.arange(half + 1)))  # for twice as many samples
        spline[-1] /= 2  # the former Nyquist bin has a mirror image now
        edge = half / n["pace"][..., None]
        bins = ops.arange(half + 1, dtype="float32")
        kept = ops.clip(1 + (edge - bins) / (EASE * edge), 0.0, 1.0) * _constant(spline)
        double = [ops.pad(part * kept, ((0, 0), (0, 0), (0, half))) for part in ops.rfft(pieces, 2 * half)]
        coefficients = ops.reshape(ops.irfft(tuple(double), 4 * half), (-1,))
        # Positions as integer and fraction: float32 alone has errors of a hundredth of a sample.
        stretch, within = np.divmod(np.arange(self.length + self.taps, dtype=np.int32), STRETCH)
        left = n["part"][..., None] * _constant(stretch) + 2 * n["pace"][..., None] * _constant(within)
        floor = ops.floor(left)
        t = left - floor
        position = (
            2 * n["shift"][..., None]
            + n["whole"][..., None] * ops.convert_to_tensor(stretch)
            + ops.cast(floor, "int32")
        )
        batch, slots = n["row"].shape
        position += 4 * half * ops.reshape(ops.arange(batch * slots, dtype="int32"), (batch, slots, 1))
        weights = (
            (1 - t) ** 3 / 6,
            2 / 3 - t**2 * (1 - t / 2),
            2 / 3 - (1 - t) ** 2 * (1 + t) / 2,
            t**3 / 6,
        )
        return sum(w * ops.take(coefficients, position + i, axis=0) for i, w in enumerate(weights, -1))

    def _noise(self, n: Any) -> Any:
        """Return the environmental noise, (size, taps + length)."""
        pieces = _pieces(self.noise, n["noise_row"], self.noise_reach)
        batch, samples = pieces.shape
        first = n["noise_shift"] + samples * ops.arange(batch, dtype="int32")
        index = first[:, None] + ops.arange(self.length + self.taps, dtype="int32")
        return ops.take(ops.reshape(pieces, (-1,)), index, axis=0)

    def _hiss(self, first: Any) -> Any:
        """Return white noise (size, length) that begins at given samples."""
        return ops.take(self.hiss, first[:, None] + ops.arange(self.length, dtype="int32"), axis=0)

    def _spectra(self, samples: Any) -> tuple[Any, Any]:
        frames = ops.extract_sequences(samples, self.signal.window, self.signal.hop)
        real, imaginary = ops.rfft(frames * _constant(root_hann(self.signal.window)), self.signal.window)
        return real[..., : self.signal.bins], imaginary[..., : self.signal.bins]

    def _compressed(self, real: Any, imaginary: Any) -> Any:
        power = ops.square(real) + ops.square(imaginary)
        squeezed = ops.where(power > TINY, ops.power(ops.maximum(power, TINY), self.signal.exponent / 2), 0.0)
        factor = squeezed / ops.sqrt(ops.maximum(power, TINY))
        return ops.stack([squeezed, real * factor, imaginary * factor], axis=-1)


class MixedTraining(keras.Model):
    """Network after a `Mixing` layer: inputs are the arrays of a batch, outputs include the targets."""

    @classmethod
    def of(cls, network: keras.Model, mixing: Mixing, cut: Cut) -> MixedTraining:
        """Build the model for batches with the layout `cut`; `heard_whole` is an additional input."""
        numbers = {
            name: keras.Input(batch_shape=shape, dtype=kind, name=name)
            for name, (shape, kind) in number_shapes(cut.scenes).items()
        }
        whole = keras.Input(batch_shape=(cut.scenes,), name="heard_whole")
        mixed = mixing(numbers)
        estimates = network(inputs_of(network, mixed["inputs"], cut, whole))
        targets = in_segments(mixed["targets"], mixing.signal)
        return cls(numbers | {"heard_whole": whole}, {**mixed, "targets": targets, "estimates": estimates})

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the compiled loss of the estimates and targets, which are both in `y_pred`."""
        return super().compute_loss(x, y_pred["targets"], y_pred["estimates"], sample_weight, training)


def _pieces(table: Any, rows: Any, reach: int) -> Any:
    """Return the samples of `reach` consecutive rows from each of `rows` on, with full scale at 1."""
    taken = ops.take(table, rows[..., None] + ops.arange(reach, dtype="int32"), axis=0)
    return ops.reshape(ops.cast(taken, "float32"), (*rows.shape, -1)) / 32768.0


def _constant(values: Any) -> Any:
    return ops.convert_to_tensor(values, "float32")
