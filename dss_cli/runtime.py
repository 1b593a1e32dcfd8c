"""LiteRT: load a model, choose what runs it, fall back aloud, run one chunk.

LiteRT's GPU accelerator is WebGPU, on Linux over a Vulkan adapter. Where it finds none, or the
graph is not wholly its own, LiteRT raises and leaves the choice of something else to us.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import math
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from ai_edge_litert.compiled_model import (
    CompiledModel,
    CpuOptions,
    Environment,
    GpuOptions,
    HardwareAccelerator,
    Options,
)
from ai_edge_litert.interpreter import Interpreter

from .errors import DssError, UsageError
from .quiet import captured_stderr
from .signal import STEMS, SignalConfig
from .store import Model

Floats = npt.NDArray[np.float32]

DELEGATES = ("auto", "gpu", "cpu")
GPU_PRECISIONS = ("float32", "float16")
DEFAULT_THREADS = 1  # `lite` runs some 30 times faster than real time on one
NO_ADAPTER = "no GPU adapter was found"
REFUSED = "the GPU does not take"  # so begins a reason that lies in the graph
SIGNATURE, INPUT = "separate", "mixture"  # its results are named as STEMS

_log = logging.getLogger(__name__)
_ADAPTER = re.compile(
    r"Selected adapter: (?P<name>.+?), arch=.*backend=(?P<backend>.+?), adapterType=(?P<kind>.+)"
)
_FLOAT16_ROUNDING = 1e-5  # relative; that of float32 lies far below, that of float16 above
_UNSUPPORTED = "operations are not supported by GPU delegate"
_SOURCE = re.compile(r"^(ERROR: |E\d{4} .*?\] )(\[[^\]]*\]\s*)?")
_adapter: re.Match[str] | None = None  # LiteRT names it once per process


class Network(Protocol):
    """What the streaming engine needs of a model."""

    @property
    def signal(self) -> SignalConfig:
        """The constants of the spectra that it takes."""

    @property
    def overlap(self) -> float:
        """Share of a chunk that is best faded into the next, 0 to 0.5."""

    def separate(self, mixture: Floats) -> tuple[Floats, Floats]:
        """One chunk: compressed float32 `[1, frames, bins, 3]` to near and far, `[..., 2]`."""


class LiteRTNetwork:
    """A model that is ready to run. Safe to share: calls from several threads take turns.

    Args:
        model: as `store.find_model` returns it.
        delegate: `gpu`; `cpu`; or `auto`, the GPU unless it is missing, does not take the whole
            graph, or is a renderer in software, which is slower than the CPU.
        threads: of the CPU, 1 or more; the results are the same whatever their number.
        strict: an error instead of a fallback to the CPU.
        verbose: let LiteRT's own lines through to stderr.
        warn: given one line when the CPU replaces a GPU that was asked for or is there; with `auto`
            and no adapter at all that line goes to the log. `fallback_reason` keeps the reason.
        gpu_precision: of the GPU's arithmetic: `float32`, or `float16` where its driver has that;
            one line to `warn` where it has not.

    Attributes:
        signal, overlap: of the model's card.
        asked, used: of `auto`, `gpu` and `cpu`, the delegate asked for and the one that runs.
        fallback_reason: why the CPU runs in the GPU's place, else None.
        adapter: the GPU as its driver names it, where one was found and tried.
        software: that adapter renders on the CPU.
        gpu_precision: what the GPU computes in, as a trial shows; None on the CPU.
        threads: of the CPU.

    Raises:
        UsageError: an unknown delegate or precision, float16 on the CPU, or no threads.
        DssError: LiteRT cannot load the file, its signature is not the card's, or a fallback
            under `strict`.
    """

    def __init__(
        self,
        model: Model,
        delegate: str = "auto",
        threads: int = DEFAULT_THREADS,
        strict: bool = False,
        verbose: bool = False,
        warn: Callable[[str], None] = lambda message: None,
        gpu_precision: str = "float32",
    ) -> None:
        if delegate not in DELEGATES:
            raise UsageError(f"unknown delegate {delegate!r}: choose auto, gpu or cpu")
        if gpu_precision not in GPU_PRECISIONS:
            raise UsageError(f"unknown precision {gpu_precision!r}: choose float32 or float16")
        if delegate == "cpu" and gpu_precision != "float32":
            raise UsageError(f"{gpu_precision} arithmetic is the GPU's: the delegate cannot be cpu")
        if threads < 1:
            raise UsageError(f"threads={threads!r}: at least 1 is needed")
        self.asked, self.used = delegate, "cpu"
        self.threads = threads
        self.fallback_reason: str | None = None
        self.adapter: str | None = None
        self.software = False
        self.gpu_precision: str | None = None
        self.signal, self.overlap = model.signal, model.overlap
        self._model = model
        self._turn = threading.Lock()
        session: _Session | None = None
        if delegate != "cpu":
            session, self.fallback_reason = _open_on_gpu(model, delegate == "auto", gpu_precision, verbose)
            self.adapter, self.software = _adapter_name(), _in_software()
        if session is None:
            session = _open_on_cpu(model, threads, verbose)
        else:
            self.used = "gpu"
            self.gpu_precision = "float32" if gpu_precision == "float32" else _trial_precision(verbose)
            if self.gpu_precision != gpu_precision:
                warn(f"{self.adapter} computes in {self.gpu_precision}: it has no {gpu_precision} arithmetic")
        self._session = session
        if self.fallback_reason and strict:
            raise DssError(
                f"the GPU cannot run {model.name}: {self.fallback_reason}; "
                "`--delegate cpu`, or no --strict-delegate, runs it on the CPU"
            )
        if delegate == "auto" and self.fallback_reason == NO_ADAPTER:
            _log.info("running on the CPU: %s", self.fallback_reason)  # nobody asked for what is not there
        elif self.fallback_reason:
            warn(f"running on the CPU: {self.fallback_reason}")
        where = self.adapter if self.used == "gpu" else f"CPU, threads: {threads}"
        _log.info("model %s (%s): on the %s", model.name, model.path, where)

    @property
    def fully_accelerated(self) -> bool:
        """Whether LiteRT says that every operator is the used delegate's (on the CPU: XNNPACK's)."""
        return bool(self._session.compiled.is_fully_accelerated())

    def separate(self, mixture: Floats) -> tuple[Floats, Floats]:
        """One chunk: compressed float32 `[1, frames, bins, 3]` to near and far, `[..., 2]`.

        Raises:
            UsageError: another shape or dtype.
            DssError: LiteRT failed while running.
        """
        expected, result = _shapes(self.signal)
        if mixture.shape != expected or mixture.dtype != np.float32:
            raise UsageError(f"a chunk is float32 of shape {expected}, not {mixture.dtype} {mixture.shape}")
        with self._turn:
            try:
                near, far = (stem.reshape(result) for stem in self._session.run(mixture))
            except RuntimeError as error:
                way_out = "; `--delegate cpu` does without the GPU" if self.used == "gpu" else ""
                raise DssError(
                    f"{self._model.name}: LiteRT failed on the {self.used.upper()}: "
                    f"{_last_line(str(error))}{way_out}"
                ) from error
        return near, far


class _Session:
    """A compiled model and its buffers, allocated once.

    Raises:
        DssError: the model's signature or shapes are not those of its card.
        RuntimeError, ValueError: LiteRT does not like the file, or the delegate the graph.
    """

    def __init__(self, model: Model, options: Options) -> None:
        _require_flatbuffer(model.path)
        self.compiled = CompiledModel.from_file(str(model.path), environment=_environment(), options=options)
        _require_interface(self.compiled, model)
        self._input = self.compiled.create_input_buffer_by_name(SIGNATURE, INPUT)
        self._outputs = {name: self.compiled.create_output_buffer_by_name(SIGNATURE, name) for name in STEMS}
        mixture, stem = _shapes(model.signal)
        self._size = math.prod(stem)
        self._input.write(np.zeros(mixture, np.float32))  # the first time, LiteRT prints here too

    def run(self, mixture: Floats) -> list[Floats]:
        """Near and far, flat."""
        self._input.write(mixture)
        self.compiled.run_by_name(SIGNATURE, {INPUT: self._input}, self._outputs)
        return [self._outputs[name].read(self._size, np.float32) for name in STEMS]


def _open_on_gpu(
    model: Model, auto: bool, precision: str, verbose: bool
) -> tuple[_Session | None, str | None]:
    """The model on the GPU and None; or None and the reason, in plain words."""
    global _adapter
    only_float32 = GpuOptions(enforce_f32=precision == "float32")
    options = Options(HardwareAccelerator.GPU, gpu_options=only_float32)
    session, failure = None, ""
    with _diverted(verbose) as lines:
        try:
            session = _Session(model, options)
        except (RuntimeError, ValueError) as error:
            failure = str(error)
    _adapter = next(filter(None, map(_ADAPTER.search, lines)), _adapter)
    if session is None:
        return None, plain_reason(lines, failure)
    if not session.compiled.is_fully_accelerated():
        return None, f"{REFUSED} the whole graph"
    if auto and _adapter is not None and _in_software():
        return None, (
            f"the only GPU adapter, {_adapter['name']}, renders in software and is slower "
            "(`--delegate gpu` uses it all the same)"
        )
    return session, None


@functools.cache
def _trial_precision(verbose: bool) -> str:
    """What the GPU computes in if it is let to take float16.

    LiteRT takes it where the driver has it (Vulkan: shaderFloat16), else
    float32, and says neither: the tiny model, exact in float32, tells by how it rounds.

    Raises:
        DssError: the tiny model does not run there.
    """
    from . import tiny

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.tflite"
        path.write_bytes(tiny.pack(tiny.graph()))
        session, reason = _open_on_gpu(Model("tiny", path, {}, tiny.SIGNAL), False, "float16", verbose)
    if session is None:
        raise DssError(f"the GPU does not tell its precision: {reason}; without float16 there is no need to")
    third = np.full(_shapes(tiny.SIGNAL)[0], 1 / 3, np.float32)
    near, _ = session.run(third)
    off = np.abs(near / (tiny.NEAR_GAIN * third.flat[0]) - 1).max()  # float16: 2.4e-4, the rounding of 1/3
    return "float32" if off < _FLOAT16_ROUNDING else "float16"


def _open_on_cpu(model: Model, threads: int, verbose: bool) -> _Session:
    options = Options(HardwareAccelerator.CPU, cpu_options=CpuOptions(num_threads=threads))
    with _diverted(verbose):
        try:
            return _Session(model, options)
        except (RuntimeError, ValueError) as error:
            raise DssError(
                f"{model.path}: not a model that LiteRT can load: {_last_line(str(error))}"
            ) from error


def _require_flatbuffer(path: Path) -> None:
    """Have the older runtime look at the offsets in a file: a compiled model follows them blindly.

    Raises:
        ValueError: they lead out of the file.
    """
    with contextlib.suppress(RuntimeError):  # an operator that it does not know
        Interpreter(model_path=str(path))


def _require_interface(compiled: Any, model: Model) -> None:
    """The signature, and the shapes that follow from the card.

    Raises:
        DssError: anything else; the message names it.
    """
    signatures = compiled.get_signature_list()
    if SIGNATURE not in signatures:
        found = ", ".join(signatures) or "none"
        raise DssError(
            f"{model.path}: no signature `separate(mixture) -> near, far` (it has: {found}); "
            "`dss export` writes it"
        )
    expected, result = _shapes(model.signal)
    tensors = {
        "input": (compiled.get_input_tensor_details(SIGNATURE), {INPUT: expected}),
        "output": (compiled.get_output_tensor_details(SIGNATURE), dict.fromkeys(STEMS, result)),
    }
    for role, (details, wanted) in tensors.items():
        if set(details) != set(wanted):
            raise DssError(
                f"{model.path}: {role}s are {', '.join(sorted(details))}, not {', '.join(sorted(wanted))}"
            )
        for name, shape in wanted.items():
            found_shape, dtype = tuple(details[name]["shape"]), details[name]["dtype"]
            if found_shape != shape or dtype != "float32":
                raise DssError(
                    f"{model.path}: {role} {name} is {dtype} {found_shape}, "
                    f"where the signal constants of its card say float32 {shape}"
                )


def _shapes(signal: SignalConfig) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of the mixture and of each stem."""
    return (1, signal.frames, signal.bins, 3), (1, signal.frames, signal.bins, 2)


