"""Which inputs become which outputs, settled before anything runs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..constants import STEMS
from ..errors import UsageError
from ..utils.descriptors import is_stream
from .folders import DECODED, WRITABLE, find_recordings

PIPE = "-"  # standard input or output


@dataclass
class Job:
    """One recording and the files its stems go to."""

    source: str
    targets: dict[str, str]  # by stem
    folder: Path | None = None  # to be made for them
    finished: bool = False  # every target was there before


@dataclass
class BatchPlan:
    """What a command line asks for."""

    jobs: list[Job] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what was left out, for the user to hear
    left_out: Counter[str] = field(default_factory=Counter)  # files and folders passed over, by kind


def plan(
    inputs: Sequence[str],
    named: dict[str, str],
    *,
    output_dir: Path | None = None,
    extension: str | None = None,
    recursive: bool = False,
    follow_links: bool = False,
    overwrite: bool = False,
    skip_existing: bool = False,
) -> BatchPlan:
    """Settle the outputs of every input, and refuse what cannot go well.

    Args:
        inputs: recordings, folders, or '-' alone.
        named: outputs by stem as the user named them; for a single recording only.
        output_dir: folder of the outputs without a name; None is the current one.
        extension: of these outputs, with or without a dot; None is the input's.
        recursive: work through folders, whose tree is mirrored.
        follow_links: also through linked ones, each real folder once.
        overwrite: outputs may exist.
        skip_existing: recordings whose outputs all exist are finished.

    Raises:
        UsageError: names for several inputs, a folder without `recursive`, a folder without
            recordings, two outputs in one place, an output that is an input or exists.
    """
    result = BatchPlan()
    folder = Path() if output_dir is None else output_dir
    if named or PIPE in inputs:
        result.jobs.append(_named_job(inputs, named, output_dir, folder, extension))
    else:
        for text in inputs:
            if Path(text).is_dir():
                sources = _recordings(Path(text), folder, recursive, follow_links, result)
                pairs = [(str(path), folder / path.relative_to(text)) for path in sources]
            else:
                pairs = [(text, folder / Path(text).name)]
            result.jobs += [Job(source, _defaults(place, extension), place.parent) for source, place in pairs]
    _refuse_collisions(result.jobs)
    for job in result.jobs:
        there = [
            path
            for path in job.targets.values()
            if path != PIPE and os.path.lexists(path) and not is_stream(path)
        ]
        job.finished = skip_existing and len(there) == len(job.targets)
        if there and not overwrite and not job.finished:
            raise UsageError(f"{there[0]}: exists already; --overwrite replaces it")
    return result


def _named_job(
    inputs: Sequence[str],
    named: dict[str, str],
    output_dir: Path | None,
    folder: Path,
    extension: str | None,
) -> Job:
    """The job of a single recording, some or all of whose outputs have names."""
    if len(inputs) > 1:
        if PIPE in inputs:
            raise UsageError("standard input ('-') is separated alone, without other inputs")
        raise UsageError(
            f"--{next(iter(named))} names the output of one recording, not of {len(inputs)}; use --output-dir"
        )
    (source,) = inputs
    if source != PIPE and Path(source).is_dir():
        raise UsageError(f"{source}: a folder; its outputs get their names by --output-dir")
    if list(named.values()).count(PIPE) > 1:
        raise UsageError("only one output can go to standard output ('-')")
    if "near" in named or "far" in named:
        if output_dir is not None or extension is not None:
            raise UsageError(
                "--output-dir and --format are for outputs without a name; "
                "put both into the path given to --near, --far or --residual"
            )
        return Job(source, named)
    if source == PIPE:
        raise UsageError("standard input ('-') has no name to go by: add --near and/or --far")
    return Job(source, _defaults(folder / Path(source).name, extension) | named, folder)


def _defaults(place: Path, extension: str | None) -> dict[str, str]:
    """NAME.near.EXT and NAME.far.EXT where NAME.EXT would stand; .wav where EXT is only read."""
    suffix = place.suffix or ".wav"
    if suffix.lower() in DECODED:
        suffix = ".wav"
    if extension is not None:
        suffix = f".{extension.removeprefix('.')}"
    return {stem: str(place.with_name(f"{place.stem}.{stem}{suffix}")) for stem in STEMS}


def _recordings(
    folder: Path, outputs: Path, recursive: bool, follow_links: bool, result: BatchPlan
) -> list[Path]:
    if not recursive:
        raise UsageError(f"{folder}: a folder; --recursive separates the recordings in it")
    found = find_recordings(folder, outputs, follow_links)
    result.left_out += found.left_out
    if stems := found.left_out["stem of its neighbour"]:
        result.notes.append(f"{folder}: left out {stems} files that are named like stems of their neighbours")
    if found.needs_extra:
        result.notes.append(
            f"{folder}: left out {found.needs_extra} files that `pip install 'dss-cli[formats]'` would read"
        )
    if not found.recordings:
        kinds = ", ".join(f"{count} {kind}" for kind, count in found.left_out.most_common())
        raise UsageError(
            f"{folder}: no recording in it ({kinds or 'it is empty'}); extensions that are looked for: "
            f"{', '.join(sorted(WRITABLE))}, with the extra `formats` also m4a, mp4, webm and others"
        )
    return found.recordings


def _refuse_collisions(jobs: list[Job]) -> None:
    sources = {
        os.path.normcase(os.path.realpath(job.source)): job.source for job in jobs if job.source != PIPE
    }
    owners: dict[str, str] = {}
    for job in jobs:
        for stem, target in job.targets.items():
            if target == PIPE or is_stream(target):
                continue
            real = os.path.normcase(os.path.realpath(target))
            if real in sources:
                raise UsageError(f"{target}: this output would replace the input {sources[real]}")
            owner = f"{job.source} ({stem})"
            if real in owners:
                raise UsageError(f"{target}: the output of both {owners[real]} and {owner}")
            owners[real] = owner
