"""Prepare a training run: read speech and noise, simulate responses, draw validation scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from ..errors import DssError, UsageError
from ..simulation.corpus import Material, load_noise, load_speech
from ..simulation.measured_places import load_training_rooms
from ..simulation.recipe import CONVERSATIONS, KINDS
from ..simulation.rir_bank import FAR_SOURCES, NEAR_SOURCES, Bank, simulate_bank
from .config import RoomsConfig, TrainingConfig
from .data import Sources
from .validation import STRATA, Validation

VALIDATION_SEED = 1_000_000  # added to the seed for the validation places
VALIDATION_PLACES = 8  # training places per validation place
Say = Callable[[str], None]


class Prepared(NamedTuple):
    """Sources of a run's scenes, and its validation scenes, if any."""

    sources: Sources
    validation: Validation | None


def prepare_run(config: TrainingConfig, folder: Path, say: Say, warn: Say) -> Prepared:
    """Read the material of a run, then simulate missing places, which takes minutes.

    Args:
        config: settings of the run.
        folder: folder of the run, which keeps the banks of responses.
        say, warn: receive a line of progress, and a line of warning.

    Raises:
        DssError: material is missing, damaged or insufficient, or a file is not a bank.
        UsageError: no speech is named, or a bank has other rooms than the configuration.
    """
    speech, data = config.data.speech, config.data
    if speech is None:
        raise UsageError("no speech: name its folder with --speech, or as data.speech in the configuration")
    notes: dict[str, None] = {}

    def material(split: str, kinds: Iterable[str]) -> tuple[Material, Material | None]:
        spoken = load_speech(speech, _split(speech, split))
        _check_talkers(spoken, speech, kinds)
        sounds = None if data.noise is None else load_noise(data.noise, _split(data.noise, split))
        notes.update(dict.fromkeys(note for read in (spoken, sounds) if read for note in read.notes))
        return spoken, sounds

    reached = [kind for scenes in config.reached for kind in (*scenes.kinds, *scenes.outdoor_kinds)]
    spoken, sounds = material("train", reached)
    held_out = None
    if config.validation.scenes:
        held_out = material("dev", [kind for kind, _, _ in STRATA.values()])
        if _split(speech, "dev") is None:
            notes[f"{speech}: no MANIFEST.csv, so validation uses the talkers of training"] = None
    for note in notes:
        warn(note)
    seed, rooms, jobs = config.training.seed, config.rooms, config.machine.jobs
    bank = _bank(data.bank or folder / "bank.npz", rooms, rooms.places, seed, jobs, data.rirs, say)
    sources = Sources(spoken, sounds, bank)
    validation = None
    if held_out:
        count = max(2, rooms.places // VALIDATION_PLACES)
        other = _bank(folder / "bank-dev.npz", rooms, count, seed + VALIDATION_SEED, jobs, None, say)
        scenes = Sources(*held_out, other)
        validation = Validation.draw(scenes, config.network, config.validation.scenes, seed)
    say(
        f"{spoken.seconds / 3600:.1f} h of speech by {len(spoken.spans)} talkers, "
        f"{len(bank.responses)} places"
    )
    return Prepared(sources, validation)


def _bank(
    path: Path, rooms: RoomsConfig, count: int, seed: int, jobs: int, rirs: Path | None, say: Say
) -> Bank:
    """Read the bank of responses, or simulate it if the file does not exist."""
    if not path.exists():
        outdoor = max(1, count // 3)
        measured = None
        if rirs is not None:
            counts = (NEAR_SOURCES, FAR_SOURCES)
            measured = load_training_rooms(rirs, counts, _split(rirs, "train"), rooms.near, rooms.far)
        beside = "" if measured is None else f", and measured ones from {rirs}"
        say(f"{path}: simulating {count} places of protocol {rooms.protocol}{beside}")
        made = simulate_bank(
            seed,
            count - outdoor,
            outdoor,
            jobs,
            near=rooms.near,
            far=rooms.far,
            protocol=rooms.protocol,
            rooms=measured,
        )
        made.save(path)
    bank = Bank.load(path)
    _check_bank(bank, path, rooms, rirs)
    return bank


def _check_bank(bank: Bank, path: Path, rooms: RoomsConfig, rirs: Path | None) -> None:
    """Raise UsageError if a bank has other rooms than configured, DssError if it lacks a kind of place."""
    for name, asked, there in (("near", rooms.near, bank.near), ("far", rooms.far, bank.far)):
        if asked != there:
            raise UsageError(
                f"{path}: simulated with rooms.{name} = [{there[0]:g}, {there[1]:g}], not "
                f"[{asked[0]:g}, {asked[1]:g}]; begin another RUN, name another --bank or change the setting"
            )
    if rooms.protocol != bank.protocol:
        raise UsageError(
            f"{path}: rooms of protocol {bank.protocol}, not {rooms.protocol}; begin another RUN, name "
            "another --bank or change rooms.protocol"
        )
    if rirs is not None and not bank.measured_places:
        raise UsageError(
            f"{path}: simulated without --rirs; begin another RUN, name another --bank or leave --rirs out"
        )
    if bank.outdoor.all() or not bank.outdoor.any():
        lacking = "indoors" if bank.outdoor.all() else "outdoors"
        raise DssError(f"{path}: no place {lacking}, but scenes need both; name another --bank")


def _check_talkers(speech: Material, folder: Path, kinds: Iterable[str]) -> None:
    """Raise DssError if the speech has fewer talkers than scenes of these kinds have at once."""
    needed = max(sum((KINDS | CONVERSATIONS)[kind]) for kind in kinds)
    if (there := len(speech.spans)) < needed:
        raise DssError(
            f"{folder}: {there} talkers are too few, scenes have up to {needed} at once; a subfolder for "
            "each, or the column speaker of MANIFEST.csv, distinguishes them"
        )


def _split(folder: Path, split: str) -> str | None:
    """Return the split if the folder has a manifest, else None."""
    return split if (folder / "MANIFEST.csv").exists() else None
