"""Exit codes and the errors that a user may see: one line each, with the value and the way out."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """How `dss` ends. Documented in the README; pinned by tests."""

    OK = 0  # everything asked for was done
    FAILED = 1  # a file could not be read, separated or written, the others were; or a check failed
    USAGE = 2  # the command line is wrong; nothing was touched
    HUNG_UP = 129  # the terminal has gone (128 + SIGHUP); no half-written file is left
    INTERRUPTED = 130  # Ctrl-C (128 + SIGINT); no half-written file is left
    TERMINATED = 143  # `kill`, a shutdown (128 + SIGTERM); no half-written file is left


class DssError(Exception):
    """Something a user can understand and mend. The text is one line, without a traceback."""

    exit_code = ExitCode.FAILED


class UsageError(DssError, ValueError):
    """The request itself is wrong: an option, a combination, an output that exists; a ValueError as well."""

    exit_code = ExitCode.USAGE
