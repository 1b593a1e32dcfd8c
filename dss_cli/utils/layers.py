"""Layered settings: the TOML files of an `extends` chain, merged, with single values set on top."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, Union

from ..errors import DssError, UsageError
from .toml_text import is_tables, told

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Table = dict[str, Any]


@dataclass
class Layers:
    """Merged tables of settings files and `--set` options, with the origin of each value.

    Attributes:
        schema: the dataclass that the tables describe.
        values: the merged nested tables.
        origins: file or option of each given table and value, by dotted name.
    """

    schema: type
    values: Table
    origins: dict[str, str]

    def put(self, given: Mapping[str, Any], origin: str) -> None:
        """Merge the tables of one file or option over the current values."""
        self.origins |= dict.fromkeys(_names(given), origin)
        self.values = merged(self.values, given, self.schema)

    def set(self, text: str) -> None:
        """Set one value by `TABLE.KEY=VALUE`; the value is in TOML syntax, and a bare word is a string.

        Raises:
            UsageError: `=` or a part of the name is missing, or a list has no such entry.
        """
        name, equals, value = text.partition("=")
        keys = name.strip().split(".")
        if not equals or not all(keys):
            raise UsageError(f"--set {text}: TABLE.KEY=VALUE, as in --set training.batch=32")
        try:
            parsed = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            parsed = value.strip()
        try:
            self.values = _placed(self.values, keys, parsed)
        except LookupError as error:
            raise UsageError(f"--set {text}: {error.args[0]}") from None
        self.origins[".".join(keys)] = f"--set {text}"

    def origin(self, name: str) -> str:
        """Return the file or option that gave the value `name`, or else its nearest enclosing table."""
        while name and name not in self.origins:
            name = name.rpartition(".")[0]
        return self.origins.get(name, self.origins.get("", "settings"))

    def refusal(self, name: str, value: Any, wanted: str) -> UsageError:
        """Return the error for an invalid value: its origin, its name and value, and what is expected."""
        origin = self.origin(name)
        given = "" if origin.startswith("--set ") else f"{name} = {told(value)}: "
        return UsageError(f"{origin}: {given}{wanted}")


def read_layers(schema: type, file: str | Path, folder: Path) -> Layers:
    """Read a TOML file and the files that it extends, directly or indirectly.

    Args:
        schema: the dataclass that the file describes.
        file: path of a .toml file, or the name of a file in `folder` without its suffix.
        folder: folder of the bundled files.

    Raises:
        DssError: a file cannot be read.
        UsageError: a file is not TOML, names no existing bundled file, or extends itself through others.
    """
    chain: list[tuple[Path, Table]] = []
    path = find_settings(file, folder)
    while True:
        if any(path == seen for seen, _ in chain):
            raise UsageError(f"{path}: extends itself; name another file in `extends`")
        table = _parsed(path)
        chain.append((path, table))
        if (base := table.pop("extends", None)) is None:
            break
        if not isinstance(base, str):
            raise UsageError(f"{path}: extends = {told(base)}: a file, or the name of a bundled one")
        path = find_settings(path.parent / base if base.endswith(".toml") else base, folder)
    outermost = chain[0][0]
    layers = Layers(schema, {}, {"": str(outermost)})
    for path, table in reversed(chain):
        layers.put(table, str(path))
    return layers


def find_settings(file: str | Path, folder: Path) -> Path:
    """Return the path of a settings file, or of the bundled file with that name.

    Raises:
        UsageError: no bundled file has that name.
    """
    if (path := Path(file)).suffix == ".toml":
        return path
    bundled = folder / f"{file}.toml"
    if not bundled.is_file():
        names = ", ".join(sorted(path.stem for path in folder.glob("*.toml")))
        raise UsageError(f"unknown configuration {str(file)!r}: name a .toml file, or one of {names}")
    return bundled


def _names(table: Any, name: str = "") -> Iterator[str]:
    """Yield the dotted names of all tables and values."""
    if name:
        yield name
    entries = table.items() if isinstance(table, Mapping) else enumerate(table)
    for key, value in entries:
        inner_name = f"{name}.{key}" if name else str(key)
        if isinstance(value, Mapping) or is_tables(value):
            yield from _names(value, inner_name)
        else:
            yield inner_name


def merged(below: Any, above: Mapping[str, Any], schema: type) -> Table:
    """Return `below` updated by `above`, table by table; a table of another `kind` replaces all of it."""
    if not isinstance(below, dict) or above.get("kind", below.get("kind")) != below.get("kind"):
        return dict(above)
    hints = _all_hints(schema)
    result = dict(below)
    for key, value in above.items():
        inner = _table_type(hints.get(key))
        result[key] = merged(below.get(key), value, inner) if inner and isinstance(value, dict) else value
    return result


def _all_hints(schema: type) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for cls in (schema, *schema.__subclasses__()):
        hints |= typing.get_type_hints(cls)
    return hints


def _table_type(hint: Any) -> type | None:
    """Return the dataclass in a type hint, None if the hint has none."""
    options = typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else (hint,)
    return next((o for o in options if isinstance(o, type) and is_dataclass(o)), None)


def _placed(within: Any, keys: Sequence[str], value: Any) -> Any:
    """Return a copy of `within` with `value` at the path `keys` (keys of tables, indices of lists).

    Raises:
        LookupError: a list has no such entry.
    """
    if not keys:
        return value
    key, *rest = keys
    if not isinstance(within, list):
        table = within if isinstance(within, dict) else {}
        return {**table, key: _placed(table.get(key), rest, value)}
    if not key.isdecimal() or int(key) >= len(within):
        raise LookupError(f"{key} is no entry: there are 0 to {len(within) - 1}")
    return [_placed(entry, rest, value) if i == int(key) else entry for i, entry in enumerate(within)]


def _parsed(path: Path) -> Table:
    try:
        return dict(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DssError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
