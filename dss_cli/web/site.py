"""Folder of the built page: in the package `dss-cli-web`, or in a checkout after `make web`."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from pathlib import Path

from .._version import __version__
from ..errors import DssError
from ..utils.bundled import PACKAGE

ENTRY = "index.html"
INSTALL = "`pip install --upgrade 'dss-cli[web]'`"
DISTRIBUTION, MODULE = "dss-cli-web", "dss_cli_web"
_BUILT = PACKAGE.parent / "build" / "web"  # written by `make web` in a checkout


def find_site(warn: Callable[[str], None]) -> Path:
    """Return the folder of the built page: from a checkout if built there, else from the installed package.

    Args:
        warn: receives one line if the installed page has another version.

    Raises:
        DssError: the page is not installed.
    """
    if (_BUILT / ENTRY).is_file():
        return _BUILT
    try:
        folder = Path(importlib.import_module(MODULE).FOLDER)
        version = importlib.metadata.version(DISTRIBUTION)
    except ImportError:
        raise DssError(f"the page is not installed: {INSTALL} (in a clone: make web)") from None
    if version != __version__:
        warn(f"the page has version {version}, dss has {__version__}; {INSTALL} updates both")
    return folder
