"""The entry point of `dss`: how every ending of a command becomes an exit code and one line."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import typer

from .app import app
from .console import error_line
from .descriptors import drop_standard_output, secure_standard_streams
from .errors import DssError, ExitCode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, `sys.argv` by default, and return its exit code.

    A DssError, a wrong command line or an error of the system ends in one line on stderr;
    `--debug` gives the traceback instead. SIGTERM unwinds like Ctrl-C, so that temporary files go.
    """
    secure_standard_streams()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        status = app(arguments, prog_name="dss", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        status = ExitCode.INTERRUPTED
    except _Terminated:
        status = ExitCode.TERMINATED
    except BrokenPipeError:  # the reader of our output has gone, which is its right (`dss ... | head`)
        drop_standard_output()
        status = ExitCode.FAILED
    except Exception as error:
        line, status = _explained(error)
        if line is None or "--debug" in arguments:
            raise
        error_line(line)
        try:
            sys.stdout.flush()
        except OSError:
            drop_standard_output()
    if status in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        error_line(f"{ExitCode(status).name.lower()}; nothing half-written is left")
    return int(status or ExitCode.OK)


def _explained(error: Exception) -> tuple[str | None, int]:
    """One line for what a user can understand, None for a bug; and the exit code."""
    if isinstance(error, DssError):
        return str(error), error.exit_code
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror or error}", ExitCode.FAILED
    # A wrong command line. Typer has moved the class of it between releases, not its method.
    if describe := getattr(error, "format_message", None):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "dss"
        return f"{describe().rstrip('.')}; see '{command} --help'", ExitCode.USAGE
    return None, ExitCode.FAILED


class _Terminated(BaseException):
    """SIGTERM, as KeyboardInterrupt is SIGINT: nothing but `main` catches it."""


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated


if __name__ == "__main__":
    sys.exit(main())
