"""Update the tables of a Markdown document by the commands in its markers.

`python -m tools.benchmark_document docs/benchmarks.md` runs each `<!-- bench: COMMAND -->` in a shell and
writes the result before the next `<!-- bench: end -->`. The command prints JSON. With
`<!-- bench VIEW: COMMAND -->` the table is another one of `VIEWS`; a repeated command runs once. A second
argument replaces the word `bench`, for sections that are made on another machine.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dss_cli.benchmark.live import markdown_live
from dss_cli.benchmark.operations import markdown_operations
from dss_cli.benchmark.tables import markdown_profile, markdown_results
from dss_cli.benchmark.targets import markdown_targets
from dss_cli.cli.console import line
from dss_cli.errors import DssError
from dss_cli.utils.atomic_write import write_files

VIEWS: dict[str | None, Callable[[Any], str]] = {
    None: markdown_results,
    "profile": markdown_profile,
    "targets": markdown_targets,
    "live": markdown_live,
    "operations": markdown_operations,  # from `dss inspect`, the others from `dss bench`
}


def update(path: Path, mark: str = "bench") -> int:
    """Update the tables, all of them or none.

    Args:
        path: path of the document.
        mark: word in the markers of the sections.

    Returns:
        Number of updated sections.

    Raises:
        DssError: a view is unknown, results lack data of a view, or the document cannot be written.
        subprocess.CalledProcessError: a command failed; it has printed the reason.
    """
    start = rf"<!-- {re.escape(mark)}(?: (?P<view>\w+))?: (?P<command>.+?) -->\n"
    parts = re.compile(f"(?P<start>{start}).*?(?P<end><!-- {re.escape(mark)}: end -->)", re.DOTALL)
    text = path.read_text(encoding="utf-8")
    for part in parts.finditer(text):
        if part["view"] not in VIEWS:
            raise DssError(f"{path}: no view {part['view']!r}; there are {', '.join(filter(None, VIEWS))}")
    given: dict[str, Any] = {}

    def made(part: re.Match[str]) -> str:
        command, shown = part["command"], ""
        if command not in given:
            given[command] = _run(command)
            shown = f"\n```sh\n{command}\n```\n"
        return f"{part['start']}{shown}\n{VIEWS[part['view']](given[command])}\n{part['end']}"

    text, count = parts.subn(made, text)
    if count:
        write_files({path: text})
    return count


def _run(command: str) -> Any:
    """Return the output of a command with `--json`."""
    line(command)
    here = Path(sys.executable).parent  # folder of this installation's `dss`
    environment = {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        f"{command} --json", shell=True, env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    file, mark = Path(sys.argv[1]), (*sys.argv[2:], "bench")[0]
    if not update(file, mark):
        sys.exit(f"{file}: no <!-- {mark}: COMMAND --> with its <!-- {mark}: end -->")
