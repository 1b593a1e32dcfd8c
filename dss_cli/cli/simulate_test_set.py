"""`dss simulate-test-set`: simulate scenes with known distances for the evaluation of separation."""

from __future__ import annotations

import enum
import json
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from ..constants import SAMPLE_RATE
from ..distances import GUARD, NEAR, UR0
from ..errors import DssError
from . import options
from .console import line, progress_bar, warning_line
from .engine import Engine, EngineOption, Scheduler, check_engine


class Preset(str, enum.Enum):
    """Presets of strata."""

    standard = "standard"
    quick = "quick"
    patterson = "patterson"
    ur0 = "ur0"
    noise = "noise"
    first = "first"
    conversations = "conversations"
    preambles = "preambles"


class Format(str, enum.Enum):
    """Formats of the files of a test set."""

    flac = "flac"
    wav = "wav"


def simulate_test_set(
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the test set.")],
    speech: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Dry speech, with MANIFEST.csv or a subfolder per talker; default: synthetic."
        ),
    ] = None,
    noise: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Environmental noise; default: none.")
    ] = None,
    rirs: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Measured responses with a MANIFEST.csv, instead of simulated ones."
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split of the manifests to use; default: all rows.")
    ] = None,
    preset: Annotated[
        Preset | None,
        typer.Option(help="Preset of strata, see docs/test-sets.md; default: standard."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="Kind of scenes: near-only, far-only, 1N+1F, 1N+2F, 1N+4F, turns; or conversation, "
            "near-change, walk-up; may be repeated; default: the first six. "
            "With any of --kind, --environment, --snr, --near, --category, the strata are all combinations.",
        ),
    ] = None,
    environment: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="indoor or outdoor; may be repeated; default: both."),
    ] = None,
    snr: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DB", help="Signal-to-noise ratio in dB, or clean; may be repeated; default: 20."
        ),
    ] = None,
    near: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LOW HIGH",
            help=f"Range of near distances in metres, or twice the same; {UR0[0]:g} {UR0[1]:g} is UR-0; "
            f"default: {NEAR[0]:g} {NEAR[1]:g}.",
        ),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD", help="Category of the noise, such as wind; may be repeated; default: any."
        ),
    ] = None,
    protocol: Annotated[
        int,
        typer.Option(min=1, max=2, help="Simulated rooms: 2 similar to measured rooms, 1 the former rooms."),
    ] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    seconds: Annotated[
        float | None,
        typer.Option(min=1.0, max=600.0, help="Duration of a scene; default: 5, for conversations 40."),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, max=9999, help="Scenes per stratum; default: as the preset, or 5.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.3,
            max=5.0,
            help=f"Boundary of near and far in metres; default: up to {GUARD[0]:g}, from {GUARD[1]:g} on.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Number of processes; default: number of processors."),
    ] = None,
    engine: EngineOption = Engine.processes,
    scheduler: Scheduler = None,
    noise_stems: Annotated[bool, typer.Option("--noise-stems", help="Write the noise, too.")] = False,
    rate: Annotated[
        int,
        typer.Option(
            metavar="HZ",
            min=8000,
            max=48_000,
            help="Sample rate of the files; scenes are rendered at 16000 Hz, then resampled.",
        ),
    ] = SAMPLE_RATE,
    format: Annotated[
        Format, typer.Option(help="Format of the files: 24-bit FLAC or 32-bit float WAV.")
    ] = Format.flac,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Simulate a test set: mixtures with their near and far stems, and all parameters of each scene.

    Equal options give equal bytes on processors of the same kind, independent of --jobs and --engine. To
    continue an interrupted run, give the same command again.
    """
    check_engine(engine, scheduler, jobs)
    try:
        from ..testset.build import build_test_set
        from ..testset.plan import draw_up
        from ..testset.strata import Cells
    except ImportError as error:
        raise DssError(f"simulation needs more packages: pip install 'dss-cli[train]' ({error})") from None
    started = time.perf_counter()
    plan, notes = draw_up(
        speech,
        noise,
        rirs,
        split=split,
        name=preset.value if preset else None,
        cells=Cells(kind or (), environment or (), snr or (), near, category or (), seconds),
        seed=seed,
        seconds=seconds,
        count=count,
        threshold=threshold,
        noise_stems=noise_stems,
        rate=rate,
        format=format.value,
        protocol=protocol,
    )
    for note in notes:
        warning_line(note)

    def warn(note: str) -> None:
        notes.append(note)
        warning_line(note)

    with progress_bar(shown=not quiet) as start:
        index = build_test_set(
            output,
            plan,
            jobs or os.cpu_count() or 1,
            start(output.name),
            scheduler=scheduler,
            warn=warn,
        )
    elapsed = time.perf_counter() - started
    if as_json:
        report = {"path": str(output), **index, "engine": engine.value, "warnings": notes, "elapsed": elapsed}
        print(json.dumps(report, indent=2))
    elif not quiet:
        length = f" of {index['seconds']:g} s" if index["seconds"] else ""
        line(
            f"{output}: {index['scenes']} scenes{length} in {len(index['strata'])} strata, "
            f"{index['redraws']} places drawn again ({elapsed:.0f} s)"
        )
