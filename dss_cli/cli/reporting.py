"""What `dss separate` says about a batch: lines in the order of its inputs, a bar, a tally, JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._version import __version__
from ..errors import ExitCode
from .console import error_line, info_line, line, warning_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..separation.batch import Job
    from ..separation.files import Phase
    from ..separation.running import NetworkFacts
    from .console import Start, Step

_SHARES = {"separating": (0.0, 0.9), "writing": (0.9, 1.0)}  # of a recording's part of the bar


class BatchReport:
    """Tells people what becomes of a batch; a `separation.running.BatchListener`.

    Lines about a recording wait until those before it are finished, so that their order is that of
    the inputs whoever finishes first.

    Args:
        jobs: the batch.
        summaries: say a line for each recording and a tally at the end.
        start: starts a progress bar.
        left_out: how many files of which kind were passed over.
    """

    def __init__(
        self, jobs: Sequence[Job], summaries: bool, start: Start, left_out: Counter[str] | None = None
    ) -> None:
        self.entries: list[dict[str, Any]] = [{} for _ in jobs]
        self.notes: list[str] = []  # warnings about the batch and the network
        self._facts: NetworkFacts | None = None
        self._jobs = jobs
        self._summaries = summaries
        self._left_out = Counter(left_out or {})
        self._lines: list[list[Callable[[], None]]] = [[] for _ in jobs]  # what waits to be said
        self._next = 0  # the first job that is not finished
        self._shares = [0.0] * len(jobs)
        self._start = start
        self._steps: dict[str, Step | None] = {}
        self._keep: Callable[[dict[str, Any]], None] = lambda entry: None

    def keep(self, take: Callable[[dict[str, Any]], None]) -> None:
        """Give each report to somebody else as well, as soon as it is there."""
        self._keep = take

    # The listener.

    def ready(self, facts: NetworkFacts, notes: Sequence[str], log: Sequence[str] = ()) -> None:
        """Keep what network runs, and say the warnings that came with it."""
        self._facts = facts
        for message in log:
            info_line(message)
        for note in notes:
            self.note(note)

    def note(self, message: str) -> None:
        """Say a warning about the batch, and keep it for the JSON object."""
        self.notes.append(message)
        warning_line(message)

    def warning(self, number: int, message: str) -> None:
        """Say a warning about a recording, at once or in its turn."""
        self._in_turn(number, partial(warning_line, message))

    def info(self, number: int, message: str) -> None:
        """Say a line of the log about a recording, at once or in its turn."""
        self._in_turn(number, partial(info_line, message))

    def progress(self, number: int, phase: Phase, done: int, total: int | None) -> None:
        """Move the bar: each phase of a single recording, or the share of the whole batch."""
        if len(self._jobs) == 1:
            self._move(f"{Path(self._jobs[0].source).name}: {phase}", done, total)
            return
        begin, end = _SHARES[phase]
        share = min(1.0, done / total) if total else 0.5
        self._shares[number] = begin + (end - begin) * share
        self._move_all()

    def finished(self, number: int, entry: dict[str, Any]) -> None:
        """Keep a report, and say all that its turn has come for."""
        self.entries[number] = entry
        self._keep(entry)
        self._shares[number] = 1.0
        if len(self._jobs) > 1:
            self._move_all()
        while self._next < len(self._jobs) and self.entries[self._next]:
            self._say(self.entries[self._next])
            self._next += 1
            for say in self._lines[self._next] if self._next < len(self._jobs) else ():
                say()

    # The end.

    @property
    def status(self) -> int:
        """The exit code: of the one recording, or 1 where any of several failed."""
        codes = [entry["exit_code"] for entry in self.entries if "error" in entry]
        if not codes:
            return ExitCode.OK
        return codes[0] if len(self._jobs) == 1 else ExitCode.FAILED

    @property
    def tally(self) -> dict[str, Any]:
        """How many recordings were separated and failed, and what was left out by kind."""
        left_out = Counter(self._left_out)
        if skipped := sum("skipped" in entry for entry in self.entries):
            left_out["outputs exist"] = skipped
        failed = sum("error" in entry for entry in self.entries)
        return {
            "separated": len(self.entries) - failed - skipped,
            "failed": failed,
            "left_out": dict(left_out.most_common()),
        }

    def close(self) -> None:
        """Say again what failed, then the tally; nothing where a single recording was the batch."""
        tally = self.tally
        if not self._summaries or (len(self._jobs) == 1 and not self._left_out):
            return
        for entry in self.entries:
            if "error" in entry:
                line(f"failed: {entry['error']}")
        parts = [f"{tally['separated']:,} separated"]
        if tally["failed"]:
            parts.append(f"{tally['failed']:,} failed")
        if kinds := tally["left_out"]:
            named = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
            parts.append(f"{sum(kinds.values()):,} left out ({named})")
        line(", ".join(parts))

    def to_dict(self, model: str, elapsed: float) -> dict[str, Any]:
        """The object of --json."""
        network = self._facts  # None: a cluster had nothing to do
        seconds = sum(entry.get("seconds", 0.0) for entry in self.entries)
        files = [{key: value for key, value in e.items() if key != "exit_code"} for e in self.entries]
        return {
            "version": __version__,
            "model": model,
            "delegate": {
                "asked": network and network.asked,
                "used": network and network.used,
                "fallback_reason": network and network.fallback_reason,
                "gpu_precision": network and network.gpu_precision,
            },
            "files": files,
            "tally": self.tally,
            "warnings": self.notes + [note for entry in files for note in entry.get("warnings", ())],
            "seconds": seconds,
            "elapsed": elapsed,
            "rtf": elapsed / seconds if seconds else None,
        }

    def _in_turn(self, number: int, say: Callable[[], None]) -> None:
        if number == self._next:
            say()
        else:
            self._lines[number].append(say)

    def _say(self, entry: dict[str, Any]) -> None:
        if "error" in entry:
            error_line(entry["error"])
        elif self._summaries:
            line(_summary(entry, self._facts.used if self._facts else ""))

    def _move_all(self) -> None:
        self._move(f"{len(self._jobs):,} recordings", round(1000 * sum(self._shares)), 1000 * len(self._jobs))

    def _move(self, label: str, done: int, total: int | None) -> None:
        if label not in self._steps:
            self._steps[label] = self._start(label)
        if step := self._steps[label]:
            step(done, total)


def _summary(entry: dict[str, Any], used: str) -> str:
    """What became of one recording, in a line."""
    if "skipped" in entry:
        return f"{entry['input']}: left out, its outputs exist"
    return (
        f"{entry['input']} -> {', '.join(entry['outputs'].values())} "
        f"({entry['seconds']:.1f} s of audio in {entry['elapsed']:.1f} s, "
        f"real-time factor {entry['rtf']:.3f}, {used.upper()})"
    )
