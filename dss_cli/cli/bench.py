"""`dss bench`: speed and cost of a model on this machine, and the delegate that does the work."""

from __future__ import annotations

import enum
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..errors import DssError, UsageError
from ..utils.tables import table_console
from . import options
from .console import line, warning_line

_IDLE_SECONDS = 5.0
_USUAL_THREADS = (1, 2, 4)


class BenchDelegate(str, enum.Enum):
    """Rows of the benchmark."""

    all = "all"
    auto = "auto"
    gpu = "gpu"
    cpu = "cpu"


def bench(
    delegate: Annotated[
        BenchDelegate,
        typer.Option(help="Rows: CPU and GPU, or one delegate. `gpu` fails without a GPU."),
    ] = BenchDelegate.all,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", help="Model name or path of a .tflite file; may be repeated."),
    ] = None,
    threads: Annotated[
        str | None,
        typer.Option(metavar="N,...", help="Numbers of CPU threads, one row each; default: 1,2,4 or fewer."),
    ] = None,
    duration: Annotated[float, typer.Option(min=1.0, max=3600.0, help="Seconds of audio per run.")] = 60.0,
    repeat: Annotated[int, typer.Option(min=1, max=1000, help="Runs of each row.")] = 5,
    delegate_library: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="External TFLite delegate (.so) for an additional row."),
    ] = None,
    gpu_precision: options.GpuPrecision = options.PrecisionName.float32,
    tdp: Annotated[
        float | None,
        typer.Option(metavar="WATTS", min=0.1, help="Without a meter, estimate energy as CPU time x WATTS."),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Show where the time goes, by one more run of each row.")
    ] = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Measure a live signal instead, with another core idle, half busy and nearly busy, "
            "for --duration seconds each.",
        ),
    ] = False,
    latency: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="SECONDS",
            help="With --live: the longest latency of the model within SECONDS; default: each latency.",
        ),
    ] = None,
    busy: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT,...",
            help="With --live: loads of the other core, one row each; default: 0,50,90.",
        ),
    ] = None,
    table: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write one CSV line per row; '-' for stdout.")
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Measure real-time factor, latency, memory and energy, and show which delegate did the work.

    Each run separates a synthetic recording in a separate process. All rows are warmed up, then their runs
    are interleaved. A fallback to the CPU is never reported as a GPU. Figures that cannot be measured are
    listed with the reason.
    """
    if live:
        if table or profile or delegate_library or tdp or threads:
            raise UsageError(
                "--live allows only --model, --delegate, --duration, --latency, --busy and --json"
            )
        loads = None if busy is None else [n / 100 for n in _numbers("--busy", busy, 0, 99)]
        _live(models or [], delegate, duration, latency, loads, as_json, quiet)
        return
    if latency is not None or busy is not None:
        raise UsageError("--latency and --busy require --live")
    if as_json and table == "-":
        raise UsageError("--json and '--csv -' would both write to standard output")

    from ..audio.targets import check_targets
    from ..benchmark.run import benchmark
    from ..benchmark.sheet import sheet_text
    from ..benchmark.tables import print_results
    from ..separation.separator import DEFAULT_MODEL
    from ..utils.atomic_write import write_files
    from ..utils.machine import processors

    file = Path(table) if table not in (None, "-") else None
    if file:
        check_targets({"csv": file}, overwrite=overwrite)
    counts = (
        _numbers("--threads", threads, 1)
        if threads
        else [n for n in _USUAL_THREADS if n == 1 or n <= processors()]
    )
    result = benchmark(
        list(dict.fromkeys(models or [DEFAULT_MODEL])),
        delegate.value,
        counts,
        library=delegate_library,
        gpu_precision=gpu_precision.value,
        duration=duration,
        repeat=repeat,
        idle_seconds=_IDLE_SECONDS,
        tdp=tdp,
        profile=profile,
        tell=(lambda message: None) if quiet else line,
        warn=warning_line,
    )
    if file:
        write_files({file: sheet_text(result)}, overwrite)
    if as_json:
        print(json.dumps(result, indent=2, allow_nan=False))
    elif table == "-":
        sys.stdout.write(sheet_text(result))
    else:
        print_results(result, table_console())


def _live(
    models: list[str],
    delegate: BenchDelegate,
    duration: float,
    latency: float | None,
    loads: Sequence[float] | None,
    as_json: bool,
    quiet: bool,
) -> None:
    from ..benchmark.live import live_table, measure_live
    from ..separation.separator import DEFAULT_MODEL
    from ..utils.machine import describe_machine
    from ..utils.tables import print_columns

    machine = describe_machine()
    tell = (lambda message: None) if quiet else line
    delegates = ["cpu", "gpu"] if delegate is BenchDelegate.all else [delegate.value]
    results = []
    for model in dict.fromkeys(models or [DEFAULT_MODEL]):
        for one in delegates:
            try:
                results.append(
                    measure_live(
                        model, [one], duration, latency=latency, loads=loads, tell=tell, warn=warning_line
                    )
                )
            except DssError as error:
                if len(delegates) == 1 or one != "gpu":
                    raise
                warning_line(f"no row for the GPU: {error}")
    if as_json:
        print(json.dumps({"live": results, "machine": machine}, indent=2, allow_nan=False))
        return
    for result in results:
        print_columns(live_table(result))


def _numbers(option: str, text: str, least: int, most: int | None = None) -> list[int]:
    """Return the numbers in a text such as `1,2,4`, without duplicates.

    Raises:
        UsageError: the text is not a list of whole numbers from `least` to `most`.
    """
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = [least - 1]
    if min(counts) < least or (most is not None and max(counts) > most):
        limits = f"from {least} on" if most is None else f"from {least} to {most}"
        raise UsageError(f"{option} {text}: whole numbers {limits}, separated by commas, are needed")
    return list(dict.fromkeys(counts))
