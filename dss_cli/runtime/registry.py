"""Registry of models: bundled models, the user's models and paths, with their cards and checksums."""

from __future__ import annotations

import hashlib
import json
import math
import os
import reprlib
import stat
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from ..constants import MAX_OVERLAP, OVERLAP, SignalConfig
from ..errors import DssError, UsageError
from ..utils.bundled import bundled_folder
from .timing import Timing

SCHEMA = 1  # version of the model card
SUFFIX = ".tflite"
MAX_SIZE = 2**22  # numbers in one state
_LARGEST_MODEL = (1 << 31) - 1  # bytes; flatbuffer offsets have 31 bits
_LARGEST_CARD = 1 << 24  # bytes; the cards of the bundled models have about 200,000
_REQUIRED = {"name", "sha256", "bytes", "signal", "overlap"}
_OBJECT, _NUMBER = (dict, "an object"), ((int, float), "a number")
_TYPES: dict[str, tuple[Any, str]] = {
    "signal": _OBJECT,
    "bytes": (int, "a whole number"),
    "parameters": (int, "a whole number"),
    "macs_per_second": _NUMBER,
    "latency_seconds": _NUMBER,
    "training": _OBJECT,
    "scores": _OBJECT,
    "limits": _OBJECT,
    "checks": (list, "a list"),
    "configuration": (str, "a text"),
}


@dataclass(frozen=True)
class Model:
    """Model file that matches its card.

    Attributes:
        name: name of the model, which is the stem of the file's name.
        path: path of the `.tflite` file.
        card: content of the model card.
        signal: signal constants from the card.
        overlap: overlap of consecutive chunks, as a share of a chunk.
        state: shapes of the states that the model carries from chunk to chunk, by name; empty: no context.
        timings: timings of shorter chunks, for shorter latencies.
    """

    name: str
    path: Path
    card: dict[str, Any]
    signal: SignalConfig
    overlap: float = OVERLAP
    state: dict[str, tuple[int, ...]] = field(default_factory=dict)
    timings: tuple[Timing, ...] = ()

    @property
    def untrained(self) -> bool:
        """Mark of random weights: such a model separates nothing."""
        return bool(self.card.get("training", {}).get("untrained"))

    @property
    def lengths(self) -> tuple[int, ...]:
        """Chunk lengths that the model accepts, in frames, longest first."""
        shorter = {timing.frames for timing in self.timings} - {self.signal.frames}
        return self.signal.frames, *sorted(shorter, reverse=True)


def find_model(name_or_path: str | os.PathLike[str]) -> Model:
    """Load a model by its name, or by the path of a `.tflite` file with its card (`.json`) beside it.

    Names are searched among the bundled models first, then in the user's folder.

    Raises:
        UsageError: there is no model of that name; the message lists the existing names.
        DssError: the file or the card is missing or damaged, the card has another schema, or card and file
            do not match.
    """
    return load(model_path(name_or_path))


