"""What a TFLite file holds and costs, and whether a GPU would take all of it: without any GPU."""

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
    """A model file, read but not run.

    Attributes:
        bytes: size of the file.
        violations: of the rules of the GPU (`gpu_rules`).
        model: the file with its card, where one lies beside it and describes it.
        warnings: a card that lies beside the file and does not describe it.
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
        """Stored numbers and their bytes by dtype, trained ones and constants together."""
        totals: dict[str, dict[str, int]] = {}
        for tensor in stored(self.graph):
            total = totals.setdefault(tensor.dtype, {"numbers": 0, "bytes": 0})
            total["numbers"] += prod(tensor.shape)
            total["bytes"] += 0 if tensor.content is None else tensor.content.size
        return totals

    @property
    def kinds(self) -> list[tuple[str, int, int]]:
        """Kinds of operators, how many of each there are and their multiply-accumulates in all."""
        counts: Counter[str] = Counter()
        macs: Counter[str] = Counter()
        for operator in self.graph.operators:
            counts[operator.kind] += 1
            macs[operator.kind] += operator_macs(operator)
        return [(kind, count, macs[kind]) for kind, count in counts.most_common()]

    def to_dict(self) -> dict[str, Any]:
        """As it stands in `--json`."""
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
    """Read the model of that name, or any TFLite file.

    Raises:
        UsageError: no model of that name.
        DssError: the file cannot be read, is damaged, or is no TFLite file.
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
