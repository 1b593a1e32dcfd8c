"""Markdown table of the quality and speed of a network's conversions, a section of a document."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..constants import STEMS
from ..utils.tables import markdown_table

LABEL = "conversions"  # label of the section in a document
# Kind of scenes and figure whose median each column shows.
FIGURES = {
    "near SI-SDRi, dB": ("1N+1F", "near_si_sdri"),
    "far SI-SDRi, dB": ("1N+1F", "far_si_sdri"),
    "near-only kept, dB": ("near-only", "near_si_sdr"),
    "far-only kept, dB": ("far-only", "far_si_sdr"),
}
_SCORES = tuple(f"{stem}_si_sdr" for stem in STEMS)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Conversion:
    """One conversion of the weights.

    Attributes:
        name: name of the conversion in the table.
        bytes: size of its file.
        rows: scores of every scene by `scoring.score`, in the same order for all conversions.
        time: time of the network on one CPU thread relative to the first file; None if not measured.
    """

    name: str
    bytes: int
    rows: Sequence[Row]
    time: float | None = None


def markdown(
    conversions: Sequence[Conversion],
    test_sets: Iterable[Mapping[str, Any]],
    machine: Mapping[str, Any],
    command: Sequence[str],
    no_gpu: str | None,
    warnings: Iterable[str],
) -> str:
    """Return the command, the table, and the notes about it.

    Args:
        conversions: conversions, Keras first; differences are relative to Keras.
        test_sets: `about` of each test set.
        machine: result of `describe_machine`.
        command: command that makes this table.
        no_gpu: reason why there is no row for a GPU, else None.
        warnings: warnings that were given to the user.
    """
    reference = conversions[0]
    head = ["conversion", "file, bytes", *FIGURES]
    head += [f"from {reference.name}, median, dB", "largest, dB", "time"]
    table = markdown_table(head, [_cells(conversion, reference) for conversion in conversions], figures=True)
    counts = ", ".join(
        f"{title.removesuffix(', dB')} {len(_values(reference.rows, *of))}" for title, of in FIGURES.items()
    )
    notes = [
        f"Medians over scenes ({counts}). Improvement of the SI-SDR where a near and a far talker speak; "
        "kept: the SI-SDR of a lone talker in the output that is theirs.",
        f"From {reference.name}: how far the SI-SDR of an output lies from {reference.name}'s on the same "
        f"scene, up or down, over all {len(differences(reference, reference))} outputs that somebody "
        "speaks in.",
        "Time: of the network on one CPU thread, against the float32 file, chunks taken in turns; "
        "`dss bench` measures more.",
        *(_test_set(about) for about in test_sets),
        f"{machine['processor']}, {machine['system']} {machine['architecture']}; "
        f"LiteRT {machine['litert']}, dss {machine['dss']}.",
        *([f"Not measured: float16 on a GPU: {no_gpu}."] if no_gpu else []),
        *(f"Warning: {warning}." for warning in warnings),
    ]
    return f"```sh\n{shlex.join(command)}\n```\n\n{table}\n\n" + "".join(f"- {note}\n" for note in notes)


def differences(conversion: Conversion, reference: Conversion) -> npt.NDArray[np.float64]:
    """Return the absolute SI-SDR differences of all scenes, in dB."""
    pairs = zip(conversion.rows, reference.rows, strict=True)
    found = [abs(a[score] - b[score]) for a, b in pairs for score in _SCORES if b[score] is not None]
    return np.array(found, np.float64)


def _cells(conversion: Conversion, reference: Conversion) -> list[str]:
    medians = [_values(conversion.rows, *of) for of in FIGURES.values()]
    own = conversion is reference
    from_reference = differences(conversion, reference)
    return [
        conversion.name,
        f"{conversion.bytes:,}",
        *(f"{np.median(values):.2f}" if values else "" for values in medians),
        *("" if own else f"{value:.3f}" for value in (np.median(from_reference), from_reference.max())),
        "" if conversion.time is None else f"{conversion.time:.2f}",
    ]


def _values(rows: Iterable[Row], kind: str, figure: str) -> list[float]:
    return [row[figure] for row in rows if row["kind"] == kind and row[figure] is not None]


def _test_set(about: Mapping[str, Any]) -> str:
    return (
        f"Test set {about['name']}: preset {about['preset']}, seed {about['seed']}, {about['scenes']} scenes "
        f"of {about['seconds']:g} s, made by dss {about['version']} of the speech `{about['speech']}`."
    )
