"""Options shared by several commands, declared once. Imports only Typer."""

from __future__ import annotations

import enum
from typing import Annotated

import typer


class ContextName(str, enum.Enum):
    """Context of the separation of a chunk."""

    recording = "recording"
    past = "past"
    none = "none"


class DelegateName(str, enum.Enum):
    """Delegates that run a model."""

    auto = "auto"
    gpu = "gpu"
    cpu = "cpu"


class PrecisionName(str, enum.Enum):
    """Precisions of the GPU's arithmetic."""

    float32 = "float32"
    float16 = "float16"


Model = Annotated[str, typer.Option(help="Model name (see `dss models`) or path of a .tflite file.")]
Delegate = Annotated[
    DelegateName,
    typer.Option(help="Delegate for the model; if the GPU cannot run it, the CPU does, with a warning."),
]
StrictDelegate = Annotated[
    bool, typer.Option("--strict-delegate", help="Fail instead of replacing the GPU by the CPU.")
]
GpuPrecision = Annotated[
    PrecisionName,
    typer.Option(help="Arithmetic of the GPU; float16 is faster if the driver supports it, but less exact."),
]
Threads = Annotated[int | None, typer.Option(min=1, help="Number of CPU threads; default: 1.")]
Overlap = Annotated[
    float | None,
    typer.Option(
        min=0.0, max=0.5, help="Overlap of consecutive chunks, as a share of a chunk; default: as the model."
    ),
]
Context = Annotated[
    ContextName | None,
    typer.Option(
        help="Context for the separation of a chunk: the recording, the past, or none; default: recording, "
        "for a pipe past."
    ),
]
Latency = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        metavar="SECONDS",
        help="Largest latency, as for a microphone: shorter chunks with the past as context. `dss models` "
        "lists the latencies that a model offers; default: whole chunks.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print only warnings and errors, no progress and no summary."),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print more details, with LiteRT's own messages.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback instead of a one-line error.")]
