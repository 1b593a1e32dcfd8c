"""Run the jobs of a batch one after the other; a failed job does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import DssError, ExitCode
from ..utils.descriptors import PIPE, is_stream
from ..utils.urls import sha256
from .batch import Job

if TYPE_CHECKING:
    from ..runtime.litert import LiteRTNetwork
    from .files import Phase


PACKAGE = __name__.partition(".")[0]  # package whose log lines other processes send


@dataclass(frozen=True)
class NetworkFacts:
    """Facts about a loaded network, for reports."""

    asked: str
    used: str
    fallback_reason: str | None
    gpu_precision: str | None

    @classmethod
    def of(cls, network: LiteRTNetwork) -> NetworkFacts:
        """Return the facts about a loaded network."""
        return cls(network.asked, network.used, network.fallback_reason, network.gpu_precision)


class BatchListener(Protocol):
    """Receiver of events of a batch; `number` is the index of a job in the batch, from 0."""

    def ready(self, facts: NetworkFacts, notes: Sequence[str], log: Sequence[str] = ()) -> None:
        """Receive facts about the loaded network, warnings of loading it, and another process's log lines."""

    def info(self, number: int, message: str) -> None:
        """Receive a log line about one recording, sent by another process."""

    def warning(self, number: int, message: str) -> None:
        """Receive a warning about one recording, without its name."""

    def progress(self, number: int, phase: Phase, done: int, total: int | None) -> None:
        """Receive the frames done and the total frames (None: unknown)."""

    def finished(self, number: int, entry: dict[str, Any]) -> None:
        """Receive the report of a job, as in the JSON object."""


def run_here(
    jobs: Sequence[Job],
    load: Callable[..., LiteRTNetwork],
    options: dict[str, Any],
    listener: BatchListener,
    debug: bool = False,
) -> None:
    """Run the jobs in this process.

    Args:
        jobs: jobs of the batch.
        load: function that loads the network; called with `warn`.
        options: further arguments of `run_job`.
        listener: receives warnings, progress and reports.
        debug: raise the first error with its traceback.
    """
    notes: list[str] = []
    network = load(warn=notes.append)
    listener.ready(NetworkFacts.of(network), notes)
    for number, job in enumerate(jobs):
        listener.finished(number, run_job(number, job, network, options, listener, debug))


def run_job(
    number: int,
    job: Job,
    network: LiteRTNetwork,
    options: dict[str, Any],
    listener: BatchListener,
    debug: bool = False,
) -> dict[str, Any]:
    """Run one job and return its report; any error is reported as `error`, with its `exit_code`.

    Args:
        number: index of the job in the batch.
        job: job to run.
        network: loaded network.
        options: further arguments of `separate_file`; also `adopt` (see `staging.staged`) and `digests`,
            which adds the `sha256` of each output to the report.
        listener: receives warnings and progress.
        debug: raise the first error with its traceback.
    """
    if job.finished:
        return left_out(job)

    def warn(message: str) -> None:
        listener.warning(number, message)

    def progress(phase: Phase, done: int, total: int | None) -> None:
        listener.progress(number, phase, done, total)

    try:
        return _separate(job, network, warn, progress, **options)
    except DssError as error:
        if debug:
            raise
        reason = str(error) if _names_a_file(str(error), job) else f"{_name(job)}: {error}"
        return {"input": job.source, "error": reason, "exit_code": int(error.exit_code)}
    except Exception as error:  # a bug fails one recording, not the batch
        if debug:
            raise
        reason = f"{job.source}: {type(error).__name__}: {error}; `--debug` shows the traceback"
        return {"input": job.source, "error": reason, "exit_code": int(ExitCode.FAILED)}


def _name(job: Job) -> str:
    return "standard input" if job.source == PIPE else job.source


def _names_a_file(message: str, job: Job) -> bool:
    places = (
        _name(job),
        "standard output",
        *job.targets.values(),
        *([str(job.folder)] if job.folder else []),
    )
    return message.startswith(tuple(f"{place}: " for place in places if place != PIPE))


def left_out(job: Job) -> dict[str, Any]:
    """Return the report of a job whose outputs existed before."""
    return {"input": job.source, "outputs": job.targets, "skipped": True}


def _separate(
    job: Job,
    network: LiteRTNetwork,
    warn: Callable[[str], None],
    progress: Callable[[Phase, int, int | None], None],
    *,
    overwrite: bool = False,
    adopt: bool = False,
    digests: bool = False,
    **options: Any,
) -> dict[str, Any]:
    from .files import separate_file
    from .staging import as_asked, staged

    if job.folder is not None:
        try:
            job.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DssError(f"{job.folder}: cannot be created: {error.strerror}") from error
    name = _name(job)
    said: list[str] = []
    with staged(job, overwrite, adopt) as here:

        def warn_once(message: str) -> None:
            message = as_asked(message, here, job)
            if message not in said:
                warn(message if message.startswith(name) else f"{name}: {message}")
            said.append(message)

        report = separate_file(
            here.source,
            near=here.targets.get("near"),
            far=here.targets.get("far"),
            residual=here.targets.get("residual"),
            activity=here.targets.get("activity"),
            page=here.targets.get("page"),
            network=network,
            overwrite=overwrite,
            progress=progress,
            warn=warn_once,
            **options,
        )
        entry = report.to_dict()
        if digests:
            entry["sha256"] = {
                stem: None if path == PIPE or is_stream(path) else sha256(path)
                for stem, path in here.targets.items()
            }
    return entry | {"input": job.source, "outputs": dict(job.targets), "warnings": said}
