"""Read the graph of a TFLite file from the flatbuffer: operators, tensors, cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

_IDENTIFIER = b"TFL3"  # bytes 4 to 8 of every TFLite file
_LEARNED_BY = {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "PRELU"}


def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if not name.startswith("_")}


_OPERATORS, _TYPES = _names(schema.BuiltinOperator), _names(schema.TensorType)


@dataclass(frozen=True)
class Tensor:
    """One tensor of a graph.

    Attributes:
        name: name in the file.
        shape: sizes; -1 for a size that is not fixed.
        constant: whether its values are stored in the file, or computed from stored values alone.
        dtype: type as in the TFLite schema, in lower case, such as `float32`.
        content: stored bytes, None if there are none.
        buffer: index of the buffer with the stored bytes; tensors with equal content may share a buffer.
    """

    name: str
    shape: tuple[int, ...]
    constant: bool
    dtype: str
    content: npt.NDArray[np.uint8] | None = field(repr=False, compare=False)
    buffer: int


@dataclass(frozen=True)
class Operator:
    """One operator of a graph; `kind` is its name in the TFLite schema, or a custom operator's own name."""

    kind: str
    custom: bool
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    options: Any  # the schema's options object, or None


@dataclass(frozen=True)
class Signature:
    """Signature of a model: input and output tensors by name."""

    key: str
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


