"""`dss train`: speech, noise and simulated places in, a checkpoint and weights out."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import options
from ..console import line
from ..errors import UsageError


class Precision(str, enum.Enum):
    """Keras' dtype policies."""

    float32 = "float32"
    mixed_bfloat16 = "mixed_bfloat16"


def train(
    output: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run; resumed if it exists.")],
    speech: Annotated[Path, typer.Option(metavar="DIR", help="Dry speech, a subfolder per talker.")],
    noise: Annotated[Path | None, typer.Option(metavar="DIR", help="Environmental noise.")] = None,
    bank: Annotated[
        Path | None,
        typer.Option(metavar="NPZ", help="Bank of responses, made if missing; default: RUN/bank.npz."),
    ] = None,
    places: Annotated[int, typer.Option(min=2, help="Places to simulate for a new bank.")] = 750,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that simulate.")] = 2,
    configuration: Annotated[str, typer.Option(help="See `dss configurations`.")] = "lite",
    weights: Annotated[
        Path | None, typer.Option(metavar="H5", help="Weights that a new run begins with.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps in all.")] = 9500,
    hold: Annotated[
        int | None, typer.Option(min=0, help="Step at which the learning rate begins to fall.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Scenes per step.")] = 4,
    peak: Annotated[float, typer.Option(min=0.0, help="Highest learning rate.")] = 1.2e-3,
    warmup: Annotated[int, typer.Option(min=0, help="Steps of warm-up.")] = 300,
    widen: Annotated[
        tuple[int, int], typer.Option(metavar="A B", help="Steps at which the scenes become harder.")
    ] = (800, 2500),
    validation: Annotated[int, typer.Option(min=0, help="Dev scenes per stratum; 0: no validation.")] = 24,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps from one validation to the next.")] = 400,
    mixers: Annotated[
        int, typer.Option(min=1, help="Threads that render scenes ahead; a GPU wants many.")
    ] = 1,
    near_ratio: Annotated[
        float,
        typer.Option(
            min=0.0, help="Weight of the near output's signal-to-noise ratio in the loss; far has 1."
        ),
    ] = 1.0,
    precision: Annotated[
        Precision, typer.Option(help="Of the computing; mixed_bfloat16 is faster where the processor has it.")
    ] = Precision.float32,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 1,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Train a configuration on scenes mixed on the fly; resume a run by the same command.

    Folders with a MANIFEST.csv (columns path, speaker, split) are read by split: `train` for
    training, `dev` for validation. Other folders are read whole, and validated on themselves.
    """
    from ..backend import load_keras

    load_keras()
    from ..network import configuration as configured
    from ..publish import write_files
    from ..simulation.bank import Bank, simulate_bank
    from ..simulation.material import load_noise, load_speech
    from ..training.data import Sources
    from ..training.loop import Settings
    from ..training.loop import train as run_training
    from ..training.validation import Validation

    config = configured(configuration)
    hold = round(0.7 * steps) if hold is None else hold
    if hold > steps:
        raise UsageError(f"--hold {hold} lies behind the last step, {steps}")

    def say(text: str) -> None:
        if not quiet:
            line(text)

    def responses(path: Path, count: int, bank_seed: int) -> Bank:
        if not path.exists():
            say(f"{path}: simulating {count} places")
            outdoor = max(1, count // 3)
            simulate_bank(bank_seed, count - outdoor, outdoor, jobs).save(path)
        return Bank.load(path)

    def sources(split: str, path: Path, count: int, bank_seed: int) -> Sources:
        return Sources(
            load_speech(speech, _split(speech, split)),
            None if noise is None else load_noise(noise, _split(noise, split)),
            responses(path, count, bank_seed),
        )

    training = sources("train", bank or output / "bank.npz", places, seed)
    dev = None
    if validation:
        held_out = sources("dev", output / "bank-dev.npz", max(2, places // 8), seed + 1_000_000)
        dev = Validation.draw(held_out, config, validation, seed)
    say(
        f"{training.speech.seconds / 3600:.1f} h of speech by {len(training.speech.spans)} talkers, "
        f"{len(training.bank.responses)} places"
    )
    settings = Settings(
        configuration,
        seed=seed,
        batch=batch,
        peak=peak,
        warmup=warmup,
        hold=hold,
        total=steps,
        curriculum=widen,
        validate_every=validate_every,
        near_ratio=near_ratio,
        precision=precision.value,
    )
    run = run_training(settings, training, output, dev, weights, lambda row: say(_told(row)), mixers)
    trained = output / f"{configuration}.weights.h5"
    run.averaged().save_weights(trained)
    section = {
        "training": {
            "seed": seed,
            "steps": run.step,
            "batch": batch,
            "near_ratio": near_ratio,
            "precision": precision.value,
            "hours": round(run.hours, 1),
            "speech_hours": round(training.speech.seconds / 3600, 2),
            "talkers": len(training.speech.spans),
            "noise_hours": round(training.noise.seconds / 3600, 2) if training.noise else 0,
            "places": len(training.bank.responses),
            **({} if weights is None else _begun_with(weights)),
        }
    }
    write_files({output / "training.json": json.dumps(section, indent=2) + "\n"})
    say(f"{trained}: the averaged weights after {run.hours:.1f} h of audio; `dss export` makes a model")


def _begun_with(weights: Path) -> dict[str, Any]:
    """Which weights, and the hours of audio that they had seen, if the card beside them tells."""
    card = weights.with_name(weights.name.removesuffix(".weights.h5") + ".json")
    hours = json.loads(card.read_bytes()).get("training", {}).get("hours") if card.is_file() else None
    return {"begun_with": weights.name, **({} if hours is None else {"hours_before": hours})}


def _split(folder: Path, split: str) -> str | None:
    return split if (folder / "MANIFEST.csv").exists() else None


def _told(row: dict[str, Any]) -> str:
    if "settings" in row:
        widened = f", widened from {row['widened_from']} channels" if row["widened_from"] else ""
        fresh = _some("begun afresh", row["fresh"])
        left = _some("left out", row["left"])
        return f"step {row['step']}: {row['parameters']:,} parameters{widened}{fresh}{left}"
    if "scores" in row:
        parts = (
            f"{stratum}: " + ", ".join(f"{name} {value:+.1f}" for name, value in scores.items())
            for stratum, scores in row["scores"].items()
        )
        return f"step {row['step']} dev, dB: " + "; ".join(parts)
    return (
        f"step {row['step']}: {row['hours']:.2f} h at {row['speed']:.1f} audio s/s, loss {row['loss']:.3f} "
        f"(near {row['near_loss']:.3f}, far {row['far_loss']:.3f})"
    )


def _some(what: str, layers: list[str]) -> str:
    if not layers:
        return ""
    more = f" and {len(layers) - 3} more" if len(layers) > 3 else ""
    return f", layers {what}: {', '.join(layers[:3])}{more}"
