"""Update the generated parts of the documents.

`python -m tools.update_docs [PART ...]` updates the parts, by default those that take seconds. `--check`
writes nothing, and the exit code is 1 if a part is outdated.

folders     docs/development/architecture.md: table of imports between folders
models      models/README.md: content of the model cards
share       share/: man page, and completions for bash, zsh and fish
schema      dss_cli/benchmark/schema.json: schema of `dss bench --json`, from the types of the results
bars        README.md and models/README.md: floors, goals, and scores of the card of `lite`
curve       docs/experiments/10-context.md: bars by hours of training; requires the history of a clone
scores      README.md: scores of the stems of the examples; separates the examples
bench       docs/benchmarks.md: tables of `dss bench`; takes minutes, on an idle machine
bench-gpu   docs/benchmarks.md: tables of `dss bench` on a machine with a GPU
bench-live  docs/benchmarks.md: tables of `dss bench --live`; takes minutes, on an idle machine
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from dss_cli.cli.console import error_line, line
from dss_cli.constants import STEMS
from dss_cli.errors import ExitCode
from dss_cli.evaluation import model_readme
from dss_cli.separation.files import separate_file
from dss_cli.separation.listening import CONTEXTS
from dss_cli.utils.markdown import write_section
from examples import demo
from tools import bars, benchmark_document, command_files, folders, json_schema, learning_curve
from tools.exits import one_line_errors

ARCHITECTURE = Path("docs/development/architecture.md")
BENCHMARKS = Path("docs/benchmarks.md")
CONTEXT = Path("docs/experiments/10-context.md")
CURVE_SINCE = 150.0  # hours; weights before were trained without carried context
README = Path("README.md")
SHARE = Path("share")
MODELS = Path("models/README.md")


def _folders(root: Path) -> None:
    write_section(root / ARCHITECTURE, folders.LABEL, folders.picture())


def _models(root: Path) -> None:
    model_readme.update(root / "models")


def _share(root: Path) -> None:
    command_files.write(root / SHARE)


def _schema(root: Path) -> None:
    json_schema.write(root / json_schema.BENCH)


def _bars(root: Path) -> None:
    card = root / "models" / "lite.json"
    write_section(root / README, bars.LABEL, bars.headlines(card))
    write_section(root / MODELS, bars.LABEL, bars.table(card, root / BENCHMARKS))


def _curve(root: Path) -> None:
    clone = Path.cwd()  # the copy under `root` in `--check` has no history
    write_section(root / CONTEXT, learning_curve.LABEL, learning_curve.table(clone, CURVE_SINCE))


def _scores(root: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        made = {context: Path(name, context) for context in CONTEXTS if context != "past"}
        for context, folder in made.items():
            folder.mkdir()
            for example in demo.EXAMPLES:
                near, far = (demo.stem_path(folder, example, stem) for stem in STEMS)
                separate_file(demo.FOLDER / f"{example}.flac", near=near, far=far, context=context)
        demo.fill(root / README, *demo.score(made["recording"], made["none"]))


def _bench(root: Path) -> None:
    benchmark_document.update(root / BENCHMARKS)


def _bench_gpu(root: Path) -> None:
    benchmark_document.update(root / BENCHMARKS, "bench-gpu")


def _bench_live(root: Path) -> None:
    benchmark_document.update(root / BENCHMARKS, "bench-live")


PARTS: dict[str, tuple[Path, Callable[[Path], None]]] = {
    "folders": (ARCHITECTURE, _folders),
    "models": (MODELS, _models),
    "share": (SHARE, _share),
    "schema": (json_schema.BENCH, _schema),
    "bars": (README, _bars),
    "curve": (CONTEXT, _curve),
    "scores": (README, _scores),
    "bench": (BENCHMARKS, _bench),
    "bench-gpu": (BENCHMARKS, _bench_gpu),
    "bench-live": (BENCHMARKS, _bench_live),
}
QUICK = ("folders", "models", "share", "schema", "bars", "scores")


def stale(parts: Sequence[str], root: Path) -> list[str]:
    """Update parts of the documents under `root`; return those that were outdated."""
    found = []
    for part in parts:
        document, write = PARTS[part]
        before = _contents(root / document)
        write(root)
        if _contents(root / document) != before:
            found.append(part)
    return found


def _contents(path: Path) -> dict[Path, bytes]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {file: file.read_bytes() for file in files if file.is_file()}


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.update_docs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a part is outdated")
    given = parser.parse_args(arguments)
    parts, root = given.parts or list(QUICK), Path.cwd()
    if given.check:
        with tempfile.TemporaryDirectory() as copy:
            for name in ("docs", "models", SHARE, json_schema.BENCH, README):
                source = root / name
                (Path(copy) / name).parent.mkdir(parents=True, exist_ok=True)
                (shutil.copytree if source.is_dir() else shutil.copy)(source, Path(copy) / name)
            old = stale(parts, Path(copy))
    else:
        for part in stale(parts, root):
            line(f"{PARTS[part][0]}: {part} updated")
        old = []
    for part in old:
        error_line(f"{PARTS[part][0]}: {part}: outdated; `python -m tools.update_docs {part}` updates it")
    return ExitCode.FAILED if old else ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
