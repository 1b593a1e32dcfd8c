"""`dss separate`: recordings in, near and far stems out."""

from __future__ import annotations

import enum
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from .._version import __version__
from ..batch import PIPE, plan
from ..console import error_line, line, log_lines, progress_bar, warning_line
from ..errors import DssError, ExitCode, UsageError

if TYPE_CHECKING:
    from ..batch import Job
    from ..console import Start, Step
    from ..files import Phase, Progress
    from ..runtime import LiteRTNetwork


class Channels(str, enum.Enum):
    """What becomes of several channels."""

    each = "each"
    mix = "mix"


def separate(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="Recordings, folders, or '-' for standard input."),
    ],
    near: Annotated[
        str | None, typer.Option(metavar="FILE", help="Where the near stem goes; '-' for stdout.")
    ] = None,
    far: Annotated[
        str | None, typer.Option(metavar="FILE", help="Where the far stem goes; '-' for stdout.")
    ] = None,
    residual: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Where to put mixture - near - far, in addition."),
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", "-o", help="Folder of the stems; default: the current one."),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(metavar="EXT", help="Format of the stems, as wav; default: the input's."),
    ] = None,
    subtype: Annotated[
        str | None,
        typer.Option(help="Encoding of the stems, as PCM_24; default: the input's."),
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Work through folders, mirroring their tree.")
    ] = False,
    overwrite: options.Overwrite = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out recordings whose outputs all exist.")
    ] = False,
    channels: Annotated[
        Channels, typer.Option(help="Separate each channel on its own, or their mix.")
    ] = Channels.each,
    track: Annotated[
        int, typer.Option(min=1, metavar="N", help="Audio track of a file that has several, as videos may.")
    ] = 1,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse damaged input instead of warning.")
    ] = False,
    model: options.Model = "lite",
    delegate: options.Delegate = options.DelegateName.auto,
    strict_delegate: options.StrictDelegate = False,
    gpu_precision: options.GpuPrecision = options.PrecisionName.float32,
    threads: options.Threads = None,
    overlap: options.Overlap = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Separate recordings into the near and the far talkers.

    Without --near and --far, NAME.EXT becomes NAME.near.EXT and NAME.far.EXT. With one of them,
    that stem alone is written. The stems keep the input's rate, channels and encoding.
    """
    from ..separator import load_model

    named = {
        stem: path
        for stem, path in (("near", near), ("far", far), ("residual", residual))
        if path is not None
    }
    if as_json and PIPE in named.values():
        raise UsageError("--json and '-' as an output would both write to standard output")
    log_lines(verbose)
    planned = plan(
        inputs,
        named,
        output_dir=output_dir,
        extension=format,
        recursive=recursive,
        overwrite=overwrite,
        skip_existing=skip_existing,
    )
    notes: list[str] = []

    def warn(message: str) -> None:
        notes.append(message)
        warning_line(message)

    for note in planned.notes:
        warn(note)
    network = load_model(
        model,
        delegate.value,
        threads,
        strict_delegate=strict_delegate,
        verbose=verbose,
        gpu_precision=gpu_precision.value,
        warn=warn,
    )
    arguments: dict[str, Any] = {
        "overlap": overlap,
        "channels": channels.value,
        "track": track,
        "subtype": subtype,
        "overwrite": overwrite,
        "strict": strict,
    }
    alone = len(planned.jobs) == 1
    started = time.perf_counter()
    status = ExitCode.OK
    entries = []
    with progress_bar(shown=not quiet) as start:
        for number, job in enumerate(planned.jobs, start=1):
            count = "" if alone else f"[{number}/{len(planned.jobs)}] "
            bars = _bars(start, f"{count}{Path(job.source).name}")
            try:
                entry = _separate(job, network, bars, arguments)
            except DssError as error:
                if debug:
                    raise
                error_line(str(error))
                entry = {"input": job.source, "error": str(error)}
                status = error.exit_code if alone else ExitCode.FAILED
            entries.append(entry)
            if not (quiet or as_json or "error" in entry):
                line(_summary(entry, network.used))
    if as_json:
        elapsed = time.perf_counter() - started
        print(json.dumps(_report(entries, model, network, notes, elapsed), indent=2))
    raise typer.Exit(status)


def _separate(
    job: Job, network: LiteRTNetwork, progress: Progress, arguments: dict[str, Any]
) -> dict[str, Any]:
    """Run one job and say its warnings; its report, as it stands in the JSON object."""
    from ..files import separate_file

    if job.finished:
        return {"input": job.source, "outputs": job.targets, "skipped": True}
    if job.folder is not None:
        try:
            job.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DssError(f"{job.folder}: cannot be made a folder: {error.strerror}") from error
    name = "standard input" if job.source == PIPE else job.source
    said: set[str] = set()

    def warn(message: str) -> None:
        if message not in said:
            warning_line(message if message.startswith(name) else f"{name}: {message}")
        said.add(message)

    report = separate_file(
        job.source,
        near=job.targets.get("near"),
        far=job.targets.get("far"),
        residual=job.targets.get("residual"),
        network=network,
        progress=progress,
        warn=warn,
        **arguments,
    )
    return report.to_dict()


def _bars(start: Start, label: str) -> Progress:
    """A bar for each phase of a recording's way, one after the other."""
    steps: dict[Phase, Step | None] = {}

    def progress(phase: Phase, done: int, total: int | None) -> None:
        if phase not in steps:
            steps[phase] = start(f"{label}: {phase}")
        if step := steps[phase]:
            step(done, total)

    return progress


def _summary(entry: dict[str, Any], used: str) -> str:
    """What became of one recording, in a line."""
    if "skipped" in entry:
        return f"{entry['input']}: left out, its outputs exist"
    return (
        f"{entry['input']} -> {', '.join(entry['outputs'].values())} "
        f"({entry['seconds']:.1f} s of audio in {entry['elapsed']:.1f} s, "
        f"real-time factor {entry['rtf']:.3f}, {used.upper()})"
    )


def _report(
    entries: list[dict[str, Any]],
    model: str,
    network: LiteRTNetwork,
    notes: list[str],
    elapsed: float,
) -> dict[str, Any]:
    """The object of --json."""
    seconds = sum(entry.get("seconds", 0.0) for entry in entries)
    return {
        "version": __version__,
        "model": model,
        "delegate": {
            "asked": network.asked,
            "used": network.used,
            "fallback_reason": network.fallback_reason,
            "gpu_precision": network.gpu_precision,
        },
        "files": entries,
        "warnings": notes + [note for entry in entries for note in entry.get("warnings", ())],
        "seconds": seconds,
        "elapsed": elapsed,
        "rtf": elapsed / seconds if seconds else None,
    }
