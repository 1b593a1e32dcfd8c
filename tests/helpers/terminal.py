"""Commands on a pseudo-terminal."""

from __future__ import annotations

import contextlib
import os
import subprocess


def run(command, **variables):
    """Run a command whose stderr is a terminal; returns its status, its stdout, and what the terminal saw.

    Args:
        variables: of the environment, beside those that there are.
    """
    import pty  # of POSIX alone

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
