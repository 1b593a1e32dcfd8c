"""Entry point of `dss`: turns every end of a command into an exit code and one line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn


def _interrupted_early(number: int, frame: FrameType | None) -> NoReturn:
    os.write(2, b"dss: error: interrupted; nothing half-written is left\n")
    os._exit(130)


# Ctrl-C while the modules below are loaded: nothing to clean up, and no traceback.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _interrupted_early)

import typer  # noqa: E402

from .cli.app import app  # noqa: E402
from .cli.console import error_line  # noqa: E402
from .errors import DssError, ExitCode  # noqa: E402
from .utils.descriptors import drop_standard_output, secure_standard_streams  # noqa: E402
from .utils.endings import raise_on  # noqa: E402


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, `sys.argv` by default, and return its exit code.

    A DssError, a wrong command line or a system error gives one line on stderr, with `--debug` a traceback.
    SIGTERM and SIGHUP unwind the stack like Ctrl-C, so that temporary files are removed.
    """
    secure_standard_streams()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _handle_signals()
        status = app(arguments, prog_name="dss", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        status = ExitCode.INTERRUPTED
    except _Ended as ending:
        status = ending.status
    except BrokenPipeError:  # the reader of stdout has closed it (`dss ... | head`)
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
    if status in _ENDINGS:
        error_line(f"{_ENDINGS[status]}; nothing half-written is left")
    return int(status or ExitCode.OK)


def _explained(error: Exception) -> tuple[str | None, int]:
    """Return one line for the user (None for a bug), and the exit code."""
    if isinstance(error, DssError):
        return str(error), error.exit_code
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror or error}", ExitCode.FAILED
    # A wrong command line. Releases of Typer differ in the error class, but not in its method.
    if describe := getattr(error, "format_message", None):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "dss"
        return f"{describe().rstrip('.')}; see '{command} --help'", ExitCode.USAGE
    return None, ExitCode.FAILED


_ENDINGS = {
    int(ExitCode.INTERRUPTED): "interrupted",
    int(ExitCode.TERMINATED): "terminated",
    int(ExitCode.HUNG_UP): "hung up",
}


class _Ended(BaseException):
    """SIGTERM or SIGHUP as an exception that only `main` catches, like KeyboardInterrupt for SIGINT."""

    def __init__(self, status: ExitCode) -> None:
        self.status = status


def _handle_signals() -> None:
    """Turn SIGINT, SIGTERM and SIGHUP into exceptions; an ignored SIGHUP (`nohup`) stays ignored."""
    if signal.getsignal(signal.SIGINT) is _interrupted_early:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    raise_on(numbers, lambda number: _Ended(ExitCode(128 + number)))


if __name__ == "__main__":
    sys.exit(main())
