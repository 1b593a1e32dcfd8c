"""Folders shipped with the package: inside it in a wheel, next to it in a checkout."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def bundled_folder(name: str) -> Path:
    """Return the path of a shipped folder, such as `models` or `configs`."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name
