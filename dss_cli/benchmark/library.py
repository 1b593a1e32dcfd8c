"""A model run by an external TFLite delegate, as phones and boards have them: a shared library.

LiteRT's CompiledModel takes its own accelerators alone; its interpreter takes any library that
exports `tflite_plugin_create_delegate`.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType, load_delegate

from ..constants import STEMS
from ..errors import DssError
from ..runtime.registry import Model
from ..runtime.session import INPUT, SEPARATE
from ..utils.captured_output import captured_stderr

Floats = npt.NDArray[np.float32]

_ENTRY = "tflite_plugin_create_delegate"
_TAKEN = "DELEGATE"  # the name of a node that stands for what a delegate took


class LibraryNetwork:
    """A model with an external delegate; what it leaves runs on TFLite's plain CPU kernels.

    Not on XNNPACK, which is a delegate itself: its share could not be told from the library's.

    Args:
        model: as `registry.find_model` returns it.
        library: path of the delegate.
        threads: of the CPU.

    Attributes:
        signal, overlap: of the model's card.
        left: ops of the graph that the delegate did not take, each with its number.
        operators: ops of the graph, in all.

    Raises:
        DssError: the library cannot be loaded, refuses the graph, or takes none of it.
    """

    def __init__(self, model: Model, library: Path, threads: int) -> None:
        self.signal, self.overlap = model.signal, model.overlap
        self._model = model
        with captured_stderr() as said:
            try:
                self._interpreter = Interpreter(
                    str(model.path),
                    experimental_delegates=[_loaded(library)],
                    experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                    num_threads=threads,
                )
                self.left = _left(self._interpreter)
                self._run = self._interpreter.get_signature_runner(SEPARATE)
            except (RuntimeError, ValueError) as error:
                failure = str(error)
            else:
                failure = ""
        if failure:
            why = " ".join(failure.split()) or next(iter(said), "no reason was given")
            raise DssError(f"{library}: cannot run {model.name}: {why}")
        self.operators = sum(node["op_name"] != _TAKEN for node in self._interpreter._get_ops_details())
        if sum(self.left.values()) == self.operators:
            raise DssError(f"{library}: takes none of the {self.operators} ops of {model.name}")

    def separate(self, mixture: Floats) -> tuple[Floats, Floats]:
        """One chunk, as `litert.Network` has it.

        Raises:
            DssError: the delegate failed while running.
        """
        try:
            stems = self._run(**{INPUT: mixture})
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise DssError(f"{self._model.name}: the delegate failed: {reason}") from error
        near, far = (stems[name] for name in STEMS)
        return near, far


def left_by_xnnpack(model: Model) -> dict[str, int]:
    """Ops that the CPU runs on TFLite's plain kernels because XNNPACK does not take them, counted.

    CompiledModel says whether there are any, LiteRT's interpreter which.
    """
    with captured_stderr():
        return _left(Interpreter(str(model.path), num_threads=1))


def _left(interpreter: Interpreter) -> dict[str, int]:
    interpreter.allocate_tensors()
    outputs = (detail["index"] for detail in interpreter.get_output_details())
    return remaining(interpreter._get_ops_details(), outputs)


def remaining(nodes: Iterable[Mapping[str, Any]], outputs: Iterable[int]) -> dict[str, int]:
    """Ops that still run by themselves, counted by name.

    A delegated graph keeps its old nodes beside the new ones; those are run that the outputs need,
    where a tensor comes from a delegate if one makes it.

    Args:
        nodes: as the interpreter details them: `op_name`, `inputs`, `outputs` (tensors).
        outputs: tensors of the graph's outputs.
    """
    source: dict[int, Mapping[str, Any]] = {}
    for node in nodes:
        for made in node["outputs"]:
            if made not in source or node["op_name"] == _TAKEN:
                source[int(made)] = node
    wanted, reached = [int(one) for one in outputs], {}
    while wanted:
        maker = source.get(wanted.pop())
        if maker is not None and id(maker) not in reached:
            reached[id(maker)] = maker["op_name"]
            wanted += map(int, maker["inputs"])
    counts = Counter(name for name in reached.values() if name != _TAKEN)
    return dict(sorted(counts.items()))


def _loaded(library: Path) -> Any:
    """The delegate. LiteRT's loader leaves a half-made object that complains when it is deleted.

    Raises:
        DssError: no library, or no delegate in it.
    """
    try:
        found = ctypes.CDLL(str(library.resolve()))
    except OSError as error:
        reason = str(error).removeprefix(f"{library.resolve()}: ")
        raise DssError(f"{library}: the delegate library cannot be loaded: {reason}") from error
    if not hasattr(found, _ENTRY):
        raise DssError(f"{library}: no TFLite delegate: it does not export {_ENTRY}")
    return load_delegate(str(library.resolve()))
