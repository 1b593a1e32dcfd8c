"""Run a model with an external TFLite delegate, a shared library as found on phones and boards.

LiteRT's CompiledModel accepts only its own accelerators; LiteRT's interpreter accepts any library that
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
_TAKEN = "DELEGATE"  # name of a node that replaces the operators taken by a delegate


class LibraryNetwork:
    """Model with an external delegate; the remaining operators run on TFLite's plain CPU kernels.

    XNNPACK is not used for the remaining operators: it is a delegate too, so its share could not be
    distinguished from the library's share.

    Args:
        model: model as returned by `registry.find_model`.
        library: path of the delegate.
        threads: number of CPU threads.

    Attributes:
        signal, overlap: signal constants and overlap from the model card.
        left: count of the operators that the delegate did not take, by name.
        operators: total number of operators.

    Raises:
        DssError: the library cannot be loaded, refuses the graph, or takes no operator.
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
        """Separate one chunk, as `runtime.network.Network.separate`.

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
    """Return the count of the operators that XNNPACK does not take, by name; they run on plain CPU kernels.

    CompiledModel only reports whether there are such operators; LiteRT's interpreter lists them.
    """
    with captured_stderr():
        return _left(Interpreter(str(model.path), num_threads=1))


def _left(interpreter: Interpreter) -> dict[str, int]:
    interpreter.allocate_tensors()
    outputs = (detail["index"] for detail in interpreter.get_output_details())
    return remaining(interpreter._get_ops_details(), outputs)


def remaining(nodes: Iterable[Mapping[str, Any]], outputs: Iterable[int]) -> dict[str, int]:
    """Return the count of the operators that run outside a delegate, by name.

    A delegated graph keeps the replaced nodes beside the new ones. The nodes that run are found by going back
    from the outputs; a tensor made by a delegate and by a replaced node belongs to the delegate.

    Args:
        nodes: details of the nodes by the interpreter: `op_name`, `inputs`, `outputs` (indices of tensors).
        outputs: indices of the graph's output tensors.
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
    """Load the delegate, after own checks: LiteRT's loader leaves a broken object after a failure.

    Raises:
        DssError: the file is not a library, or the library has no delegate.
    """
    try:
        found = ctypes.CDLL(str(library.resolve()))
    except OSError as error:
        reason = str(error).removeprefix(f"{library.resolve()}: ")
        raise DssError(f"{library}: the delegate library cannot be loaded: {reason}") from error
    if not hasattr(found, _ENTRY):
        raise DssError(f"{library}: not a TFLite delegate: it does not export {_ENTRY}")
    return load_delegate(str(library.resolve()))
