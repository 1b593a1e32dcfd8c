"""Run models with LiteRT: load a model, choose a delegate, fall back with a warning, run one chunk.

LiteRT's GPU accelerator is WebGPU, on Linux with a Vulkan adapter. If LiteRT finds no adapter, or the
GPU cannot run the whole graph, LiteRT raises an error; the fallback to the CPU is made here.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from ai_edge_litert.compiled_model import CpuOptions, GpuOptions, HardwareAccelerator, Options

from ..errors import DssError, UsageError
from .gpu_adapter import (
    NO_ADAPTER,
    REFUSED,
    adapter_name,
    in_software,
    last_line,
    note_adapter,
    plain_reason,
    short_name,
)
from .registry import Model
from .session import Session, State, diverted, shapes
from .timing import choose_timing

Floats = npt.NDArray[np.float32]

DELEGATES = ("auto", "gpu", "cpu")
GPU_PRECISIONS = ("float32", "float16")
DEFAULT_THREADS = 1  # one thread runs `lite` about 30 times faster than real time

_log = logging.getLogger(__name__)
_FLOAT16_ROUNDING = 1e-5  # relative error: float32 stays far below, float16 exceeds it


class LiteRTNetwork:
    """Model that is ready to run. Threads may share one instance: concurrent calls run one after the other.

    Args:
        model: model as returned by `registry.find_model`.
        delegate: `gpu`, `cpu` or `auto`. `auto` takes the GPU unless there is none, or the GPU cannot run the
            whole graph, or the GPU is a software renderer, which is slower than the CPU.
        threads: number of CPU threads, at least 1; the results do not depend on it.
        strict: raise an error instead of falling back to the CPU.
        verbose: print LiteRT's own messages to stderr.
        warn: receives one line if the CPU replaces a requested or existing GPU. With `auto` and without an
            adapter the line goes to the log instead. `fallback_reason` keeps the reason.
        gpu_precision: arithmetic of the GPU: `float32`, or `float16` if the driver supports it (otherwise
            `warn` receives one line).
        latency: largest latency in seconds of a stream through this network; None: latency of whole chunks.

    Attributes:
        model: the model.
        signal, overlap, timings: signal constants, overlap and shorter timings from the model card.
        latency: default latency of a stream in seconds; None: latency of whole chunks.
        asked: requested delegate: `auto`, `gpu` or `cpu`.
        used: delegate in use: `gpu` or `cpu`.
        fallback_reason: reason why the CPU replaces the GPU, else None.
        adapter: driver's name of the GPU, None if no GPU was found or tried.
        software: whether the adapter is a software renderer on the CPU.
        gpu_precision: effective precision of the GPU, determined by a trial; None on the CPU.
        threads: number of CPU threads.

    Raises:
        UsageError: the delegate or the precision is unknown, float16 is combined with the CPU, `threads` is
            less than 1, or the model offers no latency that short.
        DssError: LiteRT cannot load the file, the signature contradicts the card, or a fallback is needed
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
        latency: float | None = None,
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
        self.signal, self.overlap, self.timings = model.signal, model.overlap, model.timings
        self.latency = latency
        self.model = model
        if latency is not None:
            choose_timing(self, latency)
        session: Session | None = None
        if delegate != "cpu":
            session, self.fallback_reason = _open_on_gpu(model, delegate == "auto", gpu_precision, verbose)
            self.adapter, self.software = adapter_name(), in_software()
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
            _log.info("running on the CPU: %s", self.fallback_reason)  # no GPU was requested
        elif self.fallback_reason:
            warn(f"running on the CPU: {self.fallback_reason}")
        where = self.adapter if self.used == "gpu" else f"CPU, threads: {threads}"
        _log.info("model %s (%s): on the %s", model.name, model.path, where)

    @property
    def fully_accelerated(self) -> bool:
        """True if LiteRT reports that the delegate in use (on the CPU: XNNPACK) runs every operator."""
        return bool(self._session.compiled.is_fully_accelerated())

    def begin(self) -> State | None:
        """Return the initial state of a recording; None if the model has no context between chunks."""
        with self._session.turn:
            return State(self._session) if self._session.states else None

    def separate(
        self, mixture: Floats, state: State | None = None, update: bool = True
    ) -> tuple[Floats, Floats]:
        """Separate one chunk.

        Args:
            mixture: compressed spectrum of the chunk, float32 `[1, frames, bins, 3]`; `frames` is one of the
                model's chunk lengths.
            state: context of the recording from `begin`; None runs the chunk without context.
            update: whether to advance `state` by this chunk.

        Returns:
            Compressed spectra of near and far, float32 `[1, frames, bins, 2]` each.

        Raises:
            UsageError: the shape or dtype is wrong, or the state belongs to another model.
            DssError: LiteRT failed while running.
        """
        self._check(mixture, state, self.model.lengths)
        with self._running():
            return self._session.separate(mixture, state, update)

    def listen(self, mixture: Floats, state: State) -> None:
        """Advance `state` by one chunk without separating the chunk.

        Raises:
            UsageError, DssError: as `separate`.
        """
        self._check(mixture, state, (self.signal.frames,))
        with self._running():
            self._session.listen(mixture, state)

    def _check(self, mixture: Floats, state: State | None, lengths: Sequence[int]) -> None:
        expected = [shapes(self.signal, frames)[0] for frames in lengths]
        if mixture.shape not in expected or mixture.dtype != np.float32:
            known = " or ".join(map(str, expected))
            raise UsageError(f"a chunk is float32 of shape {known}, not {mixture.dtype} {mixture.shape}")
        if state is not None and state.session is not self._session:
            raise UsageError(f"the state belongs to another model, not to {self.model.name}: call begin()")

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Allow one call at a time, and turn LiteRT's errors into a DssError of one line."""
        with self._session.turn:
            try:
                yield
            except RuntimeError as error:
                way_out = "; `--delegate cpu` does without the GPU" if self.used == "gpu" else ""
                raise DssError(
                    f"{self.model.path}: LiteRT failed on the {self.used.upper()}: "
                    f"{last_line(str(error))}{way_out}"
                ) from error


