"""One recording from file to stems: reader -> separators -> writers, in constant memory."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..audio import AudioReader, StemGroup
from ..errors import DssError
from ..runtime.timing import own_latency
from .listening import Context, settled_context, used_context
from .multichannel import Splitter, Stems
from .separator import DEFAULT_MODEL, load_model

if TYPE_CHECKING:
    from ..runtime.network import Network

_log = logging.getLogger(__name__)

Channels = Literal["each", "mix"]
Phase = Literal["separating", "writing"]
Progress = Callable[[Phase, int, "int | None"], None]  # frames done, frames in all (None: not known)


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
        context: what each chunk was decided on.
        latency: in seconds, that the engine kept to; None: whole chunks.
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
    context: str
    latency: float | None
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
    network: str | Path | Network = DEFAULT_MODEL,
    overlap: float | None = None,
    context: Context | None = None,
    latency: float | None = None,
    channels: Channels = "each",
    track: int = 1,
    subtype: str | None = None,
    overwrite: bool = False,
    strict: bool = False,
    progress: Progress = lambda phase, done, total: None,
    warn: Callable[[str], None] = lambda message: None,
) -> FileReport:
    """Separate one recording into files with the input's rate, channels and encoding.

    Args:
        source: path, or '-' for standard input.
        near: path of the near stem, '-' for standard output, None for none; its extension names
            the format. At least one of the three stems must be asked for.
        far: the same for the far stem.
        residual: the same for mixture - near - far, so that the three sum to the input.
        network: the model: a name, the path of a `.tflite` file, or one that is loaded already, which serves
            any number of recordings.
        overlap: of consecutive chunks, None for the engine's default.
        context: what a chunk is decided on: the `recording`, the `past`, or `none`; None is the recording, or
            the past where the source is a pipe, which passes only once, or with a latency.
        latency: in seconds, that the engine keeps to as it would with a microphone: the longest one that the
            model offers, at most this; None is that of the network, which is whole chunks.
        channels: 'each' separates every channel on its own and keeps the layout, 'mix' averages
            them to one.
        track: which audio track of the recording, from 1.
        subtype: encoding of the outputs, e.g. 'PCM_24'; None keeps the input's.
        overwrite: replace existing outputs.
        strict: damaged input raises instead of warning.
        progress: called with ('separating' or 'writing', frames done, frames in all or None) after
            each block; the stems are separated first, then written.
        warn: called with each warning at once, one line; they also stand in the report.

    Raises:
        UsageError: the request is wrong (nothing was touched).
        DssError: the input cannot be read or an output not written; no output is left.
    """
    started = time.perf_counter()
    if isinstance(network, str | Path):
        network = load_model(network, latency=latency, warn=warn)
    latency = own_latency(network) if latency is None else latency
    warnings: list[str] = []

    def keep(message: str) -> None:
        warnings.append(message)
        warn(message)

    requested = {"near": near, "far": far, "residual": residual}
    targets = {stem: target for stem, target in requested.items() if target is not None}
    with AudioReader(source, track=track, strict=strict, warn=keep) as reader:
        width = 1 if channels == "mix" else reader.channels
        _log.info(
            "%s: %s %s, %d Hz, channels: %d, frames: %s",
            *(reader.name, reader.format, reader.subtype, reader.samplerate, reader.channels),
            "not known" if reader.frames is None else reader.frames,
        )
        with StemGroup(
            targets,
            rate=reader.samplerate,
            channels=width,
            source_subtype=reader.subtype,
            frames=reader.frames,
            source=source,
            subtype=subtype,
            mask=reader.mask if width == reader.channels else None,
            overwrite=overwrite,
            warn=keep,
        ) as writers:
            decided_on = _context(network, context, latency, source, keep)
            splitter = Splitter(network, overlap, reader.samplerate, width, decided_on, latency)

            def write(stems: Stems) -> None:
                writers.write({stem: getattr(stems, stem) for stem in targets})
                progress("separating", writers.frames, reader.estimate)

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
            written = writers.commit(partial(progress, "writing"))
    seconds = written.frames / reader.samplerate
    elapsed = time.perf_counter() - started
    return FileReport(
        input=os.fspath(source),
        outputs=written.outputs,
        frames=written.frames,
        seconds=seconds,
        rate=reader.samplerate,
        channels=width,
        context=decided_on,
        latency=splitter.latency,
        gain=written.gain,
        clipped=written.clipped,
        warnings=warnings,
        elapsed=elapsed,
        rtf=elapsed / seconds,
    )


def _context(
    network: Network,
    asked: Context | None,
    latency: float | None,
    source: str | os.PathLike[str],
    warn: Callable[[str], None],
) -> Context:
    """The context that a source and a network can have; `warn` hears where that is not what was asked for."""
    explicit = asked not in (None, "none")
    asked = settled_context(asked, latency) if latency is not None else asked
    pipe = os.fspath(source) == "-"
    if asked == "recording" and pipe:
        warn("standard input passes only once: each chunk is decided on the past, not on the recording")
    wanted: Context = "past" if pipe and asked in (None, "recording") else asked or "recording"
    used = used_context(network, wanted)
    if explicit and used == "none":
        warn("the model carries no context: each chunk is decided alone")
    return used
