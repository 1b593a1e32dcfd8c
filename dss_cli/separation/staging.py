"""Stage the files of a job: files behind URLs are downloaded first, and outputs uploaded at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO

from ..errors import DssError
from ..utils import urls
from ..utils.atomic_write import write_files
from .batch import Job


@contextmanager
def staged(job: Job, overwrite: bool = False, adopt: bool = False) -> Iterator[Job]:
    """Yield a copy of a job with local files only; afterwards, copy the outputs to their targets.

    A job without URLs is yielded unchanged.

    Args:
        job: the job as requested.
        overwrite: replace existing outputs.
        adopt: accept existing outputs with identical bytes. They come from an earlier attempt at the same
            job that ended before it could report.

    Raises:
        DssError: a file cannot be copied, or a different output has appeared meanwhile; no output remains.
    """
    begun = adopt and not overwrite and any(map(_exists, job.targets.values()))
    if not (begun or any(map(urls.is_url, (job.source, *job.targets.values())))):
        yield job
        return
    with tempfile.TemporaryDirectory(prefix="dss-") as folder:
        here = replace(
            job,
            targets={stem: str(Path(folder, urls.base_name(path))) for stem, path in job.targets.items()},
            folder=None,
        )
        if urls.is_url(job.source):
            inside = Path(folder, "input")  # the recording keeps its name, which documents contain
            inside.mkdir()
            here.source = str(inside / urls.base_name(job.source))
            urls.download(job.source, Path(here.source))
        try:
            yield here
        except DssError as error:
            raise type(error)(as_asked(str(error), here, job)) from error
        _publish(here, job, overwrite, adopt)


def as_asked(text: str, here: Job, job: Job) -> str:
    """Return a message about staged files with the names that the user gave."""
    if here is not job:
        ours, theirs = ((one.source, *one.targets.values()) for one in (here, job))
        for one, other in zip(ours, theirs, strict=True):
            text = text.replace(one, other)
    return text


def _publish(here: Job, job: Job, overwrite: bool, adopt: bool) -> None:
    made = {job.targets[stem]: path for stem, path in here.targets.items()}
    for target, path in list(made.items()):
        if overwrite or not _exists(target):
            continue
        if not (adopt and urls.sha256(target) == urls.sha256(path)):
            raise DssError(f"{target}: appeared while working; nothing was written")
        del made[target]
    files = {Path(target): partial(_copy, path) for target, path in made.items() if not urls.is_url(target)}
    if files:
        write_files(files)
    urls.upload({target: Path(path) for target, path in made.items() if urls.is_url(target)})


def _copy(path: str, file: BinaryIO) -> None:
    with Path(path).open("rb") as source:
        copyfileobj(source, file, 1 << 20)


def _exists(target: str) -> bool:
    return urls.exists(target) if urls.is_url(target) else os.path.lexists(target)
