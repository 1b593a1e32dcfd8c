"""One recording from file to stems: reader -> separators -> writers, in constant memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .audio import AudioReader, Resampler, StemGroup
from .errors import DssError
from .separator import StreamingSeparator

if TYPE_CHECKING:
    from .runtime import Network

Channels = Literal["each", "mix"]
Progress = Callable[[int, "int | None"], None]  # frames done, frames in all (None: not known)


@dataclass(frozen=True)
class FileReport:
    """What became of one recording; `to_dict` is ready for JSON.

    Attributes:
        input: the source as it was given.
        outputs: path by stem.
        frames: length of the input and of every stem.
        seconds: the same in seconds.
        rate: of the input in Hz.
        channels: of the outputs.
        gain: common factor of all stems, 1.0 unless one would have clipped.
        clipped: samples beyond full scale before that gain.
        warnings: the lines that were given to `warn`.
        elapsed: wall-clock seconds of the whole work.
        rtf: elapsed / seconds.
    """

    input: str
    outputs: dict[str, str]
    frames: int
    seconds: float
    rate: int
    channels: int
    gain: float
    clipped: int
    warnings: list[str]
    elapsed: float
    rtf: float

    def to_dict(self) -> dict[str, Any]:
        """The report as plain types."""
        return asdict(self)


def separate_file(
    source: str | os.PathLike[str],
    *,
    near: str | os.PathLike[str] | None = None,
    far: str | os.PathLike[str] | None = None,
    residual: str | os.PathLike[str] | None = None,
    network: Network,
    overlap: float | None = None,
    channels: Channels = "each",
    subtype: str | None = None,
    overwrite: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
    warn: Callable[[str], None] = lambda message: None,
) -> FileReport:
    """Separate one recording into files with the input's rate, channels and encoding.

    Args:
        source: path, or '-' for standard input.
        near: path of the near stem, '-' for standard output, None for none; its extension names
            the format. At least one of the three stems must be asked for.
        far: the same for the far stem.
        residual: the same for mixture - near - far, so that the three sum to the input.
        network: the model.
        overlap: of consecutive chunks, None for the engine's default.
        channels: 'each' separates every channel on its own and keeps the layout, 'mix' averages
            them to one.
        subtype: encoding of the outputs, e.g. 'PCM_24'; None keeps the input's.
        overwrite: replace existing outputs.
        strict: damaged input raises instead of warning.
        progress: called with (frames done, frames in all or None) after each block.
        warn: called with each warning at once, one line; they also stand in the report.

    Raises:
        UsageError: the request is wrong (nothing was touched).
        DssError: the input cannot be read or an output not written; no output is left.
    """
    started = time.perf_counter()
    warnings: list[str] = []

    def keep(message: str) -> None:
        warnings.append(message)
        warn(message)

    requested = {"near": near, "far": far, "residual": residual}
    targets = {stem: target for stem, target in requested.items() if target is not None}
    with AudioReader(source, strict=strict, warn=keep) as reader:
        width = 1 if channels == "mix" else reader.channels
        with StemGroup(
            targets,
            rate=reader.samplerate,
            channels=width,
            source_subtype=reader.subtype,
            frames=reader.frames,
            source=source,
            subtype=subtype,
            overwrite=overwrite,
            warn=keep,
        ) as writers:
            splitter = _Splitter(network, overlap, reader.samplerate, width)

            def write(stems: dict[str, NDArray[np.float32]]) -> None:
                writers.write({stem: stems[stem] for stem in targets})
                if progress is not None:
                    progress(writers.frames, reader.frames)

            for block in reader.blocks():
                if channels == "mix":
                    block = block.mean(axis=1, keepdims=True, dtype=np.float32)
                write(splitter.push(block))
            write(splitter.flush())
            if writers.frames != reader.delivered:
                raise DssError(
                    f"{reader.name}: stems of {writers.frames} frames from an input of "
                    f"{reader.delivered}; nothing was written"
                )
            written = writers.commit()
    seconds = written.frames / reader.samplerate
    elapsed = time.perf_counter() - started
    return FileReport(
        input=os.fspath(source),
        outputs=written.outputs,
        frames=written.frames,
        seconds=seconds,
        rate=reader.samplerate,
        channels=width,
        gain=written.gain,
        clipped=written.clipped,
        warnings=warnings,
        elapsed=elapsed,
        rtf=elapsed / seconds,
    )


class _Splitter:
    """Separate multichannel blocks of any rate; stems come late but aligned with the mixture.

    Each channel has its own separator, as each has its own memory.
    """

    def __init__(self, network: Network, overlap: float | None, rate: int, channels: int) -> None:
        inner = network.signal.sample_rate
        self._separators = [StreamingSeparator(network, overlap) for _ in range(channels)]
        self._down = Resampler(rate, inner, channels)
        self._up = (Resampler(inner, rate, channels), Resampler(inner, rate, channels))
        # Rounding at either conversion may cost a frame of the lower rate; zeros after the end
        # cover it, and what they become is dropped.
        self._padding = 0 if rate == inner else 2 * (rate // inner + 1)
        empty = np.zeros((0, channels), np.float32)
        self._mixture, self._near, self._far = empty, empty, empty

    def push(self, block: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Take (frames, channels) of the mixture, return the stems that are ready."""
        self._mixture = np.concatenate((self._mixture, block))
        self._separate(self._down.push(block))
        return self._take()

    def flush(self) -> dict[str, NDArray[np.float32]]:
        """The rest, up to the last frame of the mixture."""
        silence = np.zeros((self._padding, self._mixture.shape[1]), np.float32)
        self._separate(self._down.push(silence))
        self._separate(self._down.flush())
        self._collect([separator.flush() for separator in self._separators])
        self._near = np.concatenate((self._near, self._up[0].flush()))
        self._far = np.concatenate((self._far, self._up[1].flush()))
        return self._take()

    def _separate(self, block: NDArray[np.float32]) -> None:
        self._collect(
            [
                separator.push(np.ascontiguousarray(block[:, channel]))
                for channel, separator in enumerate(self._separators)
            ]
        )

    def _collect(self, pairs: list[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> None:
        near, far = (np.stack(stem, axis=1) for stem in zip(*pairs, strict=True))
        self._near = np.concatenate((self._near, self._up[0].push(near)))
        self._far = np.concatenate((self._far, self._up[1].push(far)))

    def _take(self) -> dict[str, NDArray[np.float32]]:
        """What mixture, near and far all have, and the residual of it."""
        ready = min(len(self._mixture), len(self._near), len(self._far))
        mixture, near, far = self._mixture[:ready], self._near[:ready], self._far[:ready]
        self._mixture = self._mixture[ready:]
        self._near, self._far = self._near[ready:], self._far[ready:]
        return {"near": near, "far": far, "residual": mixture - near - far}
