"""Build the page of web/ as a static folder from its sources, LiteRT.js, the bundled model and the examples.

`python -m tools.web_page build/web` needs web/node_modules, which `npm ci --ignore-scripts` installs; `make
web` runs both. The folder works at any address: with `dss web`, on a static host, in a subfolder.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from dss_cli._version import __version__
from dss_cli.cli.console import error_line, line
from dss_cli.errors import DssError, ExitCode

ROOT = Path(__file__).parents[1]
WEB = ROOT / "web"
PACKAGES = WEB / "node_modules" / "@litertjs"
MODEL = ROOT / "models" / "lite.tflite"
EXAMPLES = ("two_talkers.flac", "conversation.flac")
CARD = ("name", "sha256", "signal", "overlap", "state")  # keys of the card for the page
VARIANTS = ("litert_wasm_threaded_internal", "litert_wasm_internal", "litert_wasm_compat_internal")
LICENCES = """\
This page is part of dss (Apache License 2.0, below), and contains:

@litertjs/core {core} and @litertjs/wasm-utils {utils}, https://github.com/google-ai-edge/LiteRT
  Copyright the LiteRT authors. Apache License 2.0, below; the packages carry no copy of it.
  Changed here: one import in core/dist/index.js names a file instead of a package. The WebAssembly is
  as LiteRT has built it, with libraries of others (XNNPACK and more), which that project lists.
The model {model}: Apache License 2.0, below; what it has learned from stands in models/README.md of dss.

"""


def build(folder: Path) -> None:
    """Build the page into `folder`; an existing folder is replaced.

    Raises:
        DssError: a package is missing, or its WebAssembly differs from the sums in web/litert.sha256.
    """
    if not PACKAGES.is_dir():
        raise DssError(f"{PACKAGES}: missing; `make web` installs it with `npm ci --ignore-scripts`")
    _check_sums(PACKAGES / "core" / "wasm", WEB / "litert.sha256")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(WEB / "page", folder)
    _copy_litert(folder / "litert")
    _copy_model(folder / "models")
    (folder / "examples").mkdir()
    for name in EXAMPLES:
        shutil.copy(ROOT / "examples" / name, folder / "examples" / name)
    _write_licences(folder / "licences.txt")
    _fill_in(folder)


def visit(folder: Path, variant: str = VARIANTS[0]) -> int:
    """Return the bytes of a first visit, each file gzipped, without examples and unused WebAssembly."""
    left_out = ("examples/", *(f"litert/{other}." for other in VARIANTS if other != variant))
    names = [name for name in files(folder) if not name.startswith(left_out)]
    return sum(len(gzip.compress((folder / name).read_bytes(), 9, mtime=0)) for name in names)


def files(folder: Path) -> list[str]:
    """Return the files of a built page as relative addresses."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _check_sums(folder: Path, pinned: Path) -> None:
    for row in pinned.read_text(encoding="utf-8").splitlines():
        wanted, name = row.split()
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != wanted:
            raise DssError(
                f"{folder / name}: sha256 {found[:12]}... is not {wanted[:12]}... of {pinned.name}"
            )


def _copy_litert(folder: Path) -> None:
    folder.mkdir()
    core = (PACKAGES / "core" / "dist" / "index.js").read_text(encoding="utf-8")
    bare = '"@litertjs/wasm-utils"'
    if core.count(bare) != 1:
        raise DssError(
            f"{PACKAGES}/core/dist/index.js: expected one import of {bare}, found {core.count(bare)}"
        )
    utils = (PACKAGES / "wasm-utils" / "dist" / "index.js").read_text(encoding="utf-8")
    for name, text in (("index.js", core.replace(bare, '"./wasm-utils.js"')), ("wasm-utils.js", utils)):
        kept = [row for row in text.splitlines() if not row.startswith("//# sourceMappingURL")]
        (folder / name).write_text("\n".join(kept) + "\n", encoding="utf-8")
    for variant in VARIANTS:
        for end in (".js", ".wasm"):
            shutil.copyfile(PACKAGES / "core" / "wasm" / (variant + end), folder / (variant + end))


def _copy_model(folder: Path) -> None:
    folder.mkdir()
    shutil.copyfile(MODEL, folder / "model.tflite")
    card = json.loads(MODEL.with_suffix(".json").read_text(encoding="utf-8"))
    kept = {key: card[key] for key in CARD if key in card}
    (folder / "model.json").write_text(json.dumps(kept), encoding="utf-8")


def _write_licences(path: Path) -> None:
    core, utils = (
        json.loads((PACKAGES / name / "package.json").read_text(encoding="utf-8"))["version"]
        for name in ("core", "wasm-utils")
    )
    apache = (ROOT / "LICENSE").read_text(encoding="utf-8")
    path.write_text(LICENCES.format(core=core, utils=utils, model=MODEL.stem) + apache, encoding="utf-8")


def _fill_in(folder: Path) -> None:
    """Put headers, version and the list of files into the page and its service worker."""
    headers = json.loads((folder / "headers.json").read_text(encoding="utf-8"))
    index, worker = folder / "index.html", folder / "service-worker.js"
    page = index.read_text(encoding="utf-8").replace("@CSP@", headers["Content-Security-Policy"])
    index.write_text(page.replace("@VERSION@", __version__), encoding="utf-8")
    heavy = ("examples/", "litert/", "models/")  # cached on first use
    shell = ["./", *(name for name in files(folder) if not name.startswith(heavy) and name != worker.name)]
    digest = hashlib.sha256()
    for name in files(folder):
        digest.update(name.encode() + b"\0" + (folder / name).read_bytes())
    text = worker.read_text(encoding="utf-8")
    for mark, value in (
        ("@VERSION@", f"{__version__}-{digest.hexdigest()[:16]}"),
        ("/* @SHELL@ */ []", json.dumps(shell)),
        ("/* @HEADERS@ */ {}", json.dumps(headers)),
    ):
        if mark not in text:
            raise DssError(f"{worker}: has no {mark}")
        text = text.replace(mark, value)
    worker.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    if len(arguments) != 1:
        error_line("name one folder: python -m tools.web_page build/web")
        return ExitCode.USAGE
    folder = Path(arguments[0])
    try:
        build(folder)
    except (DssError, OSError) as error:
        error_line(str(error))
        return ExitCode.FAILED
    line(f"{folder}: page built; a first visit loads {visit(folder):,} bytes (gzip)")
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
