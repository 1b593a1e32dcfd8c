"""`dss separate`: recordings in, near and far stems out."""

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
from ..separation.activity_files import EXTENSIONS, check_extension
from ..separation.batch import PIPE, plan, refuse_as_output
from ..utils.descriptors import STANDARD_OUTPUT_NAMES, standard_output
from . import options
from .console import log_lines, progress_bar
from .engine import Engine, EngineOption, Scheduler, check_engine
from .reporting import BatchReport


class Channels(str, enum.Enum):
    """What becomes of several channels."""

    each = "each"
    mix = "mix"


def separate(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="Recordings, folders, URLs of both, or '-' for standard input."),
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
    activity: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Who speaks when, as .json, .rttm, .txt (Audacity labels) or .csv; `.rttm` alone: "
            "NAME.activity.rttm beside the stems.",
        ),
    ] = None,
    output_dir: Annotated[
        str | None,
        typer.Option(
            "--output-dir", "-o", metavar="DIR", help="Folder or URL of the stems; default: the current one."
        ),
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
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="With --recursive: into linked folders, each once.")
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
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="CPU threads of each recording; default: the cores, at most 4, shared out."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            metavar="N",
            help="Recordings at a time, each in a process of its own; default: the cores.",
        ),
    ] = None,
    engine: EngineOption = Engine.processes,
    scheduler: Scheduler = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Append a JSON line for each recording: outputs, sha256, seconds, warnings, worker.",
        ),
    ] = None,
    overlap: options.Overlap = None,
    context: options.Context = None,
    latency: options.Latency = None,
    strength: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="How much to take away: 1 gives the stems, 0 the recording in both."
        ),
    ] = 1.0,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Separate recordings into the near and the far talkers.

    Without --near and --far, NAME.EXT becomes NAME.near.EXT and NAME.far.EXT. With one of them,
    that stem alone is written. The stems keep the input's rate, channels and encoding.
    """
    from ..runtime.registry import anywhere
    from ..separation.listening import settled_context
    from ..separation.manifest import Manifest
    from ..separation.on_cluster import run_on_cluster
    from ..separation.running import run_here
    from ..separation.separator import load_model
    from ..separation.workers import Workers, default_jobs, shared_threads
    from ..utils.machine import physical_cores

    check_engine(engine, scheduler, jobs)
    settled_context(
        context.value if context else None, latency
    )  # what excludes each other is refused before anything
    for_each = activity if activity is not None and activity.lower() in EXTENSIONS else None
    named = {
        stem: PIPE if path in STANDARD_OUTPUT_NAMES else path
        for stem, path in (("near", near), ("far", far), ("residual", residual))
        if path is not None
    }
    if activity is not None and for_each is None:
        check_extension(activity)
        named["activity"] = activity
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
        activity=for_each,
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
        count = 1  # a traceback wants its own process, and each worker of a cluster is one
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
