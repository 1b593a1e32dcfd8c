"""Training run in its folder: begin or resume, keep the settings, write the weights and the report."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import DssError, UsageError
from ..network import build
from ..network.weights import begin_with, few_of, weights_file
from ..utils.atomic_write import write_files
from ..utils.toml_text import changed_settings, to_table, to_toml, told
from . import loop
from .config import DataConfig, TrainingConfig, read_config
from .data import Sources
from .preparation import Say, prepare_run

KEPT = "config.toml"  # file in the folder of a run
MAY_CHANGE = (  # settings that may change when a run is resumed
    "name",
    "schedule.peak",
    "schedule.hold",
    "schedule.steps",
    "training.precision",
    "training.save_every",
    "validation",
    "machine",
    "data",
)


def run_training(config: TrainingConfig, folder: Path, say: Say, warn: Say) -> None:
    """Begin or resume the run in a folder, and write its averaged weights and its section of the model card.

    Args:
        config: settings of the run.
        folder: folder for checkpoint.npz, log.jsonl, config.toml, NAME.weights.h5 and training.json.
        say, warn: receive a line of progress, and a line of warning.

    Raises:
        DssError: the folder cannot be written, material, bank or weights are unusable, or a loss is not
            finite.
        UsageError: the folder has a run with other settings.
    """
    weights = config.data.weights
    resumed = (folder / "checkpoint.npz").exists()
    begun = _begun_with(weights, resumed)
    _make_folder(folder)
    _check_resumed(config, folder, resumed, say, warn)
    if weights is not None and not resumed:
        begin_with(build(config.network), weights, config.name)  # checked before rooms are simulated
    sources, validation = prepare_run(config, folder, say, warn)
    write_files({folder / KEPT: to_toml(to_table(replace(config, data=_absolute(config.data))))})
    run = loop.train(config, sources, folder, validation, lambda row: say(log_line(row)))
    trained = folder / f"{config.name}.weights.h5"
    log = json.dumps({"training": _report(config, run.step, run.hours, sources) | begun}, indent=2) + "\n"
    write_files({trained: weights_file(run.averaged()), folder / "training.json": log})
    say(f"{trained}: the averaged weights after {run.hours:.1f} h of audio; `dss export` makes a model")


def log_line(row: dict[str, Any]) -> str:
    """Return a row of log.jsonl as readable text."""
    if "settings" in row:
        layers = "".join(
            f", layers {what}: {few_of(row[key])}"
            for what, key in (("with new weights", "fresh"), ("left out", "left"))
            if row[key]
        )
        return f"step {row['step']}: {row['parameters']:,} parameters{layers}"
    if "scores" in row:
        parts = (
            f"{stratum}: " + ", ".join(f"{name} {value:+.1f}" for name, value in scores.items())
            for stratum, scores in row["scores"].items()
        )
        return f"step {row['step']} dev, dB: " + "; ".join(parts)
    losses = [
        f"{name.removesuffix('_loss')} {value:.3f}" for name, value in row.items() if name.endswith("_loss")
    ]
    return (
        f"step {row['step']}: {row['hours']:.2f} h at {row['speed']:.1f} audio s/s, {row['waiting']:.0%} of "
        f"the time waiting for scenes, loss {row['loss']:.3f} ({', '.join(losses)})"
    )


def _report(config: TrainingConfig, step: int, hours: float, sources: Sources) -> dict[str, Any]:
    """Return the section `training` of the model card."""
    return {
        "seed": config.training.seed,
        "steps": step,
        "batch": config.training.batch,
        "near_ratio": config.loss.near_ratio,
        "far_ratio": config.loss.far_ratio,
        "voices": config.training.voices,
        "captured": config.stages[-1].captured,
        "precision": config.training.precision,
        "mixing": config.training.mixing,
        "hours": round(hours, 1),
        "speech_hours": round(sources.speech.seconds / 3600, 2),
        "talkers": len(sources.speech.spans),
        "noise_hours": round(sources.noise.seconds / 3600, 2) if sources.noise else 0,
        "places": len(sources.bank.responses),
        "protocol": sources.bank.protocol,
        "measured_places": sources.bank.measured_places,
        "limits": sources.bank.limits,
    }


def _make_folder(folder: Path) -> None:
    """Create the folder of the run, and check that it is writable before hours of work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise DssError(f"{folder}: cannot be written: {error.strerror}; name another RUN") from error


def _check_resumed(config: TrainingConfig, folder: Path, resumed: bool, say: Say, warn: Say) -> None:
    """Raise UsageError if a resumed run has conflicting settings; report allowed changes."""
    if not resumed:
        return
    kept = folder / KEPT
    if not kept.exists():
        warn(f"{folder}: no {KEPT}, the run is of an earlier version: changed settings are not detected")
        return
    now = to_table(replace(config, data=_absolute(config.data)))
    changed = list(changed_settings(to_table(read_config(kept)), now))
    allowed = tuple(f"{prefix}." for prefix in MAY_CHANGE)
    refused = [
        f"{name} is {told(old)}, not {told(new)}"
        for name, old, new in changed
        if not f"{name}.".startswith(allowed)
    ]
    if refused:
        more = f" and {len(refused) - 3} more" if len(refused) > 3 else ""
        raise UsageError(
            f"{kept}: {'; '.join(refused[:3])}{more}; resume with these settings, or begin another RUN"
        )
    for name, old, new in changed:
        if not name.startswith("data."):
            say(f"{name}: {told(old)} before, {told(new)} from here on")


def _absolute(data: DataConfig) -> DataConfig:
    """Return the settings with absolute paths."""
    return DataConfig(**{key: path.absolute() for key, path in vars(data).items() if path is not None})


def _begun_with(weights: Path | None, resumed: bool) -> dict[str, Any]:
    """Return the name of the initial weights and, from a card or report, their hours of training."""
    if weights is None:
        return {}
    if not weights.is_file():
        if resumed:  # the checkpoint has replaced them
            return {"begun_with": weights.name}
        raise DssError(f"{weights}: no such file; --weights names others, --set data.weights=false none")
    card = weights.with_name(weights.name.removesuffix(".weights.h5") + ".json")
    for path in filter(Path.is_file, (card, weights.with_name("training.json"))):
        try:
            seen = json.loads(path.read_bytes()).get("training", {})
            if "hours" in seen:
                hours = round(seen["hours"] + seen.get("hours_before", 0), 1)
                return {"begun_with": weights.name, "hours_before": hours}
        except (ValueError, AttributeError, TypeError) as error:
            raise DssError(f"{path}: not the card of {weights.name}: {error}; repair or remove it") from error
    return {"begun_with": weights.name}
