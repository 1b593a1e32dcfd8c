"""`dss evaluate`: scores of models, or of stems of any tool, on test sets."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ExitCode, UsageError
from . import options
from .console import line, progress_bar, warning_line
from .engine import Engine, EngineOption, Scheduler, check_engine

if TYPE_CHECKING:
    from ..evaluation.systems import System
    from ..separation.listening import Context

_WEIGHTS = ".weights.h5"  # suffix of trained weights


def evaluate(
    test_sets: Annotated[
        list[Path] | None,
        typer.Argument(metavar="TESTSET", help="Folders made by `dss simulate-test-set`."),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="Model name, path of a .tflite file, or path of .weights.h5 (run by Keras, without "
            "--delegate and --threads); may be repeated.",
        ),
    ] = None,
    stems: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Folder of stems by any tool instead: near/ID.* and far/ID.*, or ID.near.* and ID.far.*.",
        ),
    ] = None,
    delegate: options.Delegate = options.DelegateName.auto,
    gpu_precision: options.GpuPrecision = options.PrecisionName.float32,
    threads: options.Threads = None,
    context: options.Context = None,
    latency: options.Latency = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Number of processes; the scores do not depend on it; default: 1."),
    ] = None,
    engine: EngineOption = Engine.processes,
    scheduler: Scheduler = None,
    perceptual: Annotated[
        bool, typer.Option("--perceptual", help="Also compute PESQ and STOI (needs the extra `metrics`).")
    ] = False,
    table: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the scores of every scene as CSV.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write one HTML page with charts and example scenes."),
    ] = None,
    write_card: Annotated[
        bool, typer.Option("--write-card", help="Write the summary into the card of each model.")
    ] = False,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="A B",
            help="Instead: compare two outputs of --json; exit code 1 if any stratum of B is worse "
            "by more than --tolerance, or by 1 % of the seconds in the wrong output.",
        ),
    ] = None,
    tolerance: Annotated[float, typer.Option(min=0.0, help="Tolerance of --compare in dB.")] = 0.2,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Score models on test sets, per stratum.

    Scores are the SI-SDR improvement of near and far, the residual of outputs that should be silent, swapped
    talkers, and leakage by distance, as medians with intervals and the start of the worst tenth.
    Conversations also have the share of seconds in the wrong output, and the delay until the right output.
    """
    if compare:
        if test_sets or models or stems or table or report or write_card:
            raise UsageError("--compare takes two files; it can only be combined with --tolerance and --json")
        raise typer.Exit(_compare(*compare, tolerance, as_json))
    check_engine(engine, scheduler, jobs)
    if not test_sets:
        raise UsageError("no test set given; `dss simulate-test-set` makes one")
    if write_card and stems:
        raise UsageError("--write-card is for models; --stems have no card")
    if write_card and gpu_precision is not options.PrecisionName.float32:
        raise UsageError("--write-card: scores in a card must be from float32 arithmetic")
    if write_card and any(name.endswith(_WEIGHTS) for name in models or ()):
        raise UsageError(f"--write-card is for models; `dss export` makes one of *{_WEIGHTS}")

    from ..audio.targets import check_targets
    from ..evaluation.cards import write_scores
    from ..evaluation.output import csv_text
    from ..evaluation.report import choose_examples, load_template, page
    from ..evaluation.run import evaluate as run_evaluation
    from ..evaluation.tables import run_tables, show
    from ..evaluation.testset import read_test_set
    from ..separation.listening import settled_context
    from ..separation.separator import DEFAULT_MODEL
    from ..utils.atomic_write import write_files

    if targets := {name: path for name, path in (("csv", table), ("report", report)) if path}:
        check_targets(targets, overwrite=overwrite)
    template = load_template() if report else None
    read = [read_test_set(path) for path in test_sets]
    names = models or ([] if stems else [DEFAULT_MODEL])
    systems = _systems(
        names,
        stems or [],
        delegate.value,
        threads,
        gpu_precision.value,
        settled_context(context.value if context else None, latency),
        latency,
    )
    with progress_bar(not quiet) as start:
        result = run_evaluation(
            read,
            systems,
            jobs=jobs or 1,
            scheduler=scheduler,
            perceptual=perceptual,
            start=start,
            warn=warning_line,
        )
    if as_json:
        print(json.dumps(result, indent=2, allow_nan=False))
    else:
        show(map(run_tables, result["runs"]))
    if table:
        write_files({table: csv_text(result)}, overwrite)
    if report and template:
        pairs = [(system, test_set) for system in systems for test_set in read]
        examples = [choose_examples(run, *pair) for run, pair in zip(result["runs"], pairs, strict=True)]
        write_files({report: page(template, result, examples)}, overwrite)
    if write_card:
        for name, system in zip(names, systems, strict=True):
            runs = [run for run in result["runs"] if run["system"]["name"] == system.name]
            card = write_scores(name, runs, _command(runs, system.name))
            if not quiet:
                line(f"{card}: scores written")


def _systems(
    models: list[str],
    stems: list[Path],
    delegate: str,
    threads: int | None,
    gpu_precision: str,
    context: Context,
    latency: float | None,
) -> list[System]:
    from ..evaluation.systems import ModelSystem, StemsFolder, WeightsSystem
    from ..runtime.registry import find_model

    def system(name: str) -> System:
        if name.endswith(_WEIGHTS):
            return WeightsSystem(Path(name), context=context, latency=latency)
        title = find_model(name).name
        return ModelSystem(title, name, delegate, threads, gpu_precision, context, latency)

    return [*map(system, models), *map(StemsFolder, stems)]


def _command(runs: list[dict[str, Any]], model: str) -> str:
    """Return the command line that gives these scores, without the folders of this machine."""
    names = [run["test_set"]["name"] for run in runs]
    system = runs[0]["system"]
    past = ["--context", "past"] if system.get("context") == "past" else []
    chosen = past if (latency := system.get("latency")) is None else ["--latency", f"{latency:g}"]
    return shlex.join(["dss", "evaluate", *names, "--model", model, *chosen])


def _compare(before: Path, after: Path, tolerance: float, as_json: bool) -> ExitCode:
    from ..evaluation.compare import WORSE_POINTS, compare
    from ..evaluation.tables import comparison_tables, show

    comparison = compare(before, after, tolerance)
    if as_json:
        print(json.dumps(comparison, indent=2, allow_nan=False))
    else:
        show(comparison_tables(comparison))
    if comparison["worse"]:
        line(
            f"{comparison['worse']} figures are worse by more than {tolerance:g} dB, "
            f"or {WORSE_POINTS:g} % of the seconds"
        )
        return ExitCode.FAILED
    return ExitCode.OK
