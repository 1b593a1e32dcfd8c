"""Read a test set as written by `dss simulate-test-set`, and check it before scoring."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from ..audio import AudioReader
from ..errors import DssError
from ..testset.format import INDEX, METADATA, PARTS, SCHEMA, protocol_of

Floats = npt.NDArray[np.float32]

_SETTINGS = ("preset", "seed", "version", "rate", "seconds", "threshold_m")
_MATERIAL = ("split", "speech", "noise", "rirs")


@dataclass(frozen=True)
class ScoredScene:
    """Files and description of one scene.

    Attributes:
        id: stable and unique name of the scene, the stem of its file names.
        stratum: stratum in which the scene is reported.
        kind: near-only, far-only, 1N+1F, ...
        environment: indoor, outdoor or measured.
        snr_db: signal-to-noise ratio in dB; None without noise.
        ur0: whether a near talker is in the boundary band.
        near_m, far_m: distance of the closest near and far talker in metres; None without one.
        files: path by part: mixture, near, far.
        starts: role and second of each talker's first turn, if the test set states them.
        scored: start and end in seconds of the scored part; None: the whole scene.
        pair: id of the scene with the same conversation alone, or None.
    """

    id: str
    stratum: str
    kind: str
    environment: str
    snr_db: float | None
    ur0: bool
    near_m: float | None
    far_m: float | None
    files: dict[str, Path]
    starts: tuple[tuple[str, float], ...] = ()
    scored: tuple[float, float] | None = None
    pair: str | None = None

    def read(self, part: str, rate: int, frames: int | None = None) -> Floats:
        """Return the samples of one part, `(samples,)`.

        Raises:
            DssError: as `read_part`.
        """
        return read_part(self.files[part], rate, frames)


@dataclass(frozen=True)
class TestSet:
    """Complete test set.

    Attributes:
        path: folder of the test set.
        rate: sample rate of all files in Hz.
        about: name, preset, seed and other identifying settings, for JSON.
        scenes: scenes in order of the test set's strata, then by id.
    """

    __test__ = False  # pytest must not collect this class for its name

    path: Path
    rate: int
    about: dict[str, Any]
    scenes: list[ScoredScene]


def read_test_set(path: Path) -> TestSet:
    """Read and check the description of a test set; audio files must exist, but are not read.

    Raises:
        DssError: the folder is not a test set, the test set is unfinished or has another schema, a line is
            damaged, or a file is missing. The message names the file.
    """
    header_path, lines_path = path / INDEX, path / METADATA
    header = _object(_read(header_path).decode("utf-8", "replace"), str(header_path))
    if header.get("schema") != SCHEMA:
        raise DssError(
            f"{header_path}: schema {header.get('schema')!r} is not {SCHEMA}, the one that this "
            "version of dss reads"
        )
    if header.get("complete") is not True:
        raise DssError(f"{header_path}: the test set is not complete; `dss simulate-test-set` resumes it")
    if not isinstance(header.get("rate"), int):
        raise DssError(f"{header_path}: rate {header.get('rate')!r} is not a number of Hz")
    data = _read(lines_path)
    lines = data.decode("utf-8", "replace").splitlines()
    scenes = [_scene(path, line, f"{lines_path}: line {n}") for n, line in enumerate(lines, 1)]
    if not scenes:
        raise DssError(f"{lines_path}: no scene in it")
    if header.get("scenes", len(scenes)) != len(scenes):
        raise DssError(f"{lines_path}: {len(scenes)} scenes where {header_path} says {header['scenes']}")
    seen: set[str] = set()
    for number, scene in enumerate(scenes, 1):
        if scene.id in seen:
            raise DssError(f"{lines_path}: line {number}: scene {scene.id!r} a second time")
        seen.add(scene.id)
        for file in scene.files.values():
            if not file.is_file():
                raise DssError(f"{file}: missing, though {lines_path} lists it")
    about = {
        "name": path.resolve().name,
        **{key: header.get(key) for key in (*_SETTINGS, *_MATERIAL)},
        "protocol": protocol_of(header),
        "scenes": len(scenes),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    order = {stratum: number for number, stratum in enumerate(header.get("strata") or ())}
    scenes.sort(key=lambda scene: (order.get(scene.stratum, len(order)), scene.id))
    return TestSet(path, header["rate"], about, scenes)


def read_part(path: Path, rate: int, frames: int | None = None) -> Floats:
    """Return all samples of a one-channel file, `(samples,)`.

    Args:
        path: path of the file.
        rate: required sample rate in Hz.
        frames: required number of frames; None: any.

    Raises:
        DssError: the file is unreadable or damaged, has another rate or length, or has several channels.
    """
    with AudioReader(path, strict=True) as reader:
        if reader.samplerate != rate:
            raise DssError(f"{path}: {reader.samplerate} Hz where the test set has {rate} Hz; resample it")
        if reader.channels != 1:
            raise DssError(f"{path}: {reader.channels} channels where the test set has one")
        samples = np.concatenate([block[:, 0] for block in reader.blocks()])
    if frames is not None and len(samples) != frames:
        raise DssError(f"{path}: {len(samples)} frames where its mixture has {frames}")
    return samples


def _scene(folder: Path, line: str, place: str) -> ScoredScene:
    values = _object(line, place)
    try:
        name, kind = values["id"], values["kind"]
        if not isinstance(name, str) or Path(name).name != name:
            raise DssError(f"{place}: id {name!r} is not a file name")
        distances: dict[str, list[float]] = {"near": [], "far": []}
        for talker in values["talkers"]:
            distances[talker["role"]].append(float(talker["distance_m"]))
        snr, scored, pair = values["snr_db"], values.get("scored_s"), values.get("pair")
        first = [(t["role"], t["turns_s"][0][0]) for t in values["talkers"] if t.get("turns_s")]
        return ScoredScene(
            id=name,
            stratum=str(values["stratum"]),
            kind=str(kind),
            environment=str(values["environment"]),
            snr_db=None if snr is None else float(snr),
            ur0=bool(values["ur0"]),
            near_m=min(distances["near"], default=None),
            far_m=min(distances["far"], default=None),
            files={part: _inside(folder, values[part], f"{place}: {part}") for part in PARTS},
            starts=tuple((role, float(start)) for role, start in first),
            scored=None if scored is None else (float(scored[0]), float(scored[1])),
            pair=None if pair is None else str(pair),
        )
    except KeyError as error:
        raise DssError(f"{place}: no {error.args[0]!r}") from error
    except (IndexError, TypeError, ValueError) as error:
        raise DssError(f"{place}: damaged: {error}") from error


def _inside(folder: Path, name: object, place: str) -> Path:
    """Return the path of a file inside the test set's folder; refuse paths that lead out of the folder."""
    parts = PurePosixPath(name).parts if isinstance(name, str) and "\\" not in name else ()
    if not parts or ".." in parts or Path(*parts).is_absolute() or "\0" in str(name):
        raise DssError(f"{place} {name!r} is not a path inside the test set's folder")
    return folder.joinpath(*parts)


def _object(text: str, place: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise DssError(f"{place}: damaged: {error}") from error
    if not isinstance(values, dict):
        raise DssError(f"{place}: damaged: not a JSON object")
    return values


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DssError(
            f"{path}: {error.strerror}; a test set, as `dss simulate-test-set` makes it, has this file"
        ) from error
