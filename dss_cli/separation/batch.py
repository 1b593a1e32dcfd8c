"""Plan a batch: assign outputs to all inputs, before anything runs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ..constants import STEMS
from ..errors import UsageError
from ..utils import urls
from ..utils.descriptors import PIPE, is_stream
from .folders import DECODED, WRITABLE, find_recordings, find_remote_recordings

# Options of documents, in the form for several recordings.
DOCUMENTS = {"activity": "--activity .EXT", "page": "--page .html"}


@dataclass
class Job:
    """One recording and the targets of its stems."""

    source: str
    targets: dict[str, str]  # path by stem
    folder: Path | None = None  # folder to create for the targets
    finished: bool = False  # all targets exist already


@dataclass
class BatchPlan:
    """Jobs of a command line, and the files that are left out."""

    jobs: list[Job] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # messages to the user about files left out
    left_out: Counter[str] = field(default_factory=Counter)  # count of files and folders left out, by kind


def plan(
    inputs: Sequence[str],
    named: dict[str, str],
    *,
    output_dir: str | Path | None = None,
    extension: str | None = None,
    recursive: bool = False,
    follow_links: bool = False,
    overwrite: bool = False,
    skip_existing: bool = False,
    beside: Mapping[str, str] | None = None,
) -> BatchPlan:
    """Assign the outputs of all inputs, and refuse conflicts.

    Args:
        inputs: recordings, folders or their URLs; or '-' alone.
        named: outputs that the user named, by stem or kind; only for a single recording.
        output_dir: folder or URL for the outputs without a name; None: the current folder.
        extension: extension of these outputs, with or without a dot; None: as the input.
        recursive: search folders for recordings, and mirror their structure.
        follow_links: search linked folders too, each real folder once.
        overwrite: allow outputs that exist.
        skip_existing: mark recordings whose outputs all exist as finished.
        beside: extensions of the files NAME.KIND.EXT beside the stems, by kind (`activity`, `page`).

    Raises:
        UsageError: outputs are named for several inputs, a folder is given without `recursive` or has no
            recordings, two outputs have the same path, or an output is an input or exists.
        DssError: a URL cannot be read.
    """
    result = BatchPlan()
    inputs = [urls.plain_path(text) for text in inputs]
    named = {stem: urls.plain_path(path) for stem, path in named.items()}
    folder = "" if output_dir is None else urls.plain_path(os.fspath(output_dir))
    if named or PIPE in inputs:
        for kind, end in (beside or {}).items():
            if {"near", "far"} & named.keys() or PIPE in inputs:
                raise UsageError(f"--{kind} {end}: name a file, because the stems are named explicitly")
        result.jobs.append(_named_job(inputs, named, output_dir is not None, folder, extension, beside or {}))
    else:
        for text in inputs:
            for source, relative in _sources(text, folder, recursive, follow_links, result):
                place = urls.join(folder, relative)
                made = None if urls.is_url(place) else Path(place).parent
                result.jobs.append(Job(source, _defaults(place, extension, beside or {}), made))
    _refuse_collisions(result.jobs)
    remote = _remote_outputs(result.jobs, folder)
    for job in result.jobs:
        there = [path for path in job.targets.values() if _is_there(path, remote)]
        job.finished = skip_existing and len(there) == len(job.targets)
        if there and not overwrite and not job.finished:
            raise UsageError(f"{there[0]}: exists already; --overwrite replaces it")
    return result


def _sources(
    text: str, folder: str, recursive: bool, follow_links: bool, result: BatchPlan
) -> list[tuple[str, str]]:
    """Return the recordings of one input, each with its path relative to the folder of the outputs."""
    if urls.is_url(text):
        if not urls.is_folder(text):
            return [(text, urls.base_name(text))]
        found = _found(text, folder, recursive, follow_links, result)
        return [(urls.join(text, str(path)), str(path)) for path in found]
    if not Path(text).is_dir():
        return [(text, Path(text).name)]
    found = _found(text, folder, recursive, follow_links, result)
    return [(str(path), str(path.relative_to(text))) for path in found]


def _remote_outputs(jobs: Sequence[Job], folder: str) -> set[str]:
    """Return the URLs of existing outputs; the output folder is listed once, others are checked singly."""
    targets = [path for job in jobs for path in job.targets.values() if urls.is_url(path)]
    if not targets:
        return set()
    listed = {urls.join(folder, name) for name in urls.find(folder)} if urls.is_url(folder) else set()
    inside = f"{folder.rstrip('/')}/"
    apart = (path for path in targets if not (urls.is_url(folder) and path.startswith(inside)))
    return listed.union(path for path in apart if urls.exists(path))


def _is_there(path: str, remote: set[str]) -> bool:
    if urls.is_url(path):
        return path in remote
    return path != PIPE and os.path.lexists(path) and not is_stream(path)


def _named_job(
    inputs: Sequence[str],
    named: dict[str, str],
    to_folder: bool,
    folder: str,
    extension: str | None,
    beside: Mapping[str, str],
) -> Job:
    """Return the job of a single recording with named outputs, or of standard input."""
    if len(inputs) > 1:
        if PIPE in inputs:
            raise UsageError("standard input ('-') is separated alone, without other inputs")
        instead = DOCUMENTS.get(next(iter(named)), "--output-dir")
        raise UsageError(
            f"--{next(iter(named))} names the output of one recording, not of {len(inputs)}; use {instead}"
        )
    (source,) = inputs
    if source != PIPE and (urls.is_folder(source) if urls.is_url(source) else Path(source).is_dir()):
        raise UsageError(f"{source}: a folder; its outputs get their names by --output-dir")
    if list(named.values()).count(PIPE) > 1:
        raise UsageError("only one output can go to standard output ('-')")
    if "near" in named or "far" in named:
        if to_folder or extension is not None:
            raise UsageError(
                "--output-dir and --format are for outputs without a name; "
                "put both into the path given to --near, --far or --residual"
            )
        return Job(source, named)
    if source == PIPE:
        raise UsageError("standard input ('-') has no name for its outputs: add --near and/or --far")
    targets = _defaults(urls.join(folder, urls.base_name(source)), extension, beside) | named
    return Job(source, targets, None if urls.is_url(folder) else Path(folder))


def _defaults(place: str, extension: str | None, beside: Mapping[str, str]) -> dict[str, str]:
    """Return NAME.near.EXT and NAME.far.EXT for NAME.EXT; EXT becomes .wav if it cannot be written."""
    name = PurePath(urls.base_name(place))
    parent = place.removesuffix(str(name))
    suffix = name.suffix or ".wav"
    if suffix.lower() in DECODED:
        suffix = ".wav"
    if extension is not None:
        suffix = f".{extension.removeprefix('.')}"
    targets = {stem: f"{parent}{name.stem}.{stem}{suffix}" for stem in STEMS}
    return targets | {kind: f"{parent}{name.stem}.{kind}{end}" for kind, end in beside.items()}


def _found(
    folder: str, outputs: str, recursive: bool, follow_links: bool, result: BatchPlan
) -> Sequence[PurePath]:
    if not recursive:
        raise UsageError(f"{folder}: a folder; --recursive separates the recordings in it")
    if urls.is_url(folder):
        found = find_remote_recordings(folder, outputs)
    else:
        found = find_recordings(Path(folder), Path(outputs), follow_links)
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
            f"{folder}: no recordings in it ({kinds or 'it is empty'}); known extensions:  "
            f"{', '.join(sorted(WRITABLE))}, with the extra `formats` also m4a, mp4, webm and others"
        )
    return found.recordings


def _refuse_collisions(jobs: list[Job]) -> None:
    sources = {_real(job.source): job.source for job in jobs if job.source != PIPE}
    owners: dict[str, str] = {}
    for job in jobs:
        for stem, target in job.targets.items():
            if target == PIPE or is_stream(target):
                continue
            real = _real(target)
            if real in sources:
                raise UsageError(f"{target}: this output would replace the input {sources[real]}")
            owner = f"{job.source} ({stem})"
            if real in owners:
                raise UsageError(f"{target}: the output of both {owners[real]} and {owner}")
            owners[real] = owner


def refuse_as_output(manifest: Path, jobs: Sequence[Job]) -> None:
    """Refuse a manifest whose path is a recording or a stem.

    Raises:
        UsageError: the path belongs to a job.
    """
    for job in jobs:
        for path in (job.source, *job.targets.values()):
            if path != PIPE and _real(path) == _real(str(manifest)):
                raise UsageError(f"--manifest {manifest}: a recording or a stem of this batch")


def _real(path: str) -> str:
    return path if urls.is_url(path) else os.path.normcase(os.path.realpath(path))
