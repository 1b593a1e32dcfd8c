"""Build the source archive and both wheels reproducibly, and check them.

`python -m tools.release dist` needs `git`, `hatchling` and the page that `make web` builds. The command
installs the wheels into an empty environment, separates the example and finds the page there, and writes
SHA256SUMS last: a folder without SHA256SUMS is not a complete release.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dss_cli._version import __version__
from dss_cli.cli.console import error_line, line
from dss_cli.errors import DssError, ExitCode
from dss_cli.utils.atomic_write import write_files
from tools.command_files import BASH, FISH, MAN, ZSH
from tools.exits import one_line_errors

ROOT = Path(__file__).parents[1]
WEB = ROOT / "web"  # project of the second wheel
PAGE = ROOT / "build" / "web"  # content of the second wheel
SUMS = "SHA256SUMS"
EXAMPLE = ROOT / "examples" / "two_talkers.flac"


def build(
    folder: Path, epoch: str, kinds: Sequence[str] = ("sdist", "wheel"), project: Path = ROOT
) -> list[Path]:
    """Build archives with the time stamp `epoch` into a folder; return their paths.

    Args:
        folder: folder for the files.
        epoch: seconds since 1970, as text.
        kinds: kinds to build: "sdist", "wheel".
        project: folder of the `pyproject.toml`.

    Raises:
        DssError: the build failed.
    """
    before = set(folder.glob("*"))
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder.absolute())]
    targets = [part for kind in kinds for part in ("-t", kind)]
    _run([*command, *targets], cwd=project, env={**os.environ, "SOURCE_DATE_EPOCH": epoch})
    return sorted(set(folder.glob("*")) - before)


def build_page(folder: Path, epoch: str) -> list[Path]:
    """Build the wheel of the page into a folder, as `build` does.

    Raises:
        DssError: the page is not built, or its wheel cannot be built.
    """
    if not PAGE.is_dir():
        raise DssError(f"{PAGE}: missing; `make web` builds the page")
    return build(folder, epoch, ["wheel"], WEB)


def check_wheel(wheel: Path, page: Path) -> None:
    """Install the wheel and the page's wheel into an empty environment, and check that both work there.

    Raises:
        DssError: the wheel cannot be installed, or a part is missing.
    """
    with tempfile.TemporaryDirectory(prefix="dss-release-") as folder:
        home = Path(folder) / "environment"
        venv.create(home, with_pip=True)
        binaries = home / ("Scripts" if os.name == "nt" else "bin")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        pip = [str(binaries / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "install", str(wheel.absolute()), str(page.absolute())], cwd=folder, env=clean)
        dss = str(binaries / "dss")
        told = _run([dss, "--version"], cwd=folder, env=clean).strip()
        if told != f"dss {__version__}":
            raise DssError(f"{wheel}: `dss --version` says {told!r}, not {__version__}")
        near, far = Path(folder) / "near.flac", Path(folder) / "far.flac"
        _run([dss, "separate", str(EXAMPLE), "--near", str(near), "--far", str(far)], cwd=folder, env=clean)
        for path in (near, far, *(home / "share" / name for name in (MAN, BASH, ZSH, FISH))):
            if not path.is_file() or not path.stat().st_size:
                raise DssError(f"{wheel}: installed, it gives no {path.name}")
        find = "from dss_cli.web.site import find_site; print(find_site(print))"
        found = _run([str(binaries / "python"), "-c", find], cwd=folder, env=clean).strip()
        if Path(found).parent.name != "dss_cli_web":
            raise DssError(f"{page}: installed, `dss web` finds {found!r}")


def sums(files: Iterable[Path]) -> str:
    """Return the checksums of files, as lines for `sha256sum --check`."""
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def release(folder: Path) -> list[Path]:
    """Build a release in an empty folder, check it, and write the checksums; return the files.

    Raises:
        DssError: the folder is not empty, or a check fails.
    """
    if folder.exists() and any(folder.iterdir()):
        raise DssError(f"{folder}: holds files already; move them, or name another folder")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(__version__)}\]", changelog, re.MULTILINE):
        line(f"CHANGELOG.md: no section [{__version__}] yet; give [Unreleased] its number before the tag")
    epoch = _run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, env=os.environ).strip()
    folder.mkdir(parents=True, exist_ok=True)
    files = build(folder, epoch)
    (page,) = build_page(folder, epoch)
    with tempfile.TemporaryDirectory(prefix="dss-again-") as again:
        if sums([*build(Path(again), epoch), *build_page(Path(again), epoch)]) != sums([*files, page]):
            raise DssError(f"{folder}: a second build of the same commit gives other bytes")
    (wheel,) = (file for file in files if file.suffix == ".whl")
    check_wheel(wheel, page)
    files.append(page)
    write_files({folder / SUMS: sums(files)})
    return files


def _run(command: Sequence[str], cwd: str | Path, env: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=cwd, env=dict(env), capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DssError(f"`{' '.join(command)}` ended with {done.returncode}: {last}")
    return done.stdout


@one_line_errors
def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    if len(arguments) != 1:
        error_line("one folder is needed: python -m tools.release dist")
        return ExitCode.USAGE
    for path in release(Path(arguments[0])):
        line(f"{path}: {path.stat().st_size:,} bytes")
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