def _open_on_gpu(
    model: Model, auto: bool, precision: str, verbose: bool
) -> tuple[Session | None, str | None]:
    """Return (session, None) for a model on the GPU, or (None, reason) if the GPU cannot run it."""
    only_float32 = GpuOptions(enforce_f32=precision == "float32")
    options = Options(HardwareAccelerator.GPU, gpu_options=only_float32)
    session, failure = None, ""
    with diverted(verbose) as lines:
        try:
            session = Session(model, options)
        except (RuntimeError, ValueError) as error:
            failure = str(error)
    note_adapter(lines)
    if session is None:
        return None, plain_reason(lines, failure)
    if not session.compiled.is_fully_accelerated():
        return None, f"{REFUSED} the whole graph"
    if auto and in_software():
        return None, (
            f"the only GPU adapter, {short_name()}, renders in software and is slower "
            "(`--delegate gpu` uses it all the same)"
        )
    return session, None


@functools.cache
def _trial_precision(verbose: bool) -> str:
    """Return the effective GPU precision when float16 is allowed.

    LiteRT uses float16 if the driver supports it (Vulkan: shaderFloat16), else float32, and reports neither.
    The probe model is exact in float32, so its rounding error shows the precision.

    Raises:
        DssError: the probe model does not run on the GPU.
    """
    from . import probe_model

    model = Model("probe", probe_model.FILE, {}, probe_model.SIGNAL)
    session, reason = _open_on_gpu(model, False, "float16", verbose)
    if session is None:
        raise DssError(f"the GPU's precision cannot be determined: {reason}; float32 needs no trial")
    third = np.full(shapes(probe_model.SIGNAL)[0], 1 / 3, np.float32)
    near, _ = session.separate(third, None)
    off = np.abs(near / (probe_model.NEAR_GAIN * third.flat[0]) - 1).max()
    return "float32" if off < _FLOAT16_ROUNDING else "float16"


def _open_on_cpu(model: Model, threads: int, verbose: bool) -> Session:
    options = Options(HardwareAccelerator.CPU, cpu_options=CpuOptions(num_threads=threads))
    with diverted(verbose):
        try:
            return Session(model, options)
        except (RuntimeError, ValueError) as error:
            raise DssError(
                f"{model.path}: not a model that LiteRT can load: {last_line(str(error))}"
            ) from error
