"""A TFLite file's graph, read from the flatbuffer: operators, tensors, cost."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from ai_edge_litert import schema_py_generated as schema

_OPERATORS = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}


@dataclass(frozen=True)
class Tensor:
    """One tensor; `constant`: its values stand in the file, or follow from such values alone."""

    name: str
    shape: tuple[int, ...]  # -1: not fixed
    constant: bool


@dataclass(frozen=True)
class Operator:
    """One operator, by its name in the TFLite schema; a custom one keeps its own name."""

    kind: str
    custom: bool
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    options: Any  # the schema's options object, or None


@dataclass(frozen=True)
class Graph:
    """A model's main subgraph; `subgraphs` counts all of them."""

    operators: tuple[Operator, ...]
    tensors: tuple[Tensor, ...]
    subgraphs: int


def read_graph(data: bytes) -> Graph:
    """Read the graph of a valid TFLite flatbuffer."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    main = model.subgraphs[0]
    # What comes of constants alone (float16 weights, dequantised) is a constant too.
    flowing = {int(i) for i in main.inputs}
    for operator in main.operators:
        if flowing.intersection(map(int, operator.inputs)):
            flowing.update(map(int, operator.outputs))
    tensors = tuple(Tensor(t.name.decode(), _shape(t), i not in flowing) for i, t in enumerate(main.tensors))
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
    return Graph(tuple(operators), tensors, len(model.subgraphs))


def multiply_accumulates(graph: Graph) -> int:
    """Of one run: convolutions and matrix products; what is done element by element is left out."""
    return sum(map(_multiply_accumulates, graph.operators))


def _multiply_accumulates(operator: Operator) -> int:
    shapes = [tensor.shape for tensor in operator.inputs]
    output = prod(operator.outputs[0].shape)
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
