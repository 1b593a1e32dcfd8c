"""Say where the stems of examples/two_talkers.flac are and how far apart they are.

    python examples/demo.py STEMS_DIRECTORY

Compares each stem with its reference, the talker alone in the same room.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from rich.console import Console
from rich.table import Table

from dss_cli.metrics import si_sdr

EXAMPLE = Path(__file__).with_name("two_talkers.flac")
STEMS = ("near", "far")


@dataclass(frozen=True)
class Score:
    """How much of one talker a stem holds; SI-SDR in dB against the talker alone."""

    stem: str
    path: Path
    before: float  # of the mixture
    after: float  # of the stem

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row of a table."""
        decibels = (self.before, self.after, self.after - self.before)
        before, after, gain = (f"{value:+.1f} dB" for value in decibels)
        return self.stem, before, after, gain


HEADINGS = ("stem", "SI-SDR in the mixture", "SI-SDR in the stem", "improvement")


def read(path: Path) -> npt.NDArray[np.float32]:
    """A mono file's samples; shape (frames,)."""
    samples: npt.NDArray[np.float32] = soundfile.read(path, dtype="float32")[0]
    return samples


def score(stems: Path) -> list[Score]:
    """The scores of the stems in a directory, near first."""
    mixture = read(EXAMPLE)
    scores = []
    for stem in STEMS:
        name = f"{EXAMPLE.stem}.{stem}.flac"
        reference = read(EXAMPLE.with_name(name))
        before = si_sdr(mixture, reference)
        after = si_sdr(read(stems / name), reference)
        scores.append(Score(stem, stems / name, before, after))
    return scores


def show(scores: list[Score]) -> None:
    """Print the table and where the stems are."""
    shown = Table(*HEADINGS)
    for column in shown.columns[1:]:
        column.justify = "right"
    for row in scores:
        shown.add_row(*row.cells)
    console = Console(highlight=False)
    console.print(shown)
    for row in scores:
        console.print(f"{row.stem:>4}: {row.path}", soft_wrap=True)


def table(scores: list[Score]) -> str:
    """Return the scores as a Markdown table."""
    rows = [HEADINGS, ("---", "---:", "---:", "---:"), *(row.cells for row in scores)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Score the stems of the example recording.")
    parser.add_argument("stems", type=Path, metavar="STEMS_DIRECTORY")
    show(score(parser.parse_args().stems))
