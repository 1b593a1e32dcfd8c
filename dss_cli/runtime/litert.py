"""LiteRT: load a model, choose what runs it, fall back aloud, run one chunk.

LiteRT's GPU accelerator is WebGPU, on Linux over a Vulkan adapter. Where it finds none, or the
graph is not wholly its own, LiteRT raises and leaves the choice of something else to us.
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
DEFAULT_THREADS = 1  # `lite` runs some 30 times faster than real time on one

_log = logging.getLogger(__name__)
_FLOAT16_ROUNDING = 1e-5  # relative; that of float32 lies far below, that of float16 above


class LiteRTNetwork:
    """A model that is ready to run. Safe to share: calls from several threads take turns.

    Args:
        model: as `registry.find_model` returns it.
        delegate: `gpu`; `cpu`; or `auto`, the GPU unless it is missing, does not take the whole
            graph, or is a renderer in software, which is slower than the CPU.
        threads: of the CPU, 1 or more; the results are the same whatever their number.
        strict: an error instead of a fallback to the CPU.
        verbose: let LiteRT's own lines through to stderr.
        warn: given one line when the CPU replaces a GPU that was asked for or is there; with `auto`
            and no adapter at all that line goes to the log. `fallback_reason` keeps the reason.
        gpu_precision: of the GPU's arithmetic: `float32`, or `float16` where its driver has that;
            one line to `warn` where it has not.
        latency: in seconds, of the engine that the network is given to; None is that of whole chunks.

    Attributes:
        signal, overlap, timings: of the model's card.
        latency: in seconds, that the engine keeps to unless it is told otherwise; None: that of whole chunks.
        asked, used: of `auto`, `gpu` and `cpu`, the delegate asked for and the one that runs.
        fallback_reason: why the CPU runs in the GPU's place, else None.
        adapter: the GPU as its driver names it, where one was found and tried.
        software: that adapter renders on the CPU.
        gpu_precision: what the GPU computes in, as a trial shows; None on the CPU.
        threads: of the CPU.

    Raises:
        UsageError: an unknown delegate or precision, float16 on the CPU, no threads, or a latency that the
            model does not offer.
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
        self._model = model
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
            _log.info("running on the CPU: %s", self.fallback_reason)  # nobody asked for what is not there
        elif self.fallback_reason:
            warn(f"running on the CPU: {self.fallback_reason}")
        where = self.adapter if self.used == "gpu" else f"CPU, threads: {threads}"
        _log.info("model %s (%s): on the %s", model.name, model.path, where)

    @property
    def fully_accelerated(self) -> bool:
        """Whether LiteRT says that every operator is the used delegate's (on the CPU: XNNPACK's)."""
        return bool(self._session.compiled.is_fully_accelerated())

    def begin(self) -> State | None:
        """Return a state that has heard nothing; None where the model carries no context."""
        with self._session.turn:
            return State(self._session) if self._session.states else None

    def separate(
        self, mixture: Floats, state: State | None = None, update: bool = True
    ) -> tuple[Floats, Floats]:
        """Separate one chunk: compressed float32 `[1, frames, bins, 3]` to near and far, `[..., 2]`.

        Args:
            mixture: of one chunk of one of the model's lengths.
            state: what was heard before, of `begin`; None: nothing.
            update: whether the chunk counts for later ones in `state`.

        Raises:
            UsageError: another shape or dtype, or a state of another model.
            DssError: LiteRT failed while running.
        """
        self._check(mixture, state, self._model.lengths)
        with self._running():
            return self._session.separate(mixture, state, update)

    def listen(self, mixture: Floats, state: State) -> None:
        """Let a chunk count for later ones in `state`, without separating it.

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
            raise UsageError(f"a state of another model than this {self._model.name}: begin() gives one")

    @contextmanager
    def _running(self) -> Iterator[None]:
        """One call at a time, LiteRT's errors in one line."""
        with self._session.turn:
            try:
                yield
            except RuntimeError as error:
                way_out = "; `--delegate cpu` does without the GPU" if self.used == "gpu" else ""
                raise DssError(
                    f"{self._model.name}: LiteRT failed on the {self.used.upper()}: "
                    f"{last_line(str(error))}{way_out}"
                ) from error


def _open_on_gpu(
    model: Model, auto: bool, precision: str, verbose: bool
) -> tuple[Session | None, str | None]:
    """The model on the GPU and None; or None and the reason, in plain words."""
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
    """What the GPU computes in if it is let to take float16.

    LiteRT takes it where the driver has it (Vulkan: shaderFloat16), else
    float32, and says neither: the probe model, exact in float32, tells by how it rounds.

    Raises:
        DssError: the probe model does not run there.
    """
    from . import probe_model

    model = Model("probe", probe_model.FILE, {}, probe_model.SIGNAL)
    session, reason = _open_on_gpu(model, False, "float16", verbose)
    if session is None:
        raise DssError(f"the GPU does not tell its precision: {reason}; without float16 there is no need to")
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
