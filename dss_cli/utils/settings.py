"""Build frozen dataclasses of settings from TOML tables; errors name the setting and its file.

If a dataclass is abstract, the key `kind` of the table selects the subclass. `false` switches an optional
setting off. Lists of numbers must be sorted in ascending order.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import math
import types
import typing
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union

from ..errors import DssError, UsageError
from .layers import Layers, Table
from .toml_text import told

T = TypeVar("T")


@dataclass(frozen=True)
class Bounds:
    """Allowed range of a number, or of each number of a list, ends included."""

    least: float = -float("inf")
    most: float = float("inf")

    def __str__(self) -> str:
        if self.most == float("inf"):
            return f"at least {self.least:g}"
        return f"from {self.least:g} to {self.most:g}"


Share = Annotated[float, Bounds(0, 1)]
Count = Annotated[int, Bounds(0)]
Positive = Annotated[int, Bounds(1)]
Weight = Annotated[float, Bounds(0)]


def build_settings(cls: type[T], layers: Layers, values: Any = None, name: str = "") -> T:
    """Build a dataclass from merged tables, with checks of names, types and ranges.

    Args:
        cls: the dataclass; if it is abstract, the table's `kind` selects the subclass.
        layers: the merged tables, which also know the origin of each value.
        values: the table to read; by default the outermost one.
        name: dotted name of the table, empty for the outermost one.

    Raises:
        UsageError: a key is unknown or missing, or a value has a wrong type or is out of range.
    """
    values = layers.values if not name and values is None else values
    if not isinstance(values, dict):
        raise layers.refusal(name, values, "a table of settings")
    cls, values = _subclass(cls, layers, values, name)
    known = {f.name: f for f in fields(cls) if f.init}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls, include_extras=True)
    given = {}
    for key, value in values.items():
        dotted = _joined(name, key)
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            meant = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"
            raise UsageError(f"{layers.origin(dotted)}: {dotted}: no such setting{meant}")
        given[key] = _value(hints[key], value, layers, dotted)
    lacking = [
        key
        for key, f in known.items()
        if key not in given and f.default is f.default_factory is dataclasses.MISSING
    ]
    if lacking:
        raise UsageError(f"{layers.origin(name)}: {_joined(name, lacking[0])} is missing")
    try:
        return cls(**given)
    except (ValueError, DssError) as error:
        raise UsageError(f"{layers.origin(name)}: {name or 'settings'}: {error}") from None


def _subclass(cls: type[T], layers: Layers, values: Table, name: str) -> tuple[type[T], Table]:
    if not inspect.isabstract(cls):
        return cls, values
    kinds: dict[str, type[T]] = {str(vars(sub)["kind"]): sub for sub in cls.__subclasses__()}
    values = dict(values)
    kind = values.pop("kind", None)
    if not isinstance(kind, str) or kind not in kinds:
        raise layers.refusal(_joined(name, "kind"), kind, " or ".join(map(told, kinds)))
    return kinds[kind], values


def _value(hint: Any, value: Any, layers: Layers, name: str) -> Any:
    """Return `value` converted to the type `hint`.

    Raises:
        UsageError: the value does not fit the type.
    """
    bounds = Bounds()
    while typing.get_origin(hint) is Annotated:
        hint, *notes = typing.get_args(hint)
        bounds = next((note for note in notes if isinstance(note, Bounds)), bounds)
    if typing.get_origin(hint) in (Union, types.UnionType):
        if value is False:
            return None
        (inner,) = (arg for arg in typing.get_args(hint) if arg is not type(None))
        return _value(inner if bounds == Bounds() else Annotated[inner, bounds], value, layers, name)
    if is_dataclass(hint) and isinstance(hint, type):
        return build_settings(hint, layers, value, name)

    def refuse(wanted: str) -> UsageError:
        return layers.refusal(name, value, wanted)

    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value not in arguments or isinstance(value, bool):
            raise refuse(" or ".join(map(told, arguments)))
        return value
    if origin is tuple:
        return _list(hint, value, bounds, layers, name)
    if origin is not None:  # a mapping of names to numbers
        if not isinstance(value, dict):
            raise refuse("a table of names and numbers, as { name = 0.5 }")
        return {key: _number(float, v, Bounds(0), layers, _joined(name, key)) for key, v in value.items()}
    if hint in (int, float):
        return _number(hint, value, bounds, layers, name)
    if hint is Path:
        if not isinstance(value, str):
            raise refuse("a path, in quotes")
        return Path(value)
    if not isinstance(value, hint):
        raise refuse({bool: "true or false", str: "a word, in quotes"}[hint])
    return value


def _list(hint: Any, value: Any, bounds: Bounds, layers: Layers, name: str) -> tuple[Any, ...]:
    inner, *others = typing.get_args(hint)
    length = None if others == [Ellipsis] else 1 + len(others)
    what = "a list" if length is None else f"a list of {length} numbers"
    if not isinstance(value, list) or length not in (None, len(value)):
        raise layers.refusal(name, value, what)
    if is_dataclass(inner):
        return tuple(build_settings(inner, layers, v, _joined(name, i)) for i, v in enumerate(value))  # type: ignore[arg-type]
    numbers = tuple(_number(inner, v, bounds, layers, name) for v in value)
    if list(numbers) != sorted(numbers):
        raise layers.refusal(name, value, "the greater one last")
    return numbers


def _number(kind: type, value: Any, bounds: Bounds, layers: Layers, name: str) -> Any:
    wanted = "a whole number" if kind is int else "a number"
    if bounds != Bounds():
        wanted += f" {bounds}" if bounds.most < float("inf") else f", {bounds}"
    right = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    if not right or not (math.isfinite(value) and bounds.least <= value <= bounds.most):
        raise layers.refusal(name, value, wanted)
    return kind(value)


def _joined(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)
