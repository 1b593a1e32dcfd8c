"""Every option that two commands share, declared once. Loads nothing but Typer."""

from __future__ import annotations

import enum
from typing import Annotated

import typer


class ContextName(str, enum.Enum):
    """What a chunk is decided on."""

    recording = "recording"
    past = "past"
    none = "none"


class DelegateName(str, enum.Enum):
    """What runs the model."""

    auto = "auto"
    gpu = "gpu"
    cpu = "cpu"


class PrecisionName(str, enum.Enum):
    """What a GPU computes in."""

    float32 = "float32"
    float16 = "float16"


Model = Annotated[str, typer.Option(help="Name of a model (see `dss models`) or path of a .tflite file.")]
Delegate = Annotated[
    DelegateName,
    typer.Option(help="What runs the model; a GPU that cannot is replaced by the CPU, aloud."),
]
StrictDelegate = Annotated[
    bool, typer.Option("--strict-delegate", help="Fail where the GPU would be replaced.")
]
GpuPrecision = Annotated[
    PrecisionName,
    typer.Option(help="Arithmetic of the GPU; float16 is faster where its driver has it, and less exact."),
]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads; default: 1.")]
Overlap = Annotated[
    float | None,
    typer.Option(min=0.0, max=0.5, help="Share of a chunk faded into the next; default: the model's."),
]
Context = Annotated[
    ContextName | None,
    typer.Option(
        help="What each chunk is decided on: the recording, the past of it, or itself (none); default: the "
        "recording, of a pipe the past."
    ),
]
Latency = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        metavar="SECONDS",
        help="Keep to a latency, as of a microphone: shorter chunks, decided on the past. `dss models` lists "
        "those that a model offers; default: whole chunks.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No progress and no summary; warnings and errors stay."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more, with LiteRT's own messages.")]
Json = Annotated[bool, typer.Option("--json", help="Report as one JSON object on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="A traceback instead of a one-line error.")]
