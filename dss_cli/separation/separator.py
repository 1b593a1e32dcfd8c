"""Array API: load a model, and separate recordings in memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..audio.reading import BLOCK
from ..constants import RATES
from ..errors import UsageError
from ..runtime.timing import own_latency
from .listening import Context, settled_context, used_context
from .multichannel import Splitter, Stems
from .streaming import StreamingSeparator, describe, require_finite

if TYPE_CHECKING:
    from ..runtime.litert import LiteRTNetwork
    from ..runtime.network import Network

Floats = npt.NDArray[np.float32]

DEFAULT_MODEL = "lite"
_MANY_CHANNELS = 32  # with more columns than this and fewer rows than columns, the axes are swapped


def load_model(
    model: str | Path = DEFAULT_MODEL,
    delegate: str = "auto",
    threads: int | None = None,
    *,
    strict_delegate: bool = False,
    verbose: bool = False,
    gpu_precision: str = "float32",
    latency: float | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> LiteRTNetwork:
    """Load a model by name or path; the network can be reused for any number of recordings.

    Args:
        model: name of a bundled or cached model, or path of a `.tflite` file with its card beside it.
        delegate: `auto` (the GPU if it can run the whole model, else the CPU), `gpu` or `cpu`.
        threads: number of CPU threads; None: number of physical cores, at most 4. The results do not
            depend on it.
        strict_delegate: raise an error instead of falling back to the CPU.
        verbose: print LiteRT's own messages to stderr.
        gpu_precision: arithmetic of the GPU, `float32` or (if its driver supports it) `float16`.
        latency: default for the largest latency in seconds of separators that use this network. They take the
            longest latency that the model offers within it. None: latency of whole chunks.
        warn: receives one line if the CPU replaces a requested or existing GPU, if float32 replaces
            float16, or if the model is untrained; the default issues a UserWarning.

    Returns:
        Network for `Separator`, `StreamingSeparator` and `separate_file`.

    Raises:
        UsageError: there is no such model, an option is unknown, float16 is combined with `cpu`, or the
            model offers no latency that short.
        DssError: the model is damaged, or the delegate cannot be used.
    """
    from ..runtime.litert import LiteRTNetwork
    from ..runtime.registry import find_model
    from ..utils.machine import default_threads

    found = find_model(model)
    if found.untrained:
        warn(f"{found.name}: the model is untrained: it separates nothing")
    return LiteRTNetwork(
        found,
        delegate,
        default_threads() if threads is None else threads,
        strict=strict_delegate,
        verbose=verbose,
        warn=warn,
        gpu_precision=gpu_precision,
        latency=latency,
    )


class Separator:
    """Separator of recordings in memory.

    Args:
        model: name of a bundled or cached model, path of a `.tflite` file with its card beside it, or a
            loaded network (LiteRT's or another one); for a network, the options of the delegate have no
            effect.
        delegate: `auto`, `gpu` or `cpu`. If the GPU cannot be used, the CPU replaces it, with a UserWarning
            (no warning if the delegate is `auto` and there is no GPU).
        threads: number of CPU threads; None: number of physical cores, at most 4.
        overlap: overlap of consecutive chunks, 0 to 0.5 of a chunk; None: the model's own.
        context: context for the separation of a chunk: `recording`, `past`, or `none`. None: the recording,
            or the past if a latency is given. Models without context always use `none`.
        strict_delegate: raise an error instead of falling back to the CPU.
        gpu_precision: arithmetic of the GPU, as in `load_model`.
        latency: largest latency of a stream in seconds. Shorter latencies use shorter chunks, at some cost
            in quality and computing time. None: latency of the network.

    Raises:
        UsageError: there is no such model, an option is unknown, the overlap is out of range, or the
            model offers no latency that short.
        DssError: the model is damaged, or the delegate cannot be used.
    """

    def __init__(
        self,
        model: str | Path | Network = DEFAULT_MODEL,
        delegate: str = "auto",
        threads: int | None = None,
        overlap: float | None = None,
        strict_delegate: bool = False,
        gpu_precision: str = "float32",
        context: Context | None = None,
        latency: float | None = None,
    ) -> None:
        if isinstance(model, str | Path):
            model = load_model(
                model, delegate, threads, strict_delegate=strict_delegate, gpu_precision=gpu_precision
            )
        self.network: Network = model
        self.latency = own_latency(model) if latency is None else latency
        self.overlap = overlap
        self.context = used_context(model, settled_context(context, self.latency))
        self.stream()  # checks overlap and latency now, not at the first recording

    def stream(self) -> StreamingSeparator:
        """Return a new streaming separator for one channel at the model's sample rate.

        Its context is the past (or none), because a live recording cannot be heard ahead.
        """
        past: Context = "none" if self.context == "none" else "past"
        return StreamingSeparator(self.network, self.overlap, past, self.latency)

    def separate(self, array: npt.NDArray[np.floating[Any]], sample_rate: float) -> Stems:
        """Separate a recording, each channel individually.

        Args:
            array: recording in floating point, `(frames,)` or `(frames, channels)`, full scale at 1.
            sample_rate: sample rate of the array in Hz; it is converted to the model's rate and back.

        Returns:
            Stems in the shape of the array. Above half the model's sample rate (8 kHz) near and far are
            silent; that sound is in the residual.

        Raises:
            UsageError: the shape or dtype is wrong, the axes are swapped, there are no samples, or the sample
                rate lies outside 8 to 384 kHz.
            DssError: a sample is not finite, or the model fails.
        """
        samples = _checked(array)
        if not RATES.start <= sample_rate < RATES.stop:
            raise UsageError(f"sample rate {sample_rate!r} lies outside {RATES.start} to {RATES.stop - 1} Hz")
        columns = samples.reshape(len(samples), -1)
        width = columns.shape[1]
        splitter = Splitter(self.network, self.overlap, sample_rate, width, self.context, self.latency)
        blocks = (columns[start : start + BLOCK] for start in range(0, len(columns), BLOCK))
        parts = zip(*map(splitter.push, blocks), splitter.flush(), strict=True)
        stems = Stems(*(np.concatenate(part).reshape(samples.shape) for part in parts))
        stems.sample_rate = sample_rate
        return stems


def _checked(array: npt.NDArray[np.floating[Any]]) -> Floats:
    """Return the array as float32.

    Raises:
        UsageError, DssError: as `Separator.separate`.
    """
    if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, np.floating):
        raise UsageError(f"a recording is a floating-point array, not {describe(array)}")
    if array.ndim not in (1, 2) or array.size == 0:
        raise UsageError(f"a recording has the shape (frames,) or (frames, channels), not {array.shape}")
    if array.ndim == 2 and len(array) < array.shape[1] > _MANY_CHANNELS:
        raise UsageError(
            f"shape {array.shape} would be {array.shape[1]} channels of {len(array)} frames; "
            "for (channels, frames) pass array.T"
        )
    samples: Floats = array.astype(np.float32, copy=False)
    require_finite(samples)
    return samples
