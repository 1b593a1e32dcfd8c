"""`dss separate`: separate recordings into near and far stems."""

from __future__ import annotations

import enum
import json
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..separation.batch import plan, refuse_as_output
from ..utils.descriptors import PIPE, STANDARD_OUTPUT_NAMES, standard_output
from . import options
from .console import log_lines, progress_bar
from .engine import Engine, EngineOption, Scheduler, check_engine
from .reporting import BatchReport


class Channels(str, enum.Enum):
    """Treatment of several channels."""

    each = "each"
    mix = "mix"


def separate(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="Recordings, folders or their URLs, or '-' for standard input."),
    ],
    near: Annotated[
        str | None, typer.Option(metavar="FILE", help="File of the near stem; '-' for stdout.")
    ] = None,
    far: Annotated[
        str | None, typer.Option(metavar="FILE", help="File of the far stem; '-' for stdout.")
    ] = None,
    residual: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="File of an additional stem: mixture - near - far."),
    ] = None,
    activity: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="File of the speech intervals: .json, .rttm, .txt (Audacity labels) or .csv; only `.rttm`: "
            "NAME.activity.rttm beside the stems.",
        ),
    ] = None,
    page: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Listening page, one .html file with a player and the speech intervals; only `.html`: "
            "NAME.page.html beside the stems. Needs the extra `report`.",
        ),
    ] = None,
    output_dir: Annotated[
        str | None,
        typer.Option(
            "--output-dir", "-o", metavar="DIR", help="Folder or URL for the stems; default: current folder."
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(metavar="EXT", help="Format of the stems, such as wav; default: as the input."),
    ] = None,
    subtype: Annotated[
        str | None,
        typer.Option(help="Encoding of the stems, such as PCM_24; default: as the input."),
    ] = None,
    recursive: Annotated[
        bool,
        typer.Option("--recursive", "-r", help="Separate all recordings in folders, and mirror the folders."),
    ] = False,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="With --recursive: search linked folders too, each once.")
    ] = False,
    overwrite: options.Overwrite = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Skip recordings whose outputs all exist.")
    ] = False,
    channels: Annotated[
        Channels, typer.Option(help="Separate each channel, or the mix of all channels.")
    ] = Channels.each,
    track: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Number of the audio track, for files with several tracks."),
    ] = 1,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse damaged input instead of printing a warning.")
    ] = False,
    model: options.Model = "lite",
    delegate: options.Delegate = options.DelegateName.auto,
    strict_delegate: options.StrictDelegate = False,
    gpu_precision: options.GpuPrecision = options.PrecisionName.float32,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="CPU threads per recording; default: cores divided by --jobs, at most 4."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            metavar="N",
            help="Number of recordings at a time, each in a separate process; default: cores.",
        ),
    ] = None,
    engine: EngineOption = Engine.processes,
    scheduler: Scheduler = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Append a JSON line per recording: outputs, sha256, seconds, warnings, worker.",
        ),
    ] = None,
    overlap: options.Overlap = None,
    context: options.Context = None,
    latency: options.Latency = None,
    strength: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="Amount of separation: 1 gives the stems, 0 the recording in both."
        ),
    ] = 1.0,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Separate recordings into the near and the far talkers.

    Without --near and --far, the stems of NAME.EXT are NAME.near.EXT and NAME.far.EXT. With one of these
    options, only that stem is written. The stems keep the rate, channels and encoding of the input.
    """
    from ..runtime.registry import anywhere
    from ..separation.documents import check_document, for_each
    from ..separation.listening import settled_context
    from ..separation.manifest import Manifest
    from ..separation.on_cluster import run_on_cluster
    from ..separation.running import run_here
    from ..separation.separator import load_model
    from ..separation.workers import Workers, default_jobs, shared_threads
    from ..utils.machine import physical_cores

    check_engine(engine, scheduler, jobs)
    settled_context(context.value if context else None, latency)  # refuses contradictory options first
    named = {
        stem: PIPE if path in STANDARD_OUTPUT_NAMES else path
        for stem, path in (("near", near), ("far", far), ("residual", residual))
        if path is not None
    }
    beside: dict[str, str] = {}
    for kind, path in (("activity", activity), ("page", page)):
        if path is not None:
            check_document(kind, path)
            (beside if for_each(kind, path) else named)[kind] = path
    if as_json and PIPE in named.values():
        raise UsageError("--json and '-' as an output would both write to standard output")
    log_lines(verbose)
    planned = plan(
        inputs,
        named,
        output_dir=output_dir,
        extension=format,
        recursive=recursive,
        follow_links=follow_links,
        overwrite=overwrite,
        skip_existing=skip_existing,
        beside=beside,
    )
    if manifest is not None:
        refuse_as_output(manifest, planned.jobs)
    files: dict[str, Any] = {
        "overlap": overlap,
        "context": context and context.value,
        "latency": latency,
        "strength": strength,
        "channels": channels.value,
        "track": track,
        "subtype": subtype,
        "overwrite": overwrite,
        "strict": strict,
        "digests": manifest is not None,
    }
    cores = physical_cores()
    pending = sum(not job.finished for job in planned.jobs)
    count = default_jobs(pending, cores) if jobs is None else min(jobs, max(1, pending))
    if debug or scheduler is not None:
        count = 1  # a traceback needs this process, and each worker of a cluster is one process
    load = partial(
        load_model,
        model if scheduler is None else anywhere(model),
        delegate.value,
        threads or (shared_threads(count, cores) if scheduler is None else 1),
        strict_delegate=strict_delegate,
        verbose=verbose,
        gpu_precision=gpu_precision.value,
        latency=latency,
    )
    started = time.perf_counter()
    with ExitStack() as stack:
        stack.enter_context(standard_output())
        workers = None
        if count > 1:
            workers = stack.enter_context(Workers(count, load, files, one_on_gpu=jobs is None))
        start = stack.enter_context(progress_bar(shown=not quiet))
        report = BatchReport(planned.jobs, not (quiet or as_json), start, planned.left_out)
        if manifest is not None:
            report.keep(stack.enter_context(Manifest(manifest, report.note)).add)
        for note in planned.notes:
            report.note(note)
        if scheduler is not None:
            run_on_cluster(planned.jobs, load, files, report, scheduler, report.note)
        elif workers is None:
            run_here(planned.jobs, load, files, report, debug)
        else:
            workers.run(planned.jobs, report)
        report.close()
    if as_json:
        print(json.dumps(report.to_dict(model, time.perf_counter() - started), indent=2))
    raise typer.Exit(report.status)
