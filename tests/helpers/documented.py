"""Commands of the documents, run as they stand, with `dss` on the path."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_documented(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run lines of a shell in a folder, up to the first one that fails."""
    with tempfile.TemporaryDirectory() as name:
        program = Path(name, "dss")
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dss_cli "$@"\n')
        program.chmod(0o755)
        environment = os.environ | {"PATH": f"{name}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        shell = ["bash", "-e", "-o", "pipefail", "-c", command]
        return subprocess.run(
            shell, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
