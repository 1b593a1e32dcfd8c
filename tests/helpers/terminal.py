"""Commands on a pseudo-terminal."""

from __future__ import annotations

import contextlib
import os
import subprocess


def run(command, **variables):
    """Run a command whose stderr is a terminal; return status, stdout, and the text on the terminal.

    Args:
        variables: additional environment variables.
    """
    import pty  # only POSIX

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", **variables},
    )
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end has closed
        while chunk := os.read(ours, 65_536):
            seen += chunk
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out, seen
