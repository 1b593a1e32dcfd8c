"""`dss train`: train a network from a configuration, speech, noise and simulated places."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .console import line, warning_line


def train(
    output: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of the run; an existing run is resumed.")
    ],
    config: Annotated[
        str,
        typer.Option(metavar="TOML", help="Settings: a file, or a name from `dss configurations`."),
    ],
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a setting of the file, such as training.batch=32."
        ),
    ] = None,
    speech: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Dry speech, with a subfolder per talker.")
    ] = None,
    noise: Annotated[Path | None, typer.Option(metavar="DIR", help="Environmental noise.")] = None,
    rirs: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Measured responses for additional places in a new bank."),
    ] = None,
    bank: Annotated[
        Path | None,
        typer.Option(metavar="NPZ", help="Bank of responses, created if missing; default: RUN/bank.npz."),
    ] = None,
    weights: Annotated[Path | None, typer.Option(metavar="H5", help="Initial weights of a new run.")] = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Train a network on simulated scenes; the same command resumes a run.

    All settings are in one commented file; RUN/config.toml keeps the settings of the run. Paths given as
    options override those of the file. To prolong or anneal a run, use --set schedule.steps=N and --set
    schedule.hold=N. Changes of settings that would make another run are refused.

    Folders with a MANIFEST.csv (columns path, speaker, split) are read by split: `train` for training, `dev`
    for validation. Other folders are used completely, for training and validation.
    """
    from ..network.keras_backend import load_keras

    load_keras()
    from ..training.config import read_config
    from ..training.run import run_training

    paths = {"speech": speech, "noise": noise, "rirs": rirs, "bank": bank, "weights": weights}
    settings = read_config(config, changes or (), paths)
    run_training(settings, output, (lambda text: None) if quiet else line, warning_line)
