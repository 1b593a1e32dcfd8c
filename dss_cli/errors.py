"""Exit codes and the errors shown to users: one line each, with the value and the remedy."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """Exit codes of `dss`. Documented in the README; pinned by tests."""

    OK = 0  # everything requested was done
    FAILED = 1  # a file could not be read, separated or written (other files were done), or a check failed
    USAGE = 2  # the command line is wrong; nothing was touched
    HUNG_UP = 129  # the terminal was closed (128 + SIGHUP); no half-written file is left
    INTERRUPTED = 130  # Ctrl-C (128 + SIGINT); no half-written file is left
    TERMINATED = 143  # `kill`, a shutdown (128 + SIGTERM); no half-written file is left


class DssError(Exception):
    """Error that a user can understand and fix. The text is one line; no traceback is shown."""

    exit_code = ExitCode.FAILED


class UsageError(DssError, ValueError):
    """Invalid request: a wrong option or combination, or an output that exists. Also a ValueError."""

    exit_code = ExitCode.USAGE
