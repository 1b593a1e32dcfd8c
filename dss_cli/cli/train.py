"""`dss train`: speech, noise and simulated places in, a checkpoint and weights out."""

from __future__ import annotations

import enum
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DssError, UsageError
from ..simulation.limits import FAR_INDOOR, FAR_OUTDOOR, NEAR
from . import options
from .console import line, warning_line

if TYPE_CHECKING:
    from ..simulation.corpus import Material
    from ..simulation.rir_bank import Bank

Range = tuple[float, float]
NEAREST, FURTHEST = 0.05, 18.0  # metres that can be asked for; the open places end at 20 m
LAST_THRESHOLD = 5.0  # metres at which far begins at the latest: rooms have to hold it


class Precision(str, enum.Enum):
    """Keras' dtype policies."""

    float32 = "float32"
    mixed_bfloat16 = "mixed_bfloat16"


class MixingPlace(str, enum.Enum):
    """Where training scenes are rendered."""

    host = "host"
    device = "device"


def train(
    output: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run; resumed if it exists.")],
    speech: Annotated[Path, typer.Option(metavar="DIR", help="Dry speech, a subfolder per talker.")],
    noise: Annotated[Path | None, typer.Option(metavar="DIR", help="Environmental noise.")] = None,
    bank: Annotated[
        Path | None,
        typer.Option(metavar="NPZ", help="Bank of responses, made if missing; default: RUN/bank.npz."),
    ] = None,
    places: Annotated[int, typer.Option(min=2, help="Places to simulate for a new bank.")] = 750,
    rirs: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Measured responses for a new bank: MANIFEST.csv with path, room, distance_m, split.",
        ),
    ] = None,
    protocol: Annotated[
        int | None,
        typer.Option(
            min=1, max=2, help="Rooms of a new bank: 2 as measured ones are (default), 1 the former ones."
        ),
    ] = None,
    near: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LOW HIGH",
            help=f"Metres to a near talker in a new bank; default: {NEAR[0]:g} {NEAR[1]:g}.",
        ),
    ] = None,
    far: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LOW HIGH",
            help=f"Metres to a far talker, likewise; in rooms at most {FAR_INDOOR[1]:g}; "
            f"default: {FAR_OUTDOOR[0]:g} {FAR_OUTDOOR[1]:g}.",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that simulate.")] = 2,
    configuration: Annotated[
        str, typer.Option(help="See `dss configurations`; NAME,FIELD=VALUE,... differs in some fields.")
    ] = "lite",
    weights: Annotated[
        Path | None, typer.Option(metavar="H5", help="Weights that a new run begins with.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps in all.")] = 9500,
    hold: Annotated[
        int | None, typer.Option(min=0, help="Step at which the learning rate begins to fall.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Chunks per step, of scenes of several.")] = 8,
    peak: Annotated[float, typer.Option(min=0.0, help="Highest learning rate.")] = 1.2e-3,
    warmup: Annotated[int, typer.Option(min=0, help="Steps of warm-up.")] = 300,
    widen: Annotated[
        tuple[int, int, int],
        typer.Option(
            metavar="A B C", help="Steps at which the scenes become harder; from C on, conversations."
        ),
    ] = (800, 2500, 4000),
    validation: Annotated[int, typer.Option(min=0, help="Dev scenes per stratum; 0: no validation.")] = 24,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps from one validation to the next.")] = 400,
    mixers: Annotated[
        int, typer.Option(min=1, help="Threads that render scenes ahead; a GPU wants many.")
    ] = 1,
    near_ratio: Annotated[
        float, typer.Option(min=0.0, help="Weight of the near output's signal-to-noise ratio in the loss.")
    ] = 1.0,
    far_ratio: Annotated[float, typer.Option(min=0.0, help="Likewise of the far output's.")] = 1.0,
    outdoor: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Share of outdoor scenes; default: rising from 0.25 to 0.4."),
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="Of the computing; mixed_bfloat16 is faster where the processor has it.")
    ] = Precision.float32,
    mixing: Annotated[
        MixingPlace,
        typer.Option(help="Where scenes are rendered: on threads of the host, or in the step on the GPU."),
    ] = MixingPlace.host,
    devices: Annotated[
        int | None,
        typer.Option(min=1, help="Devices that share each batch; needs KERAS_BACKEND=jax."),
    ] = None,
    captured: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Share of scenes through automatic gain, soft clipping, a narrow band, a codec.",
        ),
    ] = None,
    voices: Annotated[
        int,
        typer.Option(min=0, help="Talkers made of each, who say the same with a longer or shorter tract."),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 1,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Train a configuration on scenes mixed on the fly; resume a run by the same command.

    Folders with a MANIFEST.csv (columns path, speaker, split) are read by split: `train` for
    training, `dev` for validation. Other folders are read whole, and validated on themselves.
    """
    from ..network.keras_backend import load_keras

    load_keras()
    from ..network import build
    from ..network import configuration as configured
    from ..network.weights import begin_with, weights_file
    from ..simulation.corpus import load_noise, load_speech
    from ..simulation.measured_places import load_training_rooms
    from ..simulation.rir_bank import FAR_SOURCES, NEAR_SOURCES, simulate_bank
    from ..training.data import Sources
    from ..training.loop import Settings
    from ..training.loop import train as run_training
    from ..training.recipes import recipe_at
    from ..training.validation import STRATA, Validation
    from ..utils.atomic_write import write_files

    config = configured(configuration)
    hold = round(0.7 * steps) if hold is None else hold
    if hold > steps:
        raise UsageError(f"--hold {hold} lies behind the last step, {steps}")
    _check_distances(near, far)
    begun = {} if weights is None else _begun_with(weights)
    _check_folder(output)
    if weights is not None:
        begin_with(build(config), weights, configuration)  # refused now rather than after the simulation

    def say(text: str) -> None:
        if not quiet:
            line(text)

    def material(split: str, kinds: Iterable[str]) -> tuple[Material, Material | None]:
        spoken = load_speech(speech, _split(speech, split))
        _check_talkers(spoken, speech, kinds)
        sounds = None if noise is None else load_noise(noise, _split(noise, split))
        notes.update(dict.fromkeys(note for read in (spoken, sounds) if read for note in read.notes))
        return spoken, sounds

    def responses(
        path: Path,
        count: int,
        bank_seed: int,
        near: Range | None,
        far: Range | None,
        protocol: int | None,
        rirs: Path | None = None,
    ) -> Bank:
        if not path.exists():
            protocol = protocol or 2
            outdoor = max(1, count // 3)
            rooms = None
            if rirs is not None:
                counts = (NEAR_SOURCES, FAR_SOURCES)
                rooms = load_training_rooms(
                    rirs, counts, _split(rirs, "train"), near or NEAR, far or FAR_OUTDOOR
                )
            beside = "" if rooms is None else f", and measured ones of {rirs}"
            say(f"{path}: simulating {count} places of protocol {protocol}{beside}")
            made = simulate_bank(
                bank_seed,
                count - outdoor,
                outdoor,
                jobs,
                near=near or NEAR,
                far=far or FAR_OUTDOOR,
                protocol=protocol,
                rooms=rooms,
            )
            made.save(path)
        return _open_bank(path, near, far, protocol, rirs)

    # All that is given is read before places are simulated, which takes minutes.
    notes: dict[str, None] = {}
    reached = [recipe_at(step, widen) for step in (0, *widen) if step < steps]
    spoken, sounds = material("train", [kind for recipe in reached for kind in recipe.kinds])
    held_out = material("dev", [kind for kind, _, _ in STRATA.values()]) if validation else None
    if held_out and _split(speech, "dev") is None:
        notes[f"{speech}: no MANIFEST.csv, so validation hears the talkers of training"] = None
    for note in notes:
        warning_line(note)
    there = responses(bank or output / "bank.npz", places, seed, near, far, protocol, rirs)
    training = Sources(spoken, sounds, there)
    dev = None
    if held_out:
        alike = training.bank.near, training.bank.far, training.bank.protocol
        beside = responses(output / "bank-dev.npz", max(2, places // 8), seed + 1_000_000, *alike)
        dev = Validation.draw(Sources(*held_out, beside), config, validation, seed)
        del held_out  # its scenes are drawn; the recordings may be gigabytes
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
        far_ratio=far_ratio,
        outdoor=outdoor,
        captured=captured,
        voices=voices,
        precision=precision.value,
        mixing=mixing.value,
        devices=devices,
    )
    run = run_training(settings, training, output, dev, weights, lambda row: say(_told(row)), mixers)
    section = {
        "training": {
            "seed": seed,
            "steps": run.step,
            "batch": batch,
            "near_ratio": near_ratio,
            "far_ratio": far_ratio,
            "voices": voices,
            **{k: v for k, v in (("outdoor", outdoor), ("captured", captured)) if v is not None},
            "precision": precision.value,
            "mixing": mixing.value,
            "hours": round(run.hours, 1),
            "speech_hours": round(training.speech.seconds / 3600, 2),
            "talkers": len(training.speech.spans),
            "noise_hours": round(training.noise.seconds / 3600, 2) if training.noise else 0,
            "places": len(training.bank.responses),
            "protocol": training.bank.protocol,
            "measured_places": training.bank.measured_places,
            "limits": training.bank.limits,
            **begun,
        }
    }
    trained = output / f"{configuration}.weights.h5"
    log = json.dumps(section, indent=2) + "\n"
    write_files({trained: weights_file(run.averaged()), output / "training.json": log})
    say(f"{trained}: the averaged weights after {run.hours:.1f} h of audio; `dss export` makes a model")


def _check_distances(near: Range | None, far: Range | None) -> None:
    """A UsageError, unless near ends before far begins and all of it can be simulated."""
    for option, (low, high) in (("--near", near or NEAR), ("--far", far or FAR_OUTDOOR)):
        if not NEAREST <= low <= high <= FURTHEST:
            raise UsageError(
                f"{option} {low:g} {high:g}: LOW HIGH in metres, from {NEAREST:g} to {FURTHEST:g}, "
                "the greater one last"
            )
    near_end, far_begin = (near or NEAR)[1], (far or FAR_OUTDOOR)[0]
    if far_begin > LAST_THRESHOLD:
        raise UsageError(
            f"--far {far_begin:g}: begins at {LAST_THRESHOLD:g} m at the latest, rooms have to hold it"
        )
    if near_end > far_begin:
        raise UsageError(
            f"near ends at {near_end:g} m, after far begins at {far_begin:g} m; --near and --far move that"
        )


def _check_folder(folder: Path) -> None:
    """Make the folder of the run, and see that files can be made in it before hours are spent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise DssError(f"{folder}: cannot be written: {error.strerror}; name another RUN") from error


def _check_talkers(speech: Material, folder: Path, kinds: Iterable[str]) -> None:
    from ..simulation.scene_sampling import CONVERSATIONS, KINDS

    needed = max(sum((KINDS | CONVERSATIONS)[kind]) for kind in kinds)
    if (there := len(speech.spans)) < needed:
        raise DssError(
            f"{folder}: {there} talkers are too few, scenes have up to {needed} at once; a subfolder for "
            "each, or the column speaker of MANIFEST.csv, tells them apart"
        )


def _open_bank(
    path: Path, near: Range | None, far: Range | None, protocol: int | None, rirs: Path | None
) -> Bank:
    """A bank with places indoors and outdoors, and of what is asked for where it is given."""
    from ..simulation.rir_bank import Bank

    bank = Bank.load(path)
    for option, asked, there in (("--near", near, bank.near), ("--far", far, bank.far)):
        if asked is not None and asked != there:
            raise UsageError(
                f"{path}: simulated with {option} {there[0]:g} {there[1]:g}, not {asked[0]:g} {asked[1]:g}; "
                "begin another RUN or name another --bank"
            )
    if protocol not in (None, bank.protocol):
        raise UsageError(
            f"{path}: rooms of protocol {bank.protocol}, not {protocol}; begin another RUN or name another "
            "--bank"
        )
    if rirs is not None and not bank.measured_places:
        raise UsageError(
            f"{path}: simulated without --rirs; begin another RUN, name another --bank or leave --rirs out"
        )
    if bank.outdoor.all() or not bank.outdoor.any():
        lacking = "indoors" if bank.outdoor.all() else "outdoors"
        raise DssError(f"{path}: no place {lacking}, and scenes are in both; name another --bank")
    return bank


def _begun_with(weights: Path) -> dict[str, Any]:
    """Which weights, and the hours of audio that they had seen, if the card or the run beside them tells."""
    if not weights.is_file():
        raise DssError(f"{weights}: no such file")
    card = weights.with_name(weights.name.removesuffix(".weights.h5") + ".json")
    for path in filter(Path.is_file, (card, weights.with_name("training.json"))):
        try:
            seen = json.loads(path.read_bytes()).get("training", {})
            if "hours" in seen:
                hours = round(seen["hours"] + seen.get("hours_before", 0), 1)
                return {"begun_with": weights.name, "hours_before": hours}
        except (ValueError, AttributeError, TypeError) as error:
            raise DssError(f"{path}: not the card of {weights.name}: {error}; mend or remove it") from error
    return {"begun_with": weights.name}


def _split(folder: Path, split: str) -> str | None:
    return split if (folder / "MANIFEST.csv").exists() else None


def _told(row: dict[str, Any]) -> str:
    from ..network.weights import few_of

    if "settings" in row:
        layers = "".join(
            f", layers {what}: {few_of(row[key])}"
            for what, key in (("begun afresh", "fresh"), ("left out", "left"))
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
