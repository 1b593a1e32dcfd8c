"""The tables of a Markdown document, each made anew by the command that stands above it.

`python -m tools.benchmark_document docs/benchmarks.md` runs each `<!-- bench: COMMAND -->` in a
shell and puts what it gives before the next `<!-- bench: end -->`. The command writes JSON. With
`<!-- bench VIEW: COMMAND -->` it becomes another table, one of `VIEWS`; a command that stands there
more than once runs once. A further argument is another word than `bench`: parts that are not made
on the same machine have their own.
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
    "operations": markdown_operations,  # of `dss inspect`, the others are of `dss bench`
}


def update(path: Path, mark: str = "bench") -> int:
    """Write the tables anew, all of them or none.

    Args:
        path: of the document.
        mark: the word that the parts begin and end with.

    Returns:
        How many parts were made.

    Raises:
        DssError: no such view, results that lack what it shows, or a document that cannot be written.
        subprocess.CalledProcessError: a command failed; it has said why.
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
    """What it writes with `--json`."""
    line(command)
    here = Path(sys.executable).parent  # the `dss` of this installation
    environment = {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        f"{command} --json", shell=True, env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    file, mark = Path(sys.argv[1]), (*sys.argv[2:], "bench")[0]
    if not update(file, mark):
        sys.exit(f"{file}: no <!-- {mark}: COMMAND --> with its <!-- {mark}: end -->")
