"""Array API: load a model, and separate recordings in memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..audio.reading import BLOCK, RATES
from ..errors import UsageError
from .listening import Context, used_context
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
        warn: receives one line if the CPU replaces a requested or existing GPU, if float32 replaces
            float16, or if the model is untrained; the default issues a UserWarning.

    Returns:
        Network for `Separator`, `StreamingSeparator` and `separate_file`.

    Raises:
        UsageError: there is no such model, an option is unknown, or float16 is combined with `cpu`.
        DssError: the model is damaged, or the delegate cannot be used.
    """
    from ..runtime.litert import LiteRTNetwork
    from ..runtime.registry import find_model
    from ..utils.machine import default_threads

    found = find_model(model)
    if found.card.get("training", {}).get("untrained"):
        warn(f"{found.name}: the model is untrained: it separates nothing")
    return LiteRTNetwork(
        found,
        delegate,
        default_threads() if threads is None else threads,
        strict=strict_delegate,
        verbose=verbose,
        warn=warn,
        gpu_precision=gpu_precision,
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
        context: context for the separation of a chunk: `recording` (the default), `past`, or `none`.
            Models without context always use `none`.
        strict_delegate: raise an error instead of falling back to the CPU.
        gpu_precision: arithmetic of the GPU, as in `load_model`.

    Raises:
        UsageError: there is no such model, an option is unknown, or the overlap is out of range.
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
        context: Context = "recording",
    ) -> None:
        if isinstance(model, str | Path):
            model = load_model(
                model, delegate, threads, strict_delegate=strict_delegate, gpu_precision=gpu_precision
            )
        self.network: Network = model
        self.overlap, self.context = overlap, used_context(model, context)
        self.stream()  # checks the overlap now, not at the first recording

    def stream(self) -> StreamingSeparator:
        """Return a new streaming separator for one channel at the model's sample rate.

        Its context is the past (or none), because a live recording cannot be heard ahead.
        """
        return StreamingSeparator(self.network, self.overlap, "none" if self.context == "none" else "past")

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
        splitter = Splitter(self.network, self.overlap, sample_rate, columns.shape[1], self.context)
        blocks = (columns[start : start + BLOCK] for start in range(0, len(columns), BLOCK))
        parts = zip(*map(splitter.push, blocks), splitter.flush(), strict=True)
        return Stems(*(np.concatenate(part).reshape(samples.shape) for part in parts))


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
