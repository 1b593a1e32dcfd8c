"""`dss inspect`: content of a model file, and its compatibility with GPUs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DssError
from ..utils.tables import print_columns
from . import options
from .console import warning_line

if TYPE_CHECKING:
    from ..tflite.graph import Tensor
    from ..tflite.inspection import Inspection


def inspect(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="Model name (see `dss models`) or path of a .tflite file."),
    ],
    operators: Annotated[
        bool, typer.Option("--operators", help="List every operator with its output tensor and shape.")
    ] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Check a model file against the rules of GPU delegates, without a GPU.

    The rules allow only operators of GPU delegates on tensors of at most four dimensions, and one batch size
    in the whole graph, so no reshape. Each violation is listed. The exit code is 1 if there is a violation,
    else 0.
    """
    from ..tflite.inspection import inspect_model

    found = inspect_model(model)
    for warning in found.warnings:
        warning_line(warning)
    if as_json:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        _print(found, operators)
    if found.violations:
        number = len(found.violations)
        raise DssError(
            f"{found.path}: {number} violation{'s' * (number > 1)} of the GPU rules: "
            "no GPU delegate runs the whole graph"
        )


def _print(found: Inspection, operators: bool) -> None:
    per_second = found.macs_per_second
    rows = [("file", f"{found.path}, {found.bytes:,} bytes")]
    for signature in found.graph.signatures:
        rows.append(("signature", signature.key))
    rows += [("input", _described(tensor)) for tensor in found.graph.inputs]
    rows += [("output", _described(tensor)) for tensor in found.graph.outputs]
    rows.append(("parameters", f"{found.parameters:,}"))
    for dtype, total in found.storage.items():
        rows.append(("stored", f"{total['numbers']:,} {dtype}, {total['bytes']:,} bytes"))
    audio = "" if per_second is None else f", {per_second / 1e9:.3f} G per second of audio"
    rows.append(("MACs", f"{found.macs:,} per run{audio}"))
    print_columns(rows)
    print()
    header = ("OPERATOR", "NUMBER", "MACs")
    print_columns([header, *((kind, f"{count}", f"{macs:,}") for kind, count, macs in found.kinds)])
    if operators:
        print()
        listed = (
            (operator.kind, tensor.dtype, str(tensor.shape), tensor.name)
            for operator in found.graph.operators
            for tensor in operator.outputs
        )
        print_columns([("OPERATOR", "DTYPE", "SHAPE", "OUTPUT"), *listed])
    print()
    if not found.violations:
        print("GPU rules: kept")
        return
    print("GPU rules: broken")
    for violation in found.violations:
        print(f"  {violation}")


def _described(tensor: Tensor) -> str:
    return f"{tensor.name} {tensor.dtype} {tensor.shape}"
