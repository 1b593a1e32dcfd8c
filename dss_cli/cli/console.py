"""Messages of `dss` on stderr; stdout is reserved for data."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..utils.tables import harmless

Step = Callable[[int, "int | None"], None]  # done, total (None: unknown)
Start = Callable[[str], "Step | None"]  # starts a bar with this label; None without a bar


def error_line(message: str) -> None:
    """Print one line `dss: error: ...`."""
    line(f"dss: error: {message}")


def warning_line(message: str) -> None:
    """Print one line `dss: warning: ...`."""
    line(f"dss: warning: {message}")


def info_line(message: str) -> None:
    """Print one line `dss: info: ...`."""
    line(f"dss: info: {message}")


def line(message: str) -> None:
    """Print a message as one line; line breaks and control characters (in file names, say) are replaced."""
    print(harmless(" ".join(message.splitlines())), file=sys.stderr)


def log_lines(shown: bool) -> None:
    """Switch the lines `dss: info: ...` of the package's log on or off."""
    log = logging.getLogger(__package__.partition(".")[0])
    if not any(isinstance(handler, _Lines) for handler in log.handlers):
        log.addHandler(_Lines())
    log.setLevel(logging.INFO if shown else logging.WARNING)


class _Lines(logging.Handler):
    """Log handler that writes to the current stderr, which a progress bar may have replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        line(f"dss: {record.levelname.lower()}: {record.getMessage()}")


@contextmanager
def progress_bar(shown: bool) -> Iterator[Start]:
    """Show a progress bar, if `shown` is true and stderr is a terminal.

    Yields a function that takes a label and restarts the bar. It returns the function to call with (done,
    total), or None without a bar.
    """
    if not shown or not sys.stderr.isatty():
        yield lambda label: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    ) as progress:
        task = progress.add_task("", total=None)

        def start(label: str) -> Step:
            progress.reset(task, description=escape(harmless(label)), total=None)
            return lambda done, total: progress.update(task, completed=done, total=total)

        yield start


def by_label(start: Start) -> Callable[[str, int, int | None], None]:
    """Return a function of (label, done, total) that moves the bar, and starts it anew for a new label."""
    steps: dict[str, Step | None] = {}

    def move(label: str, done: int, total: int | None) -> None:
        if label not in steps:
            steps[label] = start(label)
        if step := steps[label]:
            step(done, total)

    return move
