"""A TFLite file's graph, read from the flatbuffer: operators, tensors, cost."""

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
    """One tensor.

    Attributes:
        shape: -1: not fixed.
        constant: its values stand in the file, or follow from such values alone.
        dtype: as in the TFLite schema, in lower case: `float32`.
        content: the bytes that the file holds of it.
        buffer: where they lie; tensors of the same content may share it.
    """

    name: str
    shape: tuple[int, ...]
    constant: bool
    dtype: str
    content: npt.NDArray[np.uint8] | None = field(repr=False, compare=False)
    buffer: int


@dataclass(frozen=True)
class Operator:
    """One operator, by its name in the TFLite schema; a custom one keeps its own name."""

    kind: str
    custom: bool
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    options: Any  # the schema's options object, or None


@dataclass(frozen=True)
class Signature:
    """What a caller sees: tensors by the names of arguments and results."""

    key: str
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


@dataclass(frozen=True)
class Graph:
    """A model's main subgraph.

    Attributes:
        signatures: those that begin in it.
        subgraphs: this one, and those of the file that no signature begins in: control flow.
        others: the graphs of the file's other signatures.
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
        """The graphs of all signatures, the main one first."""
        return (self, *self.others)


def read_graph(data: bytes) -> Graph:
    """Read the graph of a TFLite flatbuffer.

    Raises:
        ValueError: the content is no such file, or is damaged.
    """
    if data[4:8] != _IDENTIFIER:
        raise ValueError("not a TFLite file")
    try:
        return _graph(schema.ModelT.InitFromPackedBuf(data, 0))
    except Exception as error:  # nothing checks the offsets in a flatbuffer: damage shows as anything
        raise ValueError("damaged: not the graph of a TFLite file") from error


def _graph(model: Any) -> Graph:
    begun = {signature.subgraphIndex for signature in model.signatureDefs or ()} - {0}
    main = _subgraph(model, 0, len(model.subgraphs) - len(begun))
    return replace(main, others=tuple(_subgraph(model, index, 1) for index in sorted(begun)))


def _subgraph(model: Any, index: int, subgraphs: int) -> Graph:
    main = model.subgraphs[index]
    # What comes of constants alone (float16 weights, dequantised) is a constant too.
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
    """Tensors whose values stand in the file, one for each buffer."""
    seen = set()
    for tensor in graph.tensors:
        if tensor.content is not None and tensor.buffer not in seen:
            seen.add(tensor.buffer)
            yield tensor


def parameters(graph: Graph) -> int:
    """Trained numbers, as far as a file shows: a converter's own constants are left out.

    Counted are the weights of convolutions, fully connected layers and PReLUs, and what is added
    or multiplied channel by channel. Not counted are shapes and axes, single numbers, tables over
    several dimensions (a rotary embedding's), and biases of nothing but zeros, which the converter
    adds where a layer has none.
    """
    users: dict[Tensor, set[str]] = {}
    for operator in graph.operators:
        for tensor in operator.inputs:
            users.setdefault(tensor, set()).add(operator.kind)
    whole = {  # float16 weights are used as what DEQUANTIZE makes of them
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
    """Of one run: convolutions and matrix products; what is done element by element is left out.

    Raises:
        ValueError: as `operator_macs`.
    """
    return sum(map(operator_macs, graph.operators))


def operator_macs(operator: Operator) -> int:
    """Multiply-accumulates of one operator in one run; a length that is not fixed counts as 1.

    Raises:
        ValueError: it lacks a tensor that its kind must have: the file is damaged.
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
    """The signature says -1 where the shape shows a stand-in."""
    for shape in (tensor.shapeSignature, tensor.shape):
        if shape is not None and len(shape):
            return tuple(int(size) for size in shape)
    return ()


def _content(buffer: Any) -> npt.NDArray[np.uint8] | None:
    return None if buffer.data is None or not len(buffer.data) else np.asarray(buffer.data, np.uint8)
