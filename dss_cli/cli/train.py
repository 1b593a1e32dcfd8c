"""`dss train`: a configuration, speech, noise and places in, a checkpoint and weights out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .console import line, warning_line


def train(
    output: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run; resumed if it exists.")],
    config: Annotated[
        str,
        typer.Option(metavar="TOML", help="Settings: a file, or a name of `dss configurations`."),
    ],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting over the file's, as training.batch=32."),
    ] = None,
    speech: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Dry speech, a subfolder per talker.")
    ] = None,
    noise: Annotated[Path | None, typer.Option(metavar="DIR", help="Environmental noise.")] = None,
    rirs: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Measured responses, of which a new bank gets further places."),
    ] = None,
    bank: Annotated[
        Path | None,
        typer.Option(metavar="NPZ", help="Bank of responses, made if missing; default: RUN/bank.npz."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="H5", help="Weights that a new run begins with.")
    ] = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Train a network on scenes mixed on the fly; resume a run by the same command.

    All settings are in one commented file; RUN/config.toml keeps those of the run. The paths given
    here go before those of the file. A run may be prolonged or let fall by --set schedule.steps=N
    and schedule.hold=N; settings that would make it another run are refused by name.

    Folders with a MANIFEST.csv (columns path, speaker, split) are read by split: `train` for
    training, `dev` for validation. Other folders are read whole, and validated on themselves.
    """
    from ..network.keras_backend import load_keras

    load_keras()
    from ..training.config import read_config
    from ..training.run import run_training

    paths = {"speech": speech, "noise": noise, "rirs": rirs, "bank": bank, "weights": weights}
    settings = read_config(config, changes or (), paths)
    run_training(settings, output, (lambda text: None) if quiet else line, warning_line)
