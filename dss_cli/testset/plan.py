"""Plan of a test set: its settings and material. A plan is small, picklable and can be written as JSON."""

from __future__ import annotations

import csv
import functools
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._version import __version__
from ..constants import SAMPLE_RATE
from ..errors import DssError, UsageError
from ..simulation.corpus import Material, load_noise, load_speech
from ..simulation.measured_rirs import load_rooms
from ..simulation.synthetic import load_synthetic
from .format import CUSTOM, SCHEMA
from .render import Ingredients
from .responses import PROTOCOL
from .stories import LEAST, MOST, STORIES
from .strata import COUNT, Cells, Stratum, preset

USUAL = "standard"  # default preset
SECONDS = 5.0  # default duration of a scene
SYNTHETIC = "synthetic"  # instead of a folder's name


@dataclass(frozen=True)
class Plan:
    """Plan of a test set.

    Attributes:
        preset: name of the preset, or "custom".
        strata: strata; the scenes are numbered through them in this order.
        count: scenes of each stratum.
        seed: seed of all random numbers.
        seconds: duration of the scenes of strata without their own duration.
        threshold: distance between near and far in metres in every stratum, or None.
        speech, noise, rirs: folders of the material; without speech the voices are synthetic.
        split: split of the manifests of speech and noise, and of responses (with protocol 1 only if there are
            conversations); None for all splits.
        noise_stems: whether the noise is written too.
        rate: sample rate of the files in Hz; scenes are rendered at 16 kHz.
        format: format of the files: "flac" (24-bit) or "wav" (32-bit float).
        protocol: protocol of the simulated rooms, 1 or 2.
    """

    preset: str
    strata: tuple[Stratum, ...]
    count: int
    seed: int
    seconds: float
    threshold: float | None
    speech: Path | None
    noise: Path | None
    rirs: Path | None
    split: str | None
    noise_stems: bool
    rate: int
    format: str
    protocol: int = PROTOCOL

    def __len__(self) -> int:
        return len(self.strata) * self.count

    def scene(self, number: int) -> tuple[Stratum, int]:
        """Return stratum and index of scene `number`."""
        return self.strata[number // self.count], number % self.count

    def scenes(self) -> Iterator[tuple[Stratum, int]]:
        """Yield stratum and index of every scene, in order."""
        return map(self.scene, range(len(self)))

    def ingredients(self) -> Ingredients:
        """Return the material, which is read once per process.

        Raises:
            DssError: a folder is missing, or its content cannot be read.
        """
        return _ingredients(*self._material)

    @property
    def _material(self) -> tuple[Path | None, Path | None, Path | None, str | None, str | None]:
        rirs_split = _rirs_split(self.strata, self.split, self.protocol)
        return self.speech, self.noise, self.rirs, self.split, rirs_split

    def settings(self) -> dict[str, Any]:
        """Return the settings that identify the test set: equal settings give equal files."""
        return {
            "schema": SCHEMA,
            "version": __version__,
            "preset": self.preset,
            "protocol": self.protocol,
            "seed": self.seed,
            "rate": self.rate,
            "band_hz": min(self.rate, SAMPLE_RATE) / 2,
            "format": self.format,
            "seconds": self.seconds if any(s.seconds is None for s in self.strata) else None,
            "threshold_m": self.threshold,
            "split": self.split,
            "speech": self.speech.resolve().name if self.speech else SYNTHETIC,
            "noise": self.noise and self.noise.resolve().name,
            "rirs": self.rirs and self.rirs.resolve().name,
            "noise_stems": self.noise_stems,
            "strata": {stratum.name: self.count for stratum in self.strata},
            "scenes": len(self),
            "material": _described(*self._material),
        }


def draw_up(
    speech: Path | None,
    noise: Path | None = None,
    rirs: Path | None = None,
    *,
    split: str | None = None,
    name: str | None = None,
    cells: Cells | None = None,
    seed: int = 0,
    seconds: float | None = None,
    count: int | None = None,
    threshold: float | None = None,
    noise_stems: bool = False,
    rate: int = SAMPLE_RATE,
    format: str = "flac",
    protocol: int = PROTOCOL,
) -> tuple[Plan, list[str]]:
    """Make the plan of a test set, and check that the material suffices.

    Args:
        speech, noise, rirs, split, seed, threshold, noise_stems, rate, format, protocol: as in `Plan`.
        seconds: as in `Plan`; 5 by default.
        name: name of a preset, `standard` by default.
        cells: strata to use instead of a preset.
        count: scenes of each stratum; by default as the preset has it.

    Returns:
        The plan, and one line about each part that is left out or replaced.

    Raises:
        UsageError: the material suffices for no stratum, or options exclude each other.
        DssError: material cannot be read.
    """
    cells = cells or Cells()
    chosen, strata, usual = _choose(name, cells, threshold, rirs)
    what = ", ".join(cells.given) or f"--preset {chosen}"
    if seconds is not None and not cells.given and any(stratum.seconds for stratum in strata):
        raise UsageError(f"--seconds and {what}: its conversations have their own durations; drop --seconds")
    notes: list[str] = []
    ingredients = _ingredients(speech, noise, rirs, split, _rirs_split(strata, split, protocol))
    if speech is None:
        notes.append("without --speech the voices are synthetic: scores on them say little of real ones")
    material = (ingredients.speech, ingredients.noise, ingredients.rooms)
    notes += [note for part in material if part is not None for note in part.notes]
    if ingredients.noise is None and any(stratum.snr_db is not None for stratum in strata):
        if any(stratum.category for stratum in strata):
            raise UsageError(f"{what}: categories of noise need --noise, a folder of recordings")
        notes.append("without --noise scenes have only the microphone's own noise")
        strata = [stratum.without_noise() for stratum in strata]
    strata = list({stratum.name: stratum for stratum in strata}.values())
    for category in dict.fromkeys(s.category for s in strata if s.category):
        if not ingredients.noises(category):
            notes.append(f"{noise}: no noise of category {category!r}; its strata are left out")
            strata = [stratum for stratum in strata if stratum.category != category]
    for kind in dict.fromkeys(stratum.kind for stratum in strata):
        why = _lacking(kind, ingredients)
        if why:
            notes.append(f"{why}; the strata of {kind} are left out")
            strata = [stratum for stratum in strata if stratum.kind != kind]
    if not strata:
        raise UsageError(f"nothing of {what} can be made: {'; '.join(notes)}")
    plan = Plan(
        chosen,
        tuple(strata),
        usual if count is None else count,
        seed,
        SECONDS if seconds is None else seconds,
        threshold,
        speech,
        noise,
        rirs,
        split,
        noise_stems,
        rate,
        format,
        protocol,
    )
    return plan, notes


def _choose(
    name: str | None, cells: Cells, threshold: float | None, rirs: Path | None
) -> tuple[str, list[Stratum], int]:
    """Return name, strata and default count for the options, regardless of the material."""
    if cells.given and name is not None:
        raise UsageError(
            f"{cells.given[0]} and --preset {name}: a preset has its own strata; drop one of them"
        )
    distances = {"--environment", "--near"}.intersection(cells.given)
    if threshold is not None:
        distances.add("--threshold")
    if rirs is not None and distances:
        raise UsageError(f"{min(distances)} and --rirs: the distances of measured rooms are fixed")
    if cells.given:
        strata, usual, name = cells.strata(threshold), COUNT, CUSTOM
    else:
        name = name or USUAL
        strata, usual = preset(name)
    if threshold is not None:
        strata = [stratum.split_at(threshold, cells.near) for stratum in strata]
    if rirs is not None:
        strata = [stratum.measured() for stratum in strata]
    return name, strata, usual


def _lacking(kind: str, ingredients: Ingredients) -> str | None:
    needed = sum(MOST[kind])
    talkers = len(ingredients.speech.spans)
    if talkers < needed:
        return f"{talkers} talkers are too few"
    if ingredients.rooms is not None and not ingredients.rooms.fits(*LEAST[kind]):
        return "no measured room has enough responses of one microphone"
    return None


def _rirs_split(strata: Iterable[Stratum], split: str | None, protocol: int) -> str | None:
    """Return the split of measured responses; protocol 1 without conversations uses all rooms."""
    return split if protocol > 1 or any(stratum.kind in STORIES for stratum in strata) else None


@functools.lru_cache(maxsize=2)
def _ingredients(
    speech: Path | None, noise: Path | None, rirs: Path | None, split: str | None, rirs_split: str | None
) -> Ingredients:
    for folder in (speech, noise, rirs):
        if folder is not None and not folder.is_dir():
            raise DssError(f"{folder}: no such folder")
    sounds = None if noise is None else load_noise(noise, split)
    return Ingredients(
        load_synthetic() if speech is None else load_speech(speech, split),
        sounds,
        () if noise is None or sounds is None else _categories(noise, sounds),
        None if rirs is None else load_rooms(rirs, rirs_split),
    )


def _categories(folder: Path, noise: Material) -> tuple[str, ...]:
    """Return the category of each recording, from the manifest or else the name of its folder."""
    manifest = folder / "MANIFEST.csv"
    known: dict[str, str] = {}
    if manifest.is_file():
        with manifest.open(newline="", encoding="utf-8") as handle:
            known = {row["path"]: row.get("category") or "" for row in csv.DictReader(handle)}
        return tuple(known.get(name, "") for name in noise.names.tolist())
    return tuple(name.split("/")[0] if "/" in name else "" for name in noise.names.tolist())


@functools.lru_cache(maxsize=2)
def _described(
    speech: Path | None, noise: Path | None, rirs: Path | None, split: str | None, rirs_split: str | None
) -> dict[str, Any]:
    material = _ingredients(speech, noise, rirs, split, rirs_split)
    rooms = material.rooms
    return {
        "speech": _recordings(material.speech, "talkers"),
        "noise": material.noise and _recordings(material.noise, "recordings"),
        "rirs": rooms and {"places": len(rooms.places), "sha256": rooms.digest()},
    }


def _recordings(material: Material, of: str) -> dict[str, Any]:
    return {
        of: len(material.spans),
        "seconds": round(material.seconds, 1),
        "sha256": hashlib.sha256(material.samples.tobytes()).hexdigest(),
    }
