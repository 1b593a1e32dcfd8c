"""Sessions: a model compiled by LiteRT, its signatures and buffers, and the states of recordings."""

from __future__ import annotations

import atexit
import contextlib
import functools
import math
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.compiled_model import CompiledModel, Environment, Options
from ai_edge_litert.interpreter import Interpreter

from ..constants import STEMS, SignalConfig
from ..errors import DssError
from ..utils.captured_output import captured_stderr
from .registry import Model

Floats = npt.NDArray[np.float32]
Shape = tuple[int, ...]

# Signatures; models without states have only the first. See `separate_signature` for shorter chunks.
SEPARATE, LISTEN = "separate", "listen"
INPUT = "mixture"  # inputs: INPUT and the states; outputs: STEMS and the states


def separate_signature(frames: int, signal: SignalConfig) -> str:
    """Return the name of the signature that separates chunks of `frames` frames."""
    return SEPARATE if frames == signal.frames else f"{SEPARATE}_{frames}"


class State:
    """Context of one recording in one model: two sets of buffers, used alternately.

    The state written by one chunk stays in the delegate's buffers, where the next chunk reads it. The buffers
    belong to the length of the chunks; they are copied once when a recording continues in chunks of another
    length. A deep copy starts with the same context and is independent afterwards.

    Attributes:
        session: session of the model.
        before, after: buffers read and written by the next run, by name.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._signature = SEPARATE
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self._allocate({name: np.zeros(shape, np.float32) for name, shape in session.states.items()})

    def __deepcopy__(self, memo: dict[int, Any]) -> State:
        with self.session.turn:
            copy = State(self.session)
            copy._signature = self._signature
            copy._allocate(self._values())
        return copy

    def of(self, signature: str) -> State:
        """Return the state with its buffers for chunks of a signature."""
        if signature != self._signature:
            values = self._values()
            self._signature = signature
            self._allocate(values)
        return self

    def advance(self) -> None:
        """Swap the buffers, so that the next chunk starts with the state after the last one."""
        self.before, self.after = self.after, self.before

    def _allocate(self, values: Mapping[str, Floats]) -> None:
        create, signature = self.session.compiled, self._signature
        self.before = {name: create.create_input_buffer_by_name(signature, name) for name in values}
        self.after = {name: create.create_output_buffer_by_name(signature, name) for name in values}
        for name, value in values.items():
            self.before[name].write(value)

    def _values(self) -> dict[str, Floats]:
        return {
            name: self.before[name].read(math.prod(shape), np.float32).reshape(shape)
            for name, shape in self.session.states.items()
        }


class Session:
    """Compiled model with its buffers, which are allocated once.

    Attributes:
        compiled: LiteRT's compiled model.
        turn: lock for the use of the session by several threads.
        states: shape of each state by name; empty without context.

    Raises:
        DssError: the model's signatures or shapes contradict its card.
        RuntimeError, ValueError: LiteRT cannot load the file, or the delegate cannot run the graph.
    """

    def __init__(self, model: Model, options: Options) -> None:
        _require_flatbuffer(model.path)
        self.compiled = CompiledModel.from_file(str(model.path), environment=_environment(), options=options)
        self.states: Mapping[str, Shape] = model.state
        self.turn = threading.Lock()
        _require_interface(self.compiled, model)
        self._chunks = {n: _ChunkBuffers(self.compiled, model.signal, n) for n in model.lengths}
        self._whole = self._chunks[model.signal.frames]
        self._nothing = State(self)

    def separate(self, mixture: Floats, state: State | None, update: bool = True) -> tuple[Floats, Floats]:
        """Return near and far of a chunk, `[1, frames, bins, 2]`; `update` advances `state` by the chunk.

        The length of the chunk is one of the model's chunk lengths.
        """
        chunk = self._chunks[mixture.shape[1]]
        within = (state or self._nothing).of(chunk.signature)
        chunk.input.write(mixture)
        inputs, outputs = {INPUT: chunk.input, **within.before}, {**chunk.stems, **within.after}
        self.compiled.run_by_name(chunk.signature, inputs, outputs)
        if state and update:
            state.advance()
        near, far = (chunk.stems[name].read(math.prod(chunk.stem), np.float32) for name in STEMS)
        return near.reshape(chunk.stem), far.reshape(chunk.stem)

    def listen(self, mixture: Floats, state: State) -> None:
        """Advance `state` by one chunk without separating the chunk."""
        state.of(SEPARATE)  # the same buffers are used for listening
        self._whole.input.write(mixture)
        self.compiled.run_by_name(LISTEN, {INPUT: self._whole.input, **state.before}, state.after)
        state.advance()


class _ChunkBuffers:
    """Buffers for chunks of one length, and the name of the signature for this length."""

    def __init__(self, compiled: CompiledModel, signal: SignalConfig, frames: int) -> None:
        self.signature = separate_signature(frames, signal)
        self.input = compiled.create_input_buffer_by_name(self.signature, INPUT)
        self.stems = {name: compiled.create_output_buffer_by_name(self.signature, name) for name in STEMS}
        mixture, self.stem = shapes(signal, frames)
        self.input.write(np.zeros(mixture, np.float32))  # LiteRT prints during the first write, too


def shapes(signal: SignalConfig, frames: int | None = None) -> tuple[Shape, Shape]:
    """Return the shapes of a chunk's mixture and of its stems; `frames` None: whole chunk."""
    frames = frames or signal.frames
    return (1, frames, signal.bins, 3), (1, frames, signal.bins, 2)


