"""Diagnostics for users and bug reports: installed versions, and what works on this machine."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from ._version import __version__

REQUIRED = ("ai-edge-litert", "numpy", "soundfile", "soxr")
# Packages of the extras `formats`, `train`, `metrics` and `energy`.
OPTIONAL = ("av", "tensorflow", "keras", "pyroomacoustics", "scipy", "pesq", "pystoi", "nvidia-ml-py")
_REINSTALL = "`pip install --force-reinstall dss-cli` repairs it"


def describe_installation(sysfs: Path = Path("/sys")) -> dict[str, Any]:
    """Describe versions, models, delegates and energy meters; missing parts are listed in `problems`.

    Each delegate runs a chunk of a tiny model in a separate process. The call takes one to two seconds, or
    ten if a driver hangs.

    Args:
        sysfs: mount point of sysfs.

    Returns:
        Object for JSON: `versions`, `machine`, `models`, `delegates`, `meters`, `problems` (lines that
        include the remedy).
    """
    problems: list[str] = []

    def part(name: str, collect: Callable[[list[str]], Any]) -> Any:
        try:
            return collect(problems)
        except Exception as error:  # report a broken installation and continue
            problems.append(f"{name}: {type(error).__name__}: {error}; {_REINSTALL}")
            return None

    return {
        "versions": part("versions", _versions) or {},
        "machine": {"platform": platform.platform(), **(part("machine", _machine) or {})},
        "models": part("models", _models) or [],
        "delegates": part("delegates", _delegates) or [],
        "meters": part("energy", lambda problems: _meters(sysfs, problems)) or [],
        "problems": problems,
    }


def _versions(problems: list[str]) -> dict[str, str | None]:
    versions: dict[str, str | None] = {"dss": __version__, "python": platform.python_version()}
    for name in (*REQUIRED, *OPTIONAL):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
            if name in REQUIRED:
                problems.append(f"{name}: is not installed; {_REINSTALL}")
    versions["libsndfile"] = None
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the package without its library
        problems.append(f"soundfile: cannot be loaded: {error}; `pip install --force-reinstall soundfile`")
    else:
        versions["libsndfile"] = soundfile.__libsndfile_version__
    return versions


def _machine(problems: list[str]) -> dict[str, Any]:
    from .utils.machine import processor, processors

    return {"processor": processor(), "processors": processors()}


def _models(problems: list[str]) -> list[dict[str, Any]]:
    from .runtime.registry import folders, list_models

    def warn(message: str) -> None:
        problems.append(f"{message}; remove it, or replace it by a complete model with its card")

    bundled = folders()[0]
    found = list_models(warn)
    if not found:
        problems.append(f"models: there is none; {_REINSTALL}")
    return [
        {
            "name": model.name,
            "origin": "bundled" if model.path.parent == bundled else "cached",
            "path": str(model.path),
            "bytes": model.card["bytes"],
            "sha256": model.card["sha256"],
        }
        for model in found
    ]


def _delegates(problems: list[str]) -> list[dict[str, Any]]:
    from .runtime.probe import try_delegates

    trials = try_delegates()
    problems += [f"{trial.delegate}: {trial.problem}" for trial in trials if trial.problem]
    return [
        {
            "name": trial.delegate,
            "works": trial.works,
            "adapter": trial.adapter,
            "software": trial.software,
        }
        for trial in trials
    ]


def _meters(sysfs: Path, problems: list[str]) -> list[dict[str, str]]:
    from .energy import find_meters

    found = find_meters(sysfs)
    problems += found.problems
    found.close()
    return [{"name": meter.name, "scope": meter.scope} for meter in found.meters]
