"""Separate one recording from file to stems (reader -> separators -> writers) in constant memory."""

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
from ..errors import DssError, UsageError
from ..runtime.timing import own_latency
from ..utils.descriptors import PIPE
from .documents import Documents, network_facts, speech_shares
from .listening import Context, settled_context, used_context
from .multichannel import Splitter, Stems
from .separator import DEFAULT_MODEL, load_model

if TYPE_CHECKING:
    from ..runtime.network import Network

_log = logging.getLogger(__name__)

Channels = Literal["each", "mix"]
Phase = Literal["separating", "writing"]
Progress = Callable[[Phase, int, "int | None"], None]  # frames done, total frames (None: unknown)


@dataclass(frozen=True)
class FileReport:
    """Report about one recording; `to_dict` returns it for JSON.

    Attributes:
        input: the source as given.
        outputs: path by stem.
        frames: frames of the input and of every stem.
        seconds: duration of the input.
        rate: sample rate of the input in Hz.
        channels: number of channels of the outputs.
        context: context used for each chunk: `recording`, `past` or `none`.
        latency: latency of the chosen timing in seconds; None: whole chunks.
        gain: common factor of all stems, 1.0 unless a stem would have clipped.
        clipped: samples beyond full scale before the gain.
        speech: share of the recording with speech, for near and far; None without `activity` and `page`.
        warnings: lines that were given to `warn`.
        elapsed: wall-clock seconds of the separation.
        rtf: real-time factor, elapsed / seconds.
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
    speech: dict[str, float] | None
    warnings: list[str]
    elapsed: float
    rtf: float

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain types."""
        return asdict(self)


def separate_file(
    source: str | os.PathLike[str],
    *,
    near: str | os.PathLike[str] | None = None,
    far: str | os.PathLike[str] | None = None,
    residual: str | os.PathLike[str] | None = None,
    activity: str | os.PathLike[str] | None = None,
    page: str | os.PathLike[str] | None = None,
    network: str | Path | Network = DEFAULT_MODEL,
    overlap: float | None = None,
    context: Context | None = None,
    latency: float | None = None,
    strength: float = 1.0,
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
        near: path of the near stem, '-' for standard output, None for none; the extension selects the
            format. At least one of the three stems must be requested.
        far: as `near`, for the far stem.
        residual: as `near`, for mixture - near - far, so that the three stems sum to the input.
        activity: path of a file of speech intervals from the levels of both stems (see
            `activity.ActivityMeter`): .json, .rttm, .txt (Audacity labels) or .csv; None for none.
        page: path of a listening page, one self-contained HTML file with a player; needs the extra
            `report`. None for none.
        network: model by name or by the path of a `.tflite` file, or a loaded network, which can be reused
            for any number of recordings.
        overlap: overlap of consecutive chunks, 0 to 0.5 of a chunk; None: the model's own.
        context: context for the separation of each chunk: `recording`, `past` or `none`. None: the
            recording, or the past if a latency is given or the source is a pipe, which can be read only once.
        latency: largest latency in seconds, as for a live stream: the engine takes the longest latency that
            the model offers within it. None: latency of the network, which is whole chunks by default.
        strength: amount of separation: 1 gives the stems, 0 the mixture in both, other values leave the
            share `1 - strength` of all other sound. The outputs still sum to the input; `activity` and the
            timeline of `page` use the unmixed stems.
        channels: 'each' separates every channel and keeps the layout, 'mix' averages all channels to one.
        track: number of the audio track, from 1.
        subtype: encoding of the outputs, such as 'PCM_24'; None: as the input.
        overwrite: replace existing outputs.
        strict: raise an error for damaged input instead of a warning.
        progress: called with ('separating' or 'writing', frames done, total frames or None) after each
            block; all blocks are separated first, then written.
        warn: receives each warning immediately, one line; the report lists the warnings too.

    Returns:
        Report about the recording.

    Raises:
        UsageError: the request is invalid; nothing was changed.
        DssError: the input cannot be read or an output cannot be written; no output remains.
    """
    started = time.perf_counter()
    if not 0 <= strength <= 1:
        raise UsageError(f"strength {strength}: must be between 0 and 1")
    documents = Documents({"activity": activity, "page": page}, source, overwrite)
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
            documents.begin(reader.samplerate)

            def write(estimated: Stems) -> None:
                stems = softened(estimated, strength)
                documents.push(estimated, stems)
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
            settings = network_facts(network) | _settings(decided_on, splitter.latency, strength, width)
            paths = [os.fspath(path) for path in targets.values()]
            heard, contents = documents.finish(reader, settings, warnings, keep, paths)
            written = writers.commit(partial(progress, "writing"), contents)
    seconds = written.frames / reader.samplerate
    elapsed = time.perf_counter() - started
    return FileReport(
        input=os.fspath(source),
        outputs=written.outputs | documents.names,
        frames=written.frames,
        seconds=seconds,
        rate=reader.samplerate,
        channels=width,
        context=decided_on,
        latency=splitter.latency,
        gain=written.gain,
        clipped=written.clipped,
        speech=speech_shares(heard),
        warnings=warnings,
        elapsed=elapsed,
        rtf=elapsed / seconds,
    )


def softened(stems: Stems, strength: float) -> Stems:
    """Return stems with the share `1 - strength` of all other sound; the three still sum to the mixture."""
    if strength == 1:
        return stems
    back = np.float32(1 - strength)
    near = stems.near + back * (stems.far + stems.residual)
    far = stems.far + back * (stems.near + stems.residual)
    return Stems(near, far, stems.near + stems.far + stems.residual - near - far)


def _settings(context: Context, latency: float | None, strength: float, channels: int) -> dict[str, str]:
    """Return the settings of a separation in words, for the listening page."""
    chunks = "whole chunks" if latency is None else f"latency {latency:g} s"
    softness = "" if strength == 1 else f", strength {strength:g}"
    each = "" if channels == 1 else ", each channel individually"
    return {"Separation": f"context {context}, {chunks}{softness}{each}"}


def _context(
    network: Network,
    asked: Context | None,
    latency: float | None,
    source: str | os.PathLike[str],
    warn: Callable[[str], None],
) -> Context:
    """Return the context that source and network allow; warn if it differs from the requested one."""
    explicit = asked not in (None, "none")
    asked = settled_context(asked, latency) if latency is not None else asked
    pipe = os.fspath(source) == PIPE
    if asked == "recording" and pipe:
        warn("standard input can be read only once: the context of each chunk is the past, not the recording")
    wanted: Context = "past" if pipe and asked in (None, "recording") else asked or "recording"
    used = used_context(network, wanted)
    if explicit and used == "none":
        warn("the model carries no context: each chunk is separated alone")
    return used
