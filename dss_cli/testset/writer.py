"""Write a test set scene by scene; an interrupted test set is continued.

Until the test set is complete, `.scenes/` holds the settings and the record of every finished scene. The
tables, the card and test-set.json are written last; then `.scenes/` is removed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.io import wavfile

from ..errors import UsageError
from ..utils.atomic_write import write_files
from ..utils.tables import csv_table
from .card import card
from .format import CARD, INDEX, MANIFEST, METADATA, PARTS, protocol_of
from .render import FULL_SCALE, RenderedScene


class TestSetFolder:
    """Folder of a test set, complete or not.

    Args:
        path: path of the folder; an existing folder must be empty or hold a part of the same test set.
        settings: settings from `Plan.settings`.
        ids: names of all scenes, in order.

    Raises:
        UsageError: the folder has other content.
    """

    __test__ = False  # pytest must not collect this class for its name

    def __init__(self, path: Path, settings: dict[str, Any], ids: Sequence[str]) -> None:
        self.path = path
        self.settings = settings
        self.ids = ids
        self.stems = (*PARTS, "noise") if settings["noise_stems"] else PARTS
        self._records = path / ".scenes"
        self.complete = (path / INDEX).exists()
        known = path / INDEX if self.complete else self._records / "settings.json"
        if known.exists():
            self._compare(known)
        elif path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(f"{path}: exists and is not a test set of this command; name a new folder")

    def begin(self) -> None:
        """Create the folders, and remove temporary files of killed runs."""
        for folder in (*self.stems, ".scenes"):
            (self.path / folder).mkdir(parents=True, exist_ok=True)
            for part in (self.path / folder).glob(".*.part"):
                part.unlink(missing_ok=True)
        if not (self._records / "settings.json").exists():
            write_files({self._records / "settings.json": _json(self.settings)})

    def missing(self) -> list[int]:
        """Return the numbers of the missing scenes."""
        return [
            number
            for number, name in enumerate(self.ids)
            if not (self._records / f"{name}.json").exists()
            or not all((self.path / self._file(stem, name)).exists() for stem in self.stems)
        ]

    def write(self, scene: RenderedScene) -> None:
        """Write one scene: first its stems together, then its record.

        Raises:
            DssError: a file cannot be written.
        """
        name, rate, encode = scene.record["id"], self.settings["rate"], ENCODERS[self.settings["format"]]
        files = {stem: self._file(stem, name) for stem in self.stems}
        write_files(
            {self.path / file: partial(encode, getattr(scene, stem), rate) for stem, file in files.items()}
        )
        write_files({self._records / f"{name}.json": _json({**scene.record, **files})})

    def finish(self) -> dict[str, Any]:
        """Write tables, card and index; return the index.

        Raises:
            DssError: a file cannot be written.
        """
        records = [json.loads((self._records / f"{name}.json").read_bytes()) for name in self.ids]
        index = {
            **self.settings,
            "redraws": sum(record["redraws"] for record in records),
            "complete": True,
        }
        write_files(
            {
                self.path / METADATA: "".join(json.dumps(record) + "\n" for record in records),
                self.path / MANIFEST: csv_table([_flat(record) for record in records]),
                self.path / CARD: card(index, records, self.stems),
            }
        )
        write_files({self.path / INDEX: _json(index)})
        shutil.rmtree(self._records)
        return index

    def index(self) -> dict[str, Any]:
        """Return the index of a complete test set."""
        index: dict[str, Any] = json.loads((self.path / INDEX).read_bytes())
        return index

    def _file(self, stem: str, name: str) -> str:
        return f"{stem}/{name}.{self.settings['format']}"

    def _compare(self, known: Path) -> None:
        try:
            there = json.loads(known.read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError(f"{known}: damaged ({error}); name a new folder") from None
        there["protocol"] = protocol_of(there)
        for key, value in json.loads(_json(self.settings)).items():
            if there.get(key) != value:
                raise UsageError(
                    f"{self.path}: holds another test set with a different {key}"
                    f"{_difference(there.get(key), value)}; name a new folder"
                )


def _difference(there: object, asked: object) -> str:
    plain = (str, int, float, type(None))
    return f" ({there}, not {asked})" if isinstance(there, plain) and isinstance(asked, plain) else ""


def _flac(samples: NDArray[np.int32], rate: int, file: BinaryIO) -> None:
    try:  # libsndfile expects 24-bit samples in the upper bits of 32
        soundfile.write(file, samples << 8, rate, format="FLAC", subtype="PCM_24")
    except soundfile.SoundFileError as error:
        raise OSError(str(error)) from None


def _float_wav(samples: NDArray[np.int32], rate: int, file: BinaryIO) -> None:
    """Write the same values, exact in 32-bit floats; libsndfile would add the time to the header."""
    wavfile.write(file, rate, samples.astype(np.float32) / np.float32(FULL_SCALE))


ENCODERS = {"flac": _flac, "wav": _float_wav}  # by extension


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Return a flat table row: items of lists and objects become columns such as `a.0` or `a.b`."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        inner = {str(i): v for i, v in enumerate(value)} if isinstance(value, list) else value
        if isinstance(inner, dict):
            flat |= {f"{key}.{name}": v for name, v in _flat(inner).items()}
        else:
            flat[key] = value
    return flat
