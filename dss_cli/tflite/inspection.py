"""Inspect a TFLite file without running it: content, cost, and compatibility with GPUs."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ..errors import DssError
from ..runtime.registry import Model, load, model_path, read_model
from .gpu_rules import Violation, graph_violations
from .graph import Graph, Tensor, multiply_accumulates, operator_macs, parameters, read_graph, stored


@dataclass(frozen=True)
class Inspection:
    """Content and cost of a model file.

    Attributes:
        path: path of the file.
        bytes: size of the file.
        graph: the main graph.
        parameters: number of trained parameters.
        macs: multiply-accumulates of one run.
        violations: violations of the GPU rules (`gpu_rules`).
        model: the model with its card, None if the file has no valid card beside it.
        warnings: messages about a card that does not describe the file.
    """

    path: Path
    bytes: int
    graph: Graph
    parameters: int
    macs: int
    violations: list[Violation]
    model: Model | None
    warnings: list[str]

    @property
    def macs_per_second(self) -> int | None:
        """Multiply-accumulates per second of audio, without overlap; None without a card."""
        return None if self.model is None else round(self.macs / self.model.signal.chunk_seconds)

    @property
    def storage(self) -> dict[str, dict[str, int]]:
        """Count and bytes of the stored numbers by dtype, constants included."""
        totals: dict[str, dict[str, int]] = {}
        for tensor in stored(self.graph):
            total = totals.setdefault(tensor.dtype, {"numbers": 0, "bytes": 0})
            total["numbers"] += prod(tensor.shape)
            total["bytes"] += 0 if tensor.content is None else tensor.content.size
        return totals

    @property
    def kinds(self) -> list[tuple[str, int, int]]:
        """Kind, count and total multiply-accumulates of the operators, most frequent kind first."""
        counts: Counter[str] = Counter()
        macs: Counter[str] = Counter()
        for operator in self.graph.operators:
            counts[operator.kind] += 1
            macs[operator.kind] += operator_macs(operator)
        return [(kind, count, macs[kind]) for kind, count in counts.most_common()]

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `dss inspect --json`."""
        return {
            "path": str(self.path),
            "bytes": self.bytes,
            "signatures": [
                {
                    "key": signature.key,
                    "inputs": [_tensor(tensor, name) for name, tensor in signature.inputs.items()],
                    "outputs": [_tensor(tensor, name) for name, tensor in signature.outputs.items()],
                }
                for graph in self.graph.all
                for signature in graph.signatures
            ],
            "inputs": [_tensor(tensor) for tensor in self.graph.inputs],
            "outputs": [_tensor(tensor) for tensor in self.graph.outputs],
            "parameters": self.parameters,
            "storage": self.storage,
            "macs": self.macs,
            "macs_per_second": self.macs_per_second,
            "operators": [
                {
                    "kind": operator.kind,
                    "macs": operator_macs(operator),
                    "inputs": [_tensor(tensor) for tensor in operator.inputs],
                    "outputs": [_tensor(tensor) for tensor in operator.outputs],
                }
                for operator in self.graph.operators
            ],
            "violations": [
                {"rule": v.rule, "tensor": v.tensor, "operator": v.operator, "reason": v.reason}
                for v in self.violations
            ],
            "warnings": self.warnings,
        }


def inspect_model(name_or_path: str | os.PathLike[str]) -> Inspection:
    """Inspect a model by name, or any TFLite file by path.

    Raises:
        UsageError: there is no model of that name.
        DssError: the file cannot be read, is damaged, or is not a TFLite file.
    """
    path = model_path(name_or_path)
    data = read_model(path)
    try:
        graph = read_graph(data)
        counted = parameters(graph), multiply_accumulates(graph)
    except ValueError as error:
        raise DssError(f"{path}: {error}") from error
    model, warnings = None, []
    if path.with_suffix(".json").exists():
        try:
            model = load(path)
        except DssError as error:
            warnings.append(str(error))
    return Inspection(path, len(data), graph, *counted, graph_violations(graph), model, warnings)


def _tensor(tensor: Tensor, name: str | None = None) -> dict[str, Any]:
    return {"name": name or tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}
