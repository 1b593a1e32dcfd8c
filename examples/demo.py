"""Score the stems of the example recordings, with and without context.

    python examples/demo.py STEMS_DIRECTORY DIRECTORY_WITHOUT_CONTEXT [--readme README.md]

The script compares each stem with its reference, the talker alone in the same room. The first folder has the
stems of `dss separate`, the second folder those with `--context none`. `--readme` also writes the table
between `<!-- scores -->` and `<!-- scores: end -->` of that file.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from rich.table import Table

from dss_cli.constants import STEMS
from dss_cli.evaluation.conversation import score_conversation
from dss_cli.metrics import si_sdr
from dss_cli.utils.markdown import write_section
from dss_cli.utils.tables import markdown_table, table_console

FOLDER = Path(__file__).parent
EXAMPLES = ("two_talkers", "conversation")
LABEL = "scores"  # label of the section in the README
HEADINGS = (
    "example, stem",
    "SI-SDR in dB: mixture",
    "stem without context",
    "stem with context",
    "better by",
    "wrong output without context",
    "wrong output with context",
)
NO_CONTEXT = "The model carries no context: with and without it the stems are the same."

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Quality:
    """Quality of one stem."""

    si_sdr: float  # dB, relative to the talker alone
    wrong: int  # seconds of this talker alone with more energy in the other output
    lone: int  # seconds of this talker alone


@dataclass(frozen=True)
class Score:
    """Scores of one stem of one example, with and without context."""

    example: str
    stem: str
    mixture: float  # SI-SDR of the mixture in dB
    alone: Quality
    context: Quality

    @property
    def cells(self) -> tuple[str, ...]:
        """Row of the table."""
        ratios = (self.mixture, self.alone.si_sdr, self.context.si_sdr, self.context.si_sdr - self.mixture)
        wrong = (f"{quality.wrong} of {quality.lone} s" for quality in (self.alone, self.context))
        return f"{self.example}, {self.stem}", *(f"{value:+.1f}" for value in ratios), *wrong


def read(path: Path) -> tuple[Floats, int]:
    """Return the samples of a mono file, (frames,), and their rate in Hz."""
    samples, rate = soundfile.read(path, dtype="float32")
    return samples, rate


def read_stems(folder: Path, example: str) -> dict[str, Floats]:
    """Return the samples of an example's stems in a folder, by stem."""
    return {stem: read(stem_path(folder, example, stem))[0] for stem in STEMS}


def stem_path(folder: Path, example: str, stem: str) -> Path:
    """Return the path of a stem of an example in a folder."""
    return folder / f"{example}.{stem}.flac"


def rate_stems(references: dict[str, Floats], outputs: dict[str, Floats], rate: int) -> dict[str, Quality]:
    """Return the quality of each stem of one example; `rate` is the sample rate in Hz."""
    talk = score_conversation(references, outputs, rate)
    qualities = {}
    for stem in STEMS:
        lone = talk[f"{stem}_lone"] or 0
        wrong = round(lone * (talk[f"{stem}_wrong"] or 0))
        qualities[stem] = Quality(si_sdr(outputs[stem], references[stem]), wrong, lone)
    return qualities


def score(context: Path, alone: Path) -> tuple[list[Score], bool]:
    """Score the stems of both folders, near before far.

    Args:
        context: folder of the stems with context.
        alone: folder of the stems without context.

    Returns:
        The scores, and whether context changed any sample.
    """
    scores, changed = [], False
    for example in EXAMPLES:
        mixture, rate = read(FOLDER / f"{example}.flac")
        references = read_stems(FOLDER, example)
        outputs = [read_stems(folder, example) for folder in (alone, context)]
        before, after = (rate_stems(references, stems, rate) for stems in outputs)
        for stem in STEMS:
            unprocessed = si_sdr(mixture, references[stem])
            scores.append(Score(example, stem, unprocessed, before[stem], after[stem]))
            changed |= not np.array_equal(outputs[0][stem], outputs[1][stem])
    return scores, changed


def show(scores: list[Score], changed: bool, stems: Path) -> None:
    """Print the table, a note if the model carries no context, and the paths of the stems."""
    table = Table(box=None, pad_edge=False)  # a frame would not fit into 80 columns
    table.add_column(HEADINGS[0], no_wrap=True)
    for heading in HEADINGS[1:]:
        table.add_column(heading, justify="right")
    for row in scores:
        table.add_row(*row.cells)
    console = table_console()
    console.print(table)
    if not changed:
        console.print(NO_CONTEXT)
    for row in scores:
        console.print(str(stem_path(stems, row.example, row.stem)), soft_wrap=True, highlight=False)


def fill(readme: Path, scores: list[Score], changed: bool) -> None:
    """Write the table, and a note if the model carries no context, into a Markdown file's section of scores.

    Raises:
        DssError: the file has no such section.
    """
    table = markdown_table(HEADINGS, (row.cells for row in scores), figures=True)
    write_section(readme, LABEL, table + ("\n" if changed else f"\n\n{NO_CONTEXT}\n"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Score the stems of the example recordings.")
    parser.add_argument("stems", type=Path, metavar="STEMS_DIRECTORY")
    parser.add_argument("alone", type=Path, metavar="DIRECTORY_WITHOUT_CONTEXT")
    parser.add_argument("--readme", type=Path, help="file in which to write the table, too")
    arguments = parser.parse_args()
    found, differs = score(arguments.stems, arguments.alone)
    show(found, differs, arguments.stems)
    if arguments.readme:
        fill(arguments.readme, found, differs)
