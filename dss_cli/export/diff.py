"""Inference-diff: compare Keras and LiteRT on the same input, with each available delegate.

There are two measures. The first is the relative error `|a - b| / |a|` (norm over both outputs) of chunks of
a speech-like signal and of Gaussian noise, each in the context of the chunks before it if the network has
context. The second is the SI-SDR of the stems of a recording that is processed by the streaming engine; here
the difference may be at most 0.05 dB (0.1 dB with int8 weights).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..constants import SignalConfig
from ..metrics import si_sdr
from ..runtime.gpu_adapter import REFUSED
from ..runtime.litert import LiteRTNetwork
from ..runtime.network import ContextNetwork, Network
from ..runtime.registry import Model
from ..separation.stft import StreamingSTFT, compress
from ..separation.streaming import StreamingSeparator
from .keras_network import KerasNetwork

if TYPE_CHECKING:
    import keras

    from ..network import CarriedNetworks

Floats = npt.NDArray[np.float32]

MAX_RELATIVE_ERROR = 1e-3  # between float32 weights in Keras and in LiteRT, or between two delegates
MAX_DECIBELS = 0.05  # between the SI-SDR of a stem with Keras and with the exported file
MAX_DECIBELS_INT8 = 0.1
_RECORDING_CHUNKS = 1.5  # so that the engine joins two chunks


@dataclass(frozen=True)
class Check:
    """Result of one check of an export; `value` and `limit` are None if nothing is measured."""

    name: str
    passed: bool
    value: float | None = None
    limit: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the object for the model card."""
        return asdict(self)


def inference_diff(
    network: keras.Model | CarriedNetworks, bundled: Model, exact: Model, weights: str = "float16"
) -> Iterator[Check]:
    """Compare a network with its exported files on one CPU thread, on several threads, and on the GPU.

    Args:
        network: Keras network in float32.
        bundled: exported file as it will be used.
        exact: exported file with float32 weights; `bundled` itself if it has float32 weights.
        weights: storage type of the weights in the bundled file, as in `convert`.

    Yields:
        Checks. If the GPU cannot be used for a reason outside the graph, the check is passed and its note
        gives the reason.
    """
    reference = KerasNetwork(network, bundled.signal)
    speech, noise = _speech_chunk(bundled.signal), _noise_chunk(bundled.signal)
    chunks = (speech, noise, noise, speech)
    lengths = {timing.frames for timing in bundled.timings}
    expected = _in_sequence(reference, chunks, lengths)
    scores = _scores(reference)
    limit = MAX_DECIBELS_INT8 if weights == "int8" else MAX_DECIBELS
    first: list[tuple[Floats, Floats]] | None = None  # outputs of the bundled file on one thread
    threads = max(2, min(os.cpu_count() or 1, 4))
    runs: tuple[tuple[str, dict[str, Any]], ...] = (
        ("CPU, 1 thread", {"delegate": "cpu", "threads": 1}),
        (f"CPU, {threads} threads", {"delegate": "cpu", "threads": threads}),
        ("GPU", {"delegate": "gpu"}),
    )
    for label, options in runs:
        candidate = LiteRTNetwork(bundled, **options)
        if candidate.fallback_reason:
            at_fault = candidate.fallback_reason.startswith(REFUSED)
            yield Check(label, not at_fault, note=f"not run: {candidate.fallback_reason}")
            continue
        note = candidate.adapter or ""
        outputs = _in_sequence(candidate, chunks, lengths)
        exact_outputs = outputs
        if exact is not bundled:
            exact_network = LiteRTNetwork(exact, **options)
            exact_outputs = _in_sequence(exact_network, chunks, lengths)
        yield _error(f"{label}: float32 weights against Keras", expected, exact_outputs, note)
        # With int8 weights the CPU quantises activations, the GPU does not.
        if first is not None and not (candidate.used == "gpu" and weights == "int8"):
            yield _error(f"{label}: against one CPU thread", first, outputs, note)
        first = first or outputs
        decibels = max(abs(a - b) for a, b in zip(scores, _scores(candidate), strict=True))
        yield Check(f"{label}: SI-SDR against Keras, dB", decibels <= limit, decibels, limit, note)


