"""`dss view`: open listening pages in the browser; recordings are separated into a page first."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DssError, UsageError
from . import options
from .console import by_label, progress_bar, warning_line

if TYPE_CHECKING:
    from ..separation.files import Phase

MOST_PAGES = 10  # of a folder


def view(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT", help="Pages (.html), folders of pages, or recordings."),
    ],
    model: options.Model = "lite",
    delegate: options.Delegate = options.DelegateName.auto,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Open listening pages of `dss separate --page` in the browser.

    A folder opens the pages *.page.html in it. A recording is separated into a page in the temporary folder,
    which stays there for the browser; its path is printed. Needs the extra `report` for recordings.
    """
    from ..page.listening import EXTENSIONS, check_page

    found = [path for name in inputs for path in _found(name)]
    if any(path.suffix.lower() not in EXTENSIONS for path in found):
        check_page("page.html", "dss view")
    for path in found:
        is_page = path.suffix.lower() in EXTENSIONS
        _open(path if is_page else _made(path, model, delegate.value, quiet))


def _found(name: Path) -> list[Path]:
    """Return the pages and recordings of an argument."""
    if not name.exists():
        raise DssError(f"{name}: there is no such file or folder")
    if not name.is_dir():
        return [name]
    pages = sorted(name.rglob("*.page.html"))
    if not pages:
        raise UsageError(f"{name}: no pages (*.page.html) in it; dss separate --page .html makes them")
    if len(pages) > MOST_PAGES:
        raise UsageError(f"{name}: {len(pages)} pages in it, more than {MOST_PAGES}; name those to open")
    return pages


def _made(recording: Path, model: str, delegate: str, quiet: bool) -> Path:
    """Separate a recording; return its page in a new temporary folder."""
    from ..separation.files import separate_file
    from ..separation.separator import load_model

    network = load_model(model, delegate, warn=warning_line)
    folder = Path(tempfile.mkdtemp(prefix="dss-view-"))
    page = folder / f"{recording.stem}.page.html"
    try:
        with tempfile.TemporaryDirectory(dir=folder) as stems, progress_bar(not quiet) as start:
            move = by_label(start)

            def progress(phase: Phase, done: int, total: int | None) -> None:
                move(f"{recording.name}: {phase}", done, total)

            near = Path(stems) / "near.wav"
            separate_file(
                recording, near=near, page=page, network=network, progress=progress, warn=warning_line
            )
    finally:
        if not page.exists():
            folder.rmdir()
    return page


def _open(page: Path) -> None:
    import webbrowser

    print(page, flush=True)
    if not webbrowser.open(page.absolute().as_uri()):
        raise DssError(f"{page}: no browser can be opened here; open this file in one")