def plain_reason(lines: list[str], failure: str) -> str:
    """Why the GPU was refused, in one plain line, from what LiteRT printed and raised."""
    text = "\n".join(lines)
    if "No adapters found" in text or "No supported adapters" in text:
        return NO_ADAPTER
    if _UNSUPPORTED in text:
        start = next(i for i, line in enumerate(lines) if _UNSUPPORTED in line)
        named = (re.match(r"([A-Z][A-Z0-9_]*): ", line) for line in lines[start + 1 :])
        operators = sorted({match[1] for match in named if match})
        return f"{REFUSED} {', '.join(operators) or 'every operator of the graph'}"
    errors = [_SOURCE.sub("", line).strip() for line in lines if _SOURCE.match(line)]
    return next(filter(None, reversed(errors)), _last_line(failure))


def _last_line(failure: str) -> str:
    """Of an error that LiteRT raised: its last line that is more than a place in the source."""
    lines = [_SOURCE.sub("", line.strip("└ ")).strip() for line in failure.splitlines()]
    return next(filter(None, reversed(lines)), "no reason was given")


def _adapter_name() -> str | None:
    return _adapter and f"{_adapter['name']} ({_adapter['backend']}, {_adapter['kind'].strip()})"


def _in_software() -> bool:
    return _adapter is not None and _adapter["kind"].startswith("CPU")


@functools.cache
def _environment() -> Environment:
    """LiteRT's environment: one for the whole process."""
    atexit.register(_silence)
    return Environment.create()


def _silence() -> None:
    """LiteRT says goodbye on file descriptor 2, after the interpreter's last word."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)


@contextlib.contextmanager
def _diverted(verbose: bool) -> Iterator[list[str]]:
    """Keep what LiteRT prints on either standard descriptor; the lines are there afterwards."""
    try:
        with captured_stderr() as lines, _stdout_to_stderr():
            yield lines
    finally:
        if verbose:
            for line in lines:
                print(line, file=sys.stderr)


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """One of its lines goes to file descriptor 1, where a stem may be on its way into a pipe."""
    try:
        original = os.dup(1)
    except OSError:  # a daemon without a stdout
        yield
        return
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(original, 1)
        os.close(original)