def _require_flatbuffer(path: Path) -> None:
    """Check the offsets in a file with LiteRT's older interpreter: a compiled model follows them unchecked.

    Raises:
        ValueError: an offset points outside the file.
    """
    with contextlib.suppress(RuntimeError):  # an operator unknown to the interpreter
        Interpreter(model_path=str(path))


def _require_interface(compiled: Any, model: Model) -> None:
    """Raise DssError if the signatures or their shapes contradict the card."""
    signatures = compiled.get_signature_list()
    lengths = {separate_signature(frames, model.signal): frames for frames in model.lengths}
    wanted = [*lengths, *([LISTEN] if model.state else [])]
    if missing := [name for name in wanted if name not in signatures]:
        form = "(mixture, states) -> states" if missing[0] == LISTEN else "(mixture) -> near, far"
        found = ", ".join(signatures) or "none"
        raise DssError(
            f"{model.path}: no signature `{missing[0]}{form}` (it has: {found}); `dss export` writes it"
        )
    for signature in wanted:
        mixture, stem = shapes(model.signal, lengths.get(signature))
        stems = dict.fromkeys(STEMS, stem) if signature in lengths else {}
        ends = {
            "input": (compiled.get_input_tensor_details(signature), {INPUT: mixture, **model.state}),
            "output": (compiled.get_output_tensor_details(signature), {**stems, **model.state}),
        }
        for role, (details, shape_of) in ends.items():
            _require_tensors(f"{model.path}: {role}", details, shape_of)


def _require_tensors(place: str, details: Mapping[str, Any], wanted: Mapping[str, Shape]) -> None:
    if set(details) != set(wanted):
        raise DssError(f"{place}s are {', '.join(sorted(details))}, not {', '.join(sorted(wanted))}")
    for name, shape in wanted.items():
        found, dtype = tuple(details[name]["shape"]), details[name]["dtype"]
        if found != tuple(shape) or dtype != "float32":
            raise DssError(f"{place} {name} is {dtype} {found}, where its card says float32 {tuple(shape)}")


@functools.cache
def _environment() -> Environment:
    """Return LiteRT's environment, one for the whole process."""
    atexit.register(_silence)
    return Environment.create()


def _silence() -> None:
    """Silence LiteRT's messages on file descriptor 2 after the end of the Python interpreter."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)


@contextlib.contextmanager
def diverted(verbose: bool) -> Iterator[list[str]]:
    """Capture LiteRT's messages on stdout and stderr; afterwards the yielded list holds the lines."""
    try:
        with captured_stderr() as lines, _stdout_to_stderr():
            yield lines
    finally:
        if verbose:
            for line in lines:
                print(line, file=sys.stderr)


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Redirect file descriptor 1 to stderr: LiteRT prints a line to stdout, where a stem may be written."""
    try:
        original = os.dup(1)
    except OSError:  # a daemon without stdout
        yield
        return
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(original, 1)
        os.close(original)
