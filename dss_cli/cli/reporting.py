"""Reports of `dss separate` about a batch: lines in order of the inputs, progress bar, tally, JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._version import __version__
from ..errors import ExitCode
from .console import by_label, error_line, info_line, line, warning_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..separation.batch import Job
    from ..separation.files import Phase
    from ..separation.running import NetworkFacts
    from .console import Start

_SHARES = {"separating": (0.0, 0.9), "writing": (0.9, 1.0)}  # shares of the bar for the phases of a recording


class BatchReport:
    """Report of a batch to the user; a `separation.running.BatchListener`.

    Lines about a recording are printed after those of the recordings before it, so that they are in order of
    the inputs.

    Args:
        jobs: jobs of the batch.
        summaries: whether to print a line for each recording and a tally at the end.
        start: function that starts a progress bar.
        left_out: count of the files that were left out, by kind.
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
        self._lines: list[list[Callable[[], None]]] = [[] for _ in jobs]  # lines that wait for their turn
        self._next = 0  # first unfinished job
        self._shares = [0.0] * len(jobs)
        self._move = by_label(start)
        self._keep: Callable[[dict[str, Any]], None] = lambda entry: None

    def keep(self, take: Callable[[dict[str, Any]], None]) -> None:
        """Pass each report to `take`, too, as soon as it is available."""
        self._keep = take

    # Methods of the listener.

    def ready(self, facts: NetworkFacts, notes: Sequence[str], log: Sequence[str] = ()) -> None:
        """Keep the facts about the network, and print its log lines and warnings."""
        self._facts = facts
        for message in log:
            info_line(message)
        for note in notes:
            self.note(note)

    def note(self, message: str) -> None:
        """Print a warning about the batch, and keep it for the JSON object."""
        self.notes.append(message)
        warning_line(message)

    def warning(self, number: int, message: str) -> None:
        """Print a warning about a recording, immediately or in its turn."""
        self._in_turn(number, partial(warning_line, message))

    def info(self, number: int, message: str) -> None:
        """Print a log line about a recording, immediately or in its turn."""
        self._in_turn(number, partial(info_line, message))

    def progress(self, number: int, phase: Phase, done: int, total: int | None) -> None:
        """Update the bar: by phase for a single recording, else by the share of the batch."""
        if len(self._jobs) == 1:
            self._move(f"{Path(self._jobs[0].source).name}: {phase}", done, total)
            return
        begin, end = _SHARES[phase]
        share = min(1.0, done / total) if total else 0.5
        self._shares[number] = begin + (end - begin) * share
        self._move_all()

    def finished(self, number: int, entry: dict[str, Any]) -> None:
        """Keep a report, and print all lines whose turn has come."""
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
        """Exit code: that of a single recording, or 1 if any of several recordings failed."""
        codes = [entry["exit_code"] for entry in self.entries if "error" in entry]
        if not codes:
            return ExitCode.OK
        return codes[0] if len(self._jobs) == 1 else ExitCode.FAILED

    @property
    def tally(self) -> dict[str, Any]:
        """Numbers of separated and failed recordings, and of files left out by kind."""
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
        """Print the failures again, then the tally; nothing for a single recording."""
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
        """Return the object of --json."""
        network = self._facts  # None if there was nothing to do
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


def _summary(entry: dict[str, Any], used: str) -> str:
    """Return one line about the result of a recording."""
    if "skipped" in entry:
        return f"{entry['input']}: left out, its outputs exist"
    return (
        f"{entry['input']} -> {', '.join(entry['outputs'].values())} "
        f"({entry['seconds']:.1f} s of audio in {entry['elapsed']:.1f} s, "
        f"real-time factor {entry['rtf']:.3f}, {used.upper()})"
    )
