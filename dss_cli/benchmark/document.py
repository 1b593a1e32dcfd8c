"""The tables of a Markdown document, each made anew by the command that stands above it.

`python -m dss_cli.benchmark.document docs/benchmarks.md` runs each `<!-- bench: COMMAND -->` in a
shell and puts what it gives before the next `<!-- bench: end -->`. The command writes JSON.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from ..console import line
from ..publish import write_files
from .tables import markdown

_PART = re.compile(r"(?P<start><!-- bench: (?P<command>.+?) -->\n).*?(?P<end><!-- bench: end -->)", re.DOTALL)


def update(path: Path) -> int:
    """Write the tables anew, all of them or none.

    Returns:
        How many commands were run.

    Raises:
        DssError: the document cannot be written.
        subprocess.CalledProcessError: a command failed; it has said why.
    """
    text, count = _PART.subn(_part, path.read_text(encoding="utf-8"))
    if count:
        write_files({path: text})
    return count


def _part(match: re.Match[str]) -> str:
    command = match["command"]
    line(command)
    here = Path(sys.executable).parent  # the `dss` of this installation
    environment = {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        f"{command} --json", shell=True, env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    tables = markdown(json.loads(done.stdout))
    return f"{match['start']}\n```sh\n{command}\n```\n\n{tables}\n{match['end']}"


if __name__ == "__main__":
    if not update(Path(sys.argv[1])):
        sys.exit(f"{sys.argv[1]}: no <!-- bench: COMMAND --> with its <!-- bench: end -->")
