"""`dss simulate-test-set`: scenes with known distances, to score separation on."""

from __future__ import annotations

import enum
import json
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from .. import options
from ..console import line, progress_bar, warning_line
from ..errors import DssError


class Preset(str, enum.Enum):
    """Which strata a test set has."""

    standard = "standard"
    quick = "quick"
    patterson = "patterson"
    ur0 = "ur0"
    noise = "noise"
    first = "first"


def simulate_test_set(
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the test set.")],
    speech: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Dry speech: MANIFEST.csv or a subfolder per talker; default: synthetic."
        ),
    ] = None,
    noise: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Environmental noise; without it scenes are clean.")
    ] = None,
    rirs: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Measured responses, with a MANIFEST.csv, for simulated ones."),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Rows of the manifests of speech and noise to use; default: all.")
    ] = None,
    preset: Annotated[Preset, typer.Option(help="Which strata: see docs/test-sets.md.")] = Preset.standard,
    seed: Annotated[int, typer.Option(min=0, help="Of every random number.")] = 0,
    seconds: Annotated[float, typer.Option(min=1.0, max=60.0, help="Length of a scene.")] = 5.0,
    count: Annotated[
        int | None, typer.Option(min=1, max=9999, help="Scenes of each stratum; default: the preset's.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.3, max=5.0, help="Near ends and far begins here; default: at 0.8 and at 1.2 m."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Processes; default: one per processor.")
    ] = None,
    noise_stems: Annotated[bool, typer.Option("--noise-stems", help="Write the noise as well.")] = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Simulate a test set: mixtures with their near and far stems, and what was drawn for each.

    The same options give the same bytes, whatever --jobs is. An interrupted run goes on where it
    stopped when the same command is given again.
    """
    try:
        from ..simulation.testset.build import build
        from ..simulation.testset.plan import draw_up
    except ImportError as error:
        raise DssError(f"simulation needs more packages: pip install 'dss-cli[train]' ({error})") from None
    started = time.perf_counter()
    plan, notes = draw_up(
        speech,
        noise,
        rirs,
        split=split,
        name=preset.value,
        seed=seed,
        seconds=seconds,
        count=count,
        threshold=threshold,
        noise_stems=noise_stems,
    )
    for note in notes:
        warning_line(note)
    with progress_bar(shown=not quiet) as start:
        index = build(output, plan, jobs or os.cpu_count() or 1, start(output.name))
    elapsed = time.perf_counter() - started
    if as_json:
        print(json.dumps({"path": str(output), **index, "warnings": notes, "elapsed": elapsed}, indent=2))
    elif not quiet:
        line(
            f"{output}: {index['scenes']} scenes of {index['seconds']:g} s in {len(index['strata'])} strata, "
            f"{index['redraws']} places drawn again ({elapsed:.0f} s)"
        )
