"""Check the rules that let a graph run completely on a GPU, in the finished file.

The published system (Bae et al. 2025) states two rules: the graph uses only operators of the GPU delegate
on tensors of at most four dimensions, and the batch size is the same from the input to the outputs. A
RESHAPE may move data between the batch and the other dimensions, so it is not allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .graph import Graph, Operator, Tensor

MAX_RANK = 4
BATCH = 1
OPERATORS_RULE, BATCH_RULE = "operators", "batch"

# Builtin operators of the TFLite GPU delegate (tensorflow/lite/tools/versioning,
# gpu_compatibility.cc) on float tensors, without those that may move data into or out of the batch.
_GPU_OPERATORS = """
ABS ADD ADD_N AVERAGE_POOL_2D BATCH_MATMUL CONCATENATION CONV_2D COS DEPTHWISE_CONV_2D
DEPTH_TO_SPACE DEQUANTIZE DIV ELU EXP FULLY_CONNECTED HARD_SWISH LEAKY_RELU LOG LOGISTIC
MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG PAD POW PRELU REDUCE_MAX REDUCE_MIN
REDUCE_PROD RELU RELU6 RELU_N1_TO_1 RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SIN SLICE
SOFTMAX SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH
TILE TRANSPOSE TRANSPOSE_CONV
"""
GPU_OPERATORS = frozenset(_GPU_OPERATORS.split())
RESHAPING = frozenset(("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"))


@dataclass(frozen=True)
class Violation:
    """One violation of a rule.

    Attributes:
        rule: `operators` or `batch`.
        tensor: name of the tensor, or of the operator's first output; None if there is none.
        operator: kind of the operator; None if the tensor itself breaks the rule.
        reason: description of the violation.
    """

    rule: str
    tensor: str | None
    operator: str | None
    reason: str

    def __str__(self) -> str:
        if self.operator and self.tensor:
            return f"{self.operator} ({self.tensor}): {self.reason}"
        place = self.operator or self.tensor
        return f"{place}: {self.reason}" if place else self.reason


def graph_violations(graph: Graph) -> list[Violation]:
    """Return all violations in a graph and in the graphs of the file's other signatures."""
    return [violation for one in graph.all for violation in _of_graph(one)]


def _of_graph(graph: Graph) -> Iterator[Violation]:
    if graph.subgraphs != 1:
        yield Violation(OPERATORS_RULE, None, None, f"{graph.subgraphs} subgraphs; the GPU takes one")
    for operator in graph.operators:
        for rule, reason in _of_operator(operator):
            name = operator.outputs[0].name if operator.outputs else None
            yield Violation(rule, name, operator.kind, reason)
    for tensor in graph.tensors:
        for rule, reason in _of_tensor(tensor):
            yield Violation(rule, tensor.name, None, reason)


def _of_operator(operator: Operator) -> Iterator[tuple[str, str]]:
    if operator.custom:
        yield OPERATORS_RULE, "a custom operator"
    elif operator.kind in RESHAPING:
        yield BATCH_RULE, "may move data between the batch and other dimensions"
    elif operator.kind not in GPU_OPERATORS:
        yield OPERATORS_RULE, "not an operator of the GPU"
    elif operator.kind == "STRIDED_SLICE":
        options = operator.options
        if options.ellipsisMask or options.newAxisMask or options.shrinkAxisMask:
            yield BATCH_RULE, "changes the number of dimensions"


def _of_tensor(tensor: Tensor) -> Iterator[tuple[str, str]]:
    if len(tensor.shape) > MAX_RANK:
        yield OPERATORS_RULE, f"{len(tensor.shape)} dimensions {tensor.shape}, more than {MAX_RANK}"
    if any(size < 1 for size in tensor.shape):
        yield BATCH_RULE, f"its shape {tensor.shape} is not fixed"
    elif not tensor.constant and tensor.shape[:1] != (BATCH,):
        yield BATCH_RULE, f"batch size in {tensor.shape} is not {BATCH}"
