"""Live separation with a short delay, for programs, pipes and microphones."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .separator import Keep, LiveSeparator

__all__ = ["Keep", "LiveSeparator"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.separator"), name)
