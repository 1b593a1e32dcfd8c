"""Settings as TOML text, and the differences between two tables of settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any


def to_table(settings: Any) -> dict[str, Any]:
    """Return a dataclass of settings as nested tables; `settings.build_settings` reads them back."""
    kind = getattr(settings, "kind", None)
    own = {f.name: _plain(getattr(settings, f.name)) for f in fields(settings)}
    return own if kind is None else {"kind": kind, **own}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_table(value)
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    return False if value is None else value


def to_toml(table: Mapping[str, Any], name: str = "") -> str:
    """Return nested tables as TOML text."""
    lines, below = [], []
    for key, value in table.items():
        dotted = f"{name}.{key}" if name else key
        if isinstance(value, dict):
            below.append(f"\n[{dotted}]\n{to_toml(value, dotted)}")
        elif is_tables(value):
            below += [f"\n[[{dotted}]]\n{to_toml(v, dotted)}" for v in value]
        else:
            lines.append(f"{_key(key)} = {told(value)}\n")
    return "".join(lines + below)


def told(value: Any) -> str:
    """Return one value in TOML syntax, for files and messages; None becomes "nothing"."""
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(k)} = {told(v)}" for k, v in value.items())
        return f"{{ {pairs} }}" if value else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(told, value))}]"
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def is_tables(value: Any) -> bool:
    """Return whether a value is a list of tables."""
    return isinstance(value, list) and any(isinstance(v, Mapping) for v in value)


def changed_settings(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield (dotted name, first value, second value) of each differing setting; None if it is missing."""
    first, second = (dict(_leaves(table)) for table in (one, other))
    for name in dict.fromkeys([*first, *second]):
        if first.get(name) != second.get(name):
            yield name, first.get(name), second.get(name)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping) and not is_tables(value):
        yield name, value
        return
    for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
        yield from _leaves(inner, f"{name}.{key}" if name else str(key))


def _key(key: str) -> str:
    return key if key.isidentifier() and key.isascii() else json.dumps(key)
