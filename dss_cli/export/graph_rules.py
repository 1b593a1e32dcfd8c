"""The rules that let a graph run wholly on a GPU, checked in the finished file.

The published system (Bae et al. 2025) states two: nothing but operators of the GPU delegate on
tensors of at most four dimensions, and one batch size from the input to the outputs. A RESHAPE
moves data between the batch and the other dimensions, so that none is allowed.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from .graph import Graph, Operator, Tensor, read_graph

MAX_RANK = 4
BATCH = 1

# Builtin operators of the TFLite GPU delegate (tensorflow/lite/tools/versioning,
# gpu_compatibility.cc) on float tensors; RESHAPE and what splits the batch left out on purpose.
_GPU_OPERATORS = """
ABS ADD ADD_N AVERAGE_POOL_2D BATCH_MATMUL CONCATENATION CONV_2D COS DEPTHWISE_CONV_2D
DEPTH_TO_SPACE DEQUANTIZE DIV ELU EXP FULLY_CONNECTED HARD_SWISH LEAKY_RELU LOG LOGISTIC
MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG PAD POW PRELU REDUCE_MAX REDUCE_MIN
REDUCE_PROD RELU RELU6 RELU_N1_TO_1 RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SIN SLICE
SOFTMAX SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH
TILE TRANSPOSE TRANSPOSE_CONV
"""
GPU_OPERATORS = frozenset(_GPU_OPERATORS.split())


def violations(data: bytes) -> list[str]:
    """What in a TFLite file breaks the rules: a line each, with the operator's or tensor's name.

    TensorFlow's own analyzer is asked too (`analyzer_violations`).
    """
    return [*graph_violations(data), *analyzer_violations(data)]


def graph_violations(data: bytes) -> list[str]:
    """What in the graph itself breaks the rules."""
    return list(_of_graph(read_graph(data)))


def _of_graph(graph: Graph) -> Iterator[str]:
    if graph.subgraphs != 1:
        yield f"{graph.subgraphs} subgraphs, where the GPU takes one"
    for operator in graph.operators:
        yield from _of_operator(operator)
    for tensor in graph.tensors:
        yield from _of_tensor(tensor)


def _of_operator(operator: Operator) -> Iterator[str]:
    name = operator.outputs[0].name
    if operator.custom:
        yield f"{operator.kind} ({name}): a custom operator"
    elif operator.kind not in GPU_OPERATORS:
        yield f"{operator.kind} ({name}): not an operator of the GPU"
    elif operator.kind == "STRIDED_SLICE":
        options = operator.options
        if options.ellipsisMask or options.newAxisMask or options.shrinkAxisMask:
            yield f"STRIDED_SLICE ({name}): changes the number of dimensions"


def _of_tensor(tensor: Tensor) -> Iterator[str]:
    if len(tensor.shape) > MAX_RANK:
        yield f"{tensor.name}: {len(tensor.shape)} dimensions {tensor.shape}, more than {MAX_RANK}"
    if any(size < 1 for size in tensor.shape):
        yield f"{tensor.name}: its shape {tensor.shape} is not fixed"
    elif not tensor.constant and tensor.shape[:1] != (BATCH,):
        yield f"{tensor.name}: batch size in {tensor.shape} is not {BATCH}"


def analyzer_violations(data: bytes) -> list[str]:
    """What TensorFlow's analyzer holds against the graph on a GPU.

    In version 2.21 it lets everything pass, UNIQUE and WHERE too: our own rules carry the weight.
    """
    import tensorflow as tf

    report = io.StringIO()
    with contextlib.redirect_stdout(report):
        tf.lite.experimental.Analyzer.analyze(model_content=data, gpu_compatibility=True)
    text = report.getvalue()
    if "looks compatible with GPU delegate" in text:
        return []
    warnings = [line.strip() for line in text.splitlines() if "GPU COMPATIBILITY WARNING" in line]
    return [f"TensorFlow's analyzer: {line}" for line in warnings] or [
        "TensorFlow's analyzer does not call the graph compatible with the GPU"
    ]
