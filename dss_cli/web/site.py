"""Folder of the built page: in the package `dss-cli-web`, or in a checkout after `make web`."""

from __future__ import annotations

import importlib
from pathlib import Path

from ..errors import DssError
from ..utils.bundled import PACKAGE

ENTRY = "index.html"
_BUILT = PACKAGE.parent / "build" / "web"  # written by `make web` in a checkout


def find_site() -> Path:
    """Return the folder of the built page.

    Raises:
        DssError: the page is not installed.
    """
    try:
        folder = Path(importlib.import_module("dss_cli_web").FOLDER)
    except ImportError:
        folder = _BUILT
    if not (folder / ENTRY).is_file():
        raise DssError("the page is not installed: pip install 'dss-cli[web]' (in a clone: make web)")
    return folder
