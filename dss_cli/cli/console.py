"""What `dss` says to people, all of it on stderr: stdout carries data alone."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..utils.tables import harmless

Step = Callable[[int, "int | None"], None]  # done, in all (None: not known)
Start = Callable[[str], "Step | None"]  # a bar with this label; None where there is no bar


def error_line(message: str) -> None:
    """One line `dss: error: ...`."""
    line(f"dss: error: {message}")


def warning_line(message: str) -> None:
    """One line `dss: warning: ...`."""
    line(f"dss: warning: {message}")


def info_line(message: str) -> None:
    """One line `dss: info: ...`."""
    line(f"dss: info: {message}")


def line(message: str) -> None:
    """One line, also if the message (a file name, say) holds line breaks or moves the cursor."""
    print(harmless(" ".join(message.splitlines())), file=sys.stderr)


def log_lines(shown: bool) -> None:
    """Let the package's own log through, as lines `dss: info: ...`, or no longer."""
    log = logging.getLogger(__package__.partition(".")[0])
    if not any(isinstance(handler, _Lines) for handler in log.handlers):
        log.addHandler(_Lines())
    log.setLevel(logging.INFO if shown else logging.WARNING)


class _Lines(logging.Handler):
    """Writes to the stderr of the moment, which a progress bar may have replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        line(f"dss: {record.levelname.lower()}: {record.getMessage()}")


@contextmanager
def progress_bar(shown: bool) -> Iterator[Start]:
    """A bar on a terminal, nothing where stderr is none or `shown` is false.

    Yields a function that takes a label and starts the bar anew; it gives the function to call
    with what is done and what there is to do, or None where there is no bar.
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