def model_path(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the path of a model by its name, or a given path unchanged; nothing is read.

    Raises:
        UsageError: there is no model of that name; the message lists the existing names.
    """
    text = os.fspath(name_or_path)
    if not isinstance(name_or_path, str) or text.endswith(SUFFIX) or Path(text).name != text:
        return Path(text)
    for folder in folders():
        path = folder / f"{text}{SUFFIX}"
        if path.exists():
            return path
    names = sorted({path.stem for folder in folders() for path in folder.glob(f"*{SUFFIX}")})
    raise UsageError(
        f"no model called {text!r}: there is {', '.join(names) or 'none'}; "
        f"a path ending in {SUFFIX} names any other"
    )


def anywhere(name_or_path: str) -> str:
    """Return a name or absolute path that other processes, in any working directory, can use."""
    path = model_path(name_or_path)
    return str(path.absolute()) if path == Path(name_or_path) else name_or_path


def list_models(warn: Callable[[str], None] = warnings.warn) -> list[Model]:
    """Return all usable models, bundled ones first.

    Args:
        warn: receives one line for each model that is damaged, or hidden by an earlier model of that name.
    """
    models: dict[str, Model] = {}
    for folder in folders():
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            try:
                model = load(path)
            except DssError as error:
                warn(str(error))
                continue
            if model.name in models:
                warn(f"{path}: hidden by {models[model.name].path}; use its path")
            models.setdefault(model.name, model)
    return list(models.values())


def folders() -> list[Path]:
    """Return the folders that are searched for models: the bundled one, then the user's."""
    return [bundled_folder("models"), platformdirs.user_data_path("dss") / "models"]


def load(path: Path) -> Model:
    """Load the model in a `.tflite` file, and check it against the card beside it.

    Raises:
        DssError: as `find_model`.
    """
    if path.suffix != SUFFIX:
        raise DssError(f"{path}: not the path of a {SUFFIX} file")
    size = _size(path, "the model", _LARGEST_MODEL)
    card_path = path.with_suffix(".json")
    card = _card(card_path)
    if card["name"] != path.stem:
        raise DssError(f"{card_path}: the card of {_shown(card['name'])}, not of {path.stem!r}")
    if size != card["bytes"]:
        raise DssError(
            f"{path}: {size} bytes where the card says {_shown(card['bytes'])}: truncated, or another file"
        )
    if hashlib.sha256(_read(path, "the model")).hexdigest() != card["sha256"]:
        raise DssError(f"{path}: damaged, or another file: its sha256 is not the card's")
    try:
        signal = SignalConfig.from_dict(card["signal"])
    except (DssError, TypeError) as error:
        raise DssError(f"{card_path}: {error}") from error
    overlap = card["overlap"]
    if not isinstance(overlap, int | float) or isinstance(overlap, bool) or not 0 <= overlap <= MAX_OVERLAP:
        raise DssError(f"{card_path}: overlap {_shown(overlap)} lies outside 0 to {MAX_OVERLAP}")
    state, timings = _state(card.get("state", {}), card_path), _timings(card.get("latencies", []), card_path)
    if too_long := [timing for timing in timings if timing.frames > signal.frames]:
        raise DssError(
            f"{card_path}: a latency has chunks of {too_long[0].frames} frames, more than the model"
        )
    return Model(path.stem, path, card, signal, float(overlap), state, timings)


def _state(state: Any, card_path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the states in a card.

    Raises:
        DssError: a shape does not have four sizes, or is too large.
    """
    if not isinstance(state, dict):
        raise DssError(f"{card_path}: state is {_shown(state)}, not an object of shapes by name")
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in state.items():
        whole = isinstance(shape, list) and all(type(size) is int and 0 < size <= MAX_SIZE for size in shape)
        if not whole or len(shape) != 4 or math.prod(shape) > MAX_SIZE:
            raise DssError(
                f"{card_path}: state {_shown(name)} is {_shown(shape)}, not the four sizes of a small tensor"
            )
        shapes[name] = tuple(shape)
    return shapes


def _timings(latencies: Any, card_path: Path) -> tuple[Timing, ...]:
    """Return the timings that a card lists as latencies.

    Raises:
        DssError: an entry is not a timing.
    """
    if not isinstance(latencies, list):
        raise DssError(f"{card_path}: latencies is {_shown(latencies)}, not a list")
    wanted = {"seconds", *Timing.__dataclass_fields__}
    timings = []
    for entry in latencies:
        if not isinstance(entry, dict) or set(entry) != wanted:
            raise DssError(
                f"{card_path}: latency {_shown(entry)} has not the keys {', '.join(sorted(wanted))}"
            )
        try:
            timings.append(Timing(**{name: entry[name] for name in Timing.__dataclass_fields__}))
        except DssError as error:
            raise DssError(f"{card_path}: {error}") from error
    return tuple(timings)


def _card(path: Path) -> dict[str, Any]:
    """Read a model card, and check the types of its fields.

    Raises:
        DssError: the file cannot be read, or is not a model card of this schema.
    """
    _size(path, "the model card", _LARGEST_CARD)
    try:
        card = json.loads(_read(path, "the model card"))
    except RecursionError as error:
        raise DssError(f"{path}: not a model card: nested too deeply") from error
    except ValueError as error:
        raise DssError(f"{path}: not a model card: {error}") from error
    if not isinstance(card, dict):
        raise DssError(f"{path}: not a model card: no JSON object")
    if card.get("schema") != SCHEMA:
        raise DssError(
            f"{path}: schema {_shown(card.get('schema'))} is not {SCHEMA}, "
            "the one that this version of dss reads"
        )
    if missing := _REQUIRED - set(card):
        raise DssError(f"{path}: no {', '.join(sorted(missing))} in the model card")
    for name, (kinds, article) in _TYPES.items():
        if name in card and (not isinstance(card[name], kinds) or isinstance(card[name], bool)):
            raise DssError(f"{path}: {name} is {_shown(card[name])}, not {article}")
    return card


def _shown(value: object) -> str:
    """Return any value as text for a message, shortened if it is long or deeply nested."""
    return reprlib.repr(value)


def read_model(path: Path) -> bytes:
    """Return the content of a model file.

    Raises:
        DssError: the file cannot be read, or is larger than 2 GiB.
    """
    _size(path, "the model", _LARGEST_MODEL)
    return _read(path, "the model")


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DssError(f"{path}: {what} cannot be read: {error.strerror}") from error


def _size(path: Path, what: str, limit: int) -> int:
    """Return the size of a regular file in bytes.

    Raises:
        DssError: the file cannot be read, is a device or a pipe, or is larger than `limit`.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise DssError(f"{path}: {what} cannot be read: {error.strerror}") from error
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise DssError(f"{path}: {what} cannot be read: not a plain file")
    if status.st_size > limit:
        raise DssError(f"{path}: {what} cannot be read: {status.st_size} bytes are more than {limit}")
    return status.st_size