@dataclass(frozen=True)
class Graph:
    """Main subgraph of a model.

    Attributes:
        operators: operators in order of execution.
        tensors: all tensors.
        inputs, outputs: tensors at the ends of the graph.
        signatures: signatures that start in this subgraph.
        subgraphs: number of subgraphs in the file: this one and those of no signature (control flow).
        others: graphs of the file's other signatures.
    """

    operators: tuple[Operator, ...]
    tensors: tuple[Tensor, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    signatures: tuple[Signature, ...]
    subgraphs: int
    others: tuple[Graph, ...] = ()

    @property
    def all(self) -> tuple[Graph, ...]:
        """Graphs of all signatures, the main one first."""
        return (self, *self.others)


def read_graph(data: bytes) -> Graph:
    """Read the graph of a TFLite flatbuffer.

    Raises:
        ValueError: the content is not a TFLite file, or is damaged.
    """
    if data[4:8] != _IDENTIFIER:
        raise ValueError("not a TFLite file")
    try:
        return _graph(schema.ModelT.InitFromPackedBuf(data, 0))
    except Exception as error:  # offsets are not checked: damage raises any error
        raise ValueError("damaged: not the graph of a TFLite file") from error


def _graph(model: Any) -> Graph:
    begun = {signature.subgraphIndex for signature in model.signatureDefs or ()} - {0}
    main = _subgraph(model, 0, len(model.subgraphs) - len(begun))
    return replace(main, others=tuple(_subgraph(model, index, 1) for index in sorted(begun)))


def _subgraph(model: Any, index: int, subgraphs: int) -> Graph:
    main = model.subgraphs[index]
    # A tensor computed from constants alone (dequantised float16 weights) is a constant too.
    flowing = {int(i) for i in main.inputs}
    for operator in main.operators:
        if flowing.intersection(map(int, operator.inputs)):
            flowing.update(map(int, operator.outputs))
    tensors = tuple(
        Tensor(
            tensor.name.decode(),
            _shape(tensor),
            i not in flowing,
            _TYPES[tensor.type].lower(),
            _content(model.buffers[tensor.buffer]),
            tensor.buffer,
        )
        for i, tensor in enumerate(main.tensors)
    )
    operators = []
    for operator in main.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        custom = code.customCode is not None
        operators.append(
            Operator(
                code.customCode.decode() if custom else _OPERATORS[code.builtinCode],
                custom,
                tuple(tensors[i] for i in operator.inputs if i >= 0),
                tuple(tensors[i] for i in operator.outputs),
                operator.builtinOptions,
            )
        )
    signatures = tuple(
        Signature(
            signature.signatureKey.decode(),
            {end.name.decode(): tensors[end.tensorIndex] for end in signature.inputs},
            {end.name.decode(): tensors[end.tensorIndex] for end in signature.outputs},
        )
        for signature in model.signatureDefs or ()
        if signature.subgraphIndex == index
    )
    inputs, outputs = (tuple(tensors[i] for i in ends) for ends in (main.inputs, main.outputs))
    return Graph(tuple(operators), tensors, inputs, outputs, signatures, subgraphs)


def stored(graph: Graph) -> Iterator[Tensor]:
    """Yield the tensors whose values are stored in the file, one for each buffer."""
    seen = set()
    for tensor in graph.tensors:
        if tensor.content is not None and tensor.buffer not in seen:
            seen.add(tensor.buffer)
            yield tensor


def parameters(graph: Graph) -> int:
    """Return the number of trained parameters, as far as the file shows them.

    Counted are the weights of convolutions, fully connected layers and PReLUs, and vectors that are added
    or multiplied per channel. Not counted are constants of the converter: shapes and axes, single numbers,
    tables over several dimensions (such as those of a rotary embedding), and all-zero biases, which the
    converter adds to layers without a bias.
    """
    users: dict[Tensor, set[str]] = {}
    for operator in graph.operators:
        for tensor in operator.inputs:
            users.setdefault(tensor, set()).add(operator.kind)
    whole = {  # float16 weights are used through the output of DEQUANTIZE
        operator.inputs[0]: operator.outputs[0]
        for operator in graph.operators
        if operator.kind == "DEQUANTIZE"
    }
    return sum(
        prod(tensor.shape)
        for tensor in stored(graph)
        if _is_learned(tensor, users.get(whole.get(tensor, tensor), set()))
    )


def _is_learned(tensor: Tensor, users: set[str]) -> bool:
    if not tensor.dtype.startswith(("float", "bfloat", "int8", "int4")):
        return False
    vector = sum(size > 1 for size in tensor.shape) == 1
    return (vector or not _LEARNED_BY.isdisjoint(users)) and bool(np.any(tensor.content))


def multiply_accumulates(graph: Graph) -> int:
    """Return the multiply-accumulates of one run: convolutions and matrix products only.

    Raises:
        ValueError: as `operator_macs`.
    """
    return sum(map(operator_macs, graph.operators))


def operator_macs(operator: Operator) -> int:
    """Return the multiply-accumulates of one operator in one run; a size that is not fixed counts as 1.

    Element-wise operators count as 0.

    Raises:
        ValueError: the operator lacks a tensor, because the file is damaged.
    """
    try:
        return _macs(operator)
    except (IndexError, AttributeError) as error:
        raise ValueError(f"damaged: a {operator.kind} without all of its tensors") from error


def _macs(operator: Operator) -> int:
    shapes = [tuple(abs(size) for size in tensor.shape) for tensor in operator.inputs]
    output = prod(abs(size) for tensor in operator.outputs[:1] for size in tensor.shape)
    if operator.kind in ("CONV_2D", "FULLY_CONNECTED"):  # weights: (outputs, ..., inputs)
        return output * prod(shapes[1][1:])
    if operator.kind == "DEPTHWISE_CONV_2D":  # weights: (1, height, width, outputs)
        return output * prod(shapes[1][1:3])
    if operator.kind == "TRANSPOSE_CONV":  # inputs: shape, weights (outputs, ..., inputs), values
        return prod(shapes[2]) * prod(shapes[1][:-1])
    if operator.kind == "BATCH_MATMUL":
        shared = shapes[0][-2] if operator.options.adjX else shapes[0][-1]
        return output * shared
    return 0


def _shape(tensor: Any) -> tuple[int, ...]:
    """Return the shape of a tensor; its `shapeSignature` marks sizes that are not fixed by -1."""
    for shape in (tensor.shapeSignature, tensor.shape):
        if shape is not None and len(shape):
            return tuple(int(size) for size in shape)
    return ()


def _content(buffer: Any) -> npt.NDArray[np.uint8] | None:
    return None if buffer.data is None or not len(buffer.data) else np.asarray(buffer.data, np.uint8)