def _in_sequence(
    network: ContextNetwork, chunks: Sequence[Floats], lengths: Collection[int]
) -> list[tuple[Floats, Floats]]:
    """Return near and far of consecutive chunks; a network with context listens to one more chunk first.

    After the whole chunks follow their beginnings, in each shorter length that the model accepts.
    """
    state = network.begin()
    if state is not None:
        network.listen(chunks[-1], state)
    shorter = [np.ascontiguousarray(chunk[:, :frames]) for frames in sorted(lengths) for chunk in chunks]
    return [network.separate(chunk, state) for chunk in (*chunks, *shorter)]


def _error(
    name: str,
    expected: list[tuple[Floats, Floats]],
    found: list[tuple[Floats, Floats]],
    note: str,
) -> Check:
    error = max(relative_error(a, b) for a, b in zip(expected, found, strict=True))
    return Check(name, error < MAX_RELATIVE_ERROR, error, MAX_RELATIVE_ERROR, note)


def relative_error(expected: tuple[Floats, Floats], found: tuple[Floats, Floats]) -> float:
    """Return `|expected - found| / |expected|` over near and far together; infinite if it is not finite."""
    a, b = np.asarray(expected, np.float64), np.asarray(found, np.float64)
    error = float(np.linalg.norm(a - b) / max(float(np.linalg.norm(a)), 1e-30))
    return error if np.isfinite(error) else float("inf")


def _scores(network: Network) -> tuple[float, float]:
    """Return the SI-SDR of near and far after the streaming engine, for two speech-like talkers in noise."""
    near, far, mixture = _recording(network.signal)
    separator = StreamingSeparator(network)
    blocks = (separator.push(mixture), separator.flush())
    stems = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    first, second = (si_sdr(stem, clean) for stem, clean in zip(stems, (near, far), strict=True))
    return first, second


def _recording(signal: SignalConfig) -> tuple[Floats, Floats, Floats]:
    """Return a near talker, a softer far talker, and their mixture with weak noise."""
    samples = int(_RECORDING_CHUNKS * signal.frames * signal.hop) + signal.window
    generator = np.random.default_rng(0)
    near = _voice(samples, signal.sample_rate, 120.0, generator)
    far = np.float32(0.3) * _voice(samples, signal.sample_rate, 210.0, generator)
    noise = 1e-3 * generator.standard_normal(samples)
    return near, far, (near + far + noise).astype(np.float32)


def _voice(samples: int, rate: int, pitch: float, generator: np.random.Generator) -> Floats:
    """Return harmonics (amplitude 1 / n) of a gliding pitch in Hz, in syllables of a quarter second."""
    time = np.arange(samples) / rate
    phase = 2 * np.pi * pitch * (time + 0.02 * np.sin(2 * np.pi * 0.7 * time))
    harmonics = np.arange(1, int(0.4 * rate / pitch) + 1)
    starts = generator.uniform(0, 2 * np.pi, len(harmonics))
    tone = sum(np.sin(n * phase + start) / n for n, start in zip(harmonics, starts, strict=True))
    syllables = np.clip(np.sin(2 * np.pi * 4 * time + generator.uniform(0, 6)), 0, None)
    voice: Floats = (0.1 * tone * syllables).astype(np.float32)
    return voice


def _speech_chunk(signal: SignalConfig) -> Floats:
    _, _, mixture = _recording(signal)
    return compress(StreamingSTFT(signal).push(mixture)[np.newaxis, : signal.frames, :-1], signal.exponent)


def _noise_chunk(signal: SignalConfig) -> Floats:
    generator = np.random.default_rng(1)
    parts = generator.standard_normal((2, 1, signal.frames, signal.bins))
    return compress((parts[0] + 1j * parts[1]).astype(np.complex64), signal.exponent)
