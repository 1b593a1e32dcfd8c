"""Results of a benchmark as tables, one for each model: on a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ..constants import STEMS
from ..utils.tables import markdown_table

UNKNOWN = "not measured"

Result = Mapping[str, Any]
Line = tuple[str, list[str]]  # title, and a cell for each row
_PARTS = {
    "reading": "reading, resampling",
    "analysis": "Fourier transform, compression",
    "network": "network",
    "synthesis": "decompression, inverse transform",
    "writing": "writing",
    "rest": "cutting, fading, checks",
}


def print_results(result: Result, console: Console) -> None:
    """Print the tables and notes."""
    for model in _models(result):
        console.print(model, style="bold", highlight=False, markup=False)
        console.print(_table(result, model))
        console.print()
    for line in notes(result):
        console.print(line, highlight=False, markup=False)


def markdown_results(result: Result) -> str:
    """Return the tables and notes as Markdown."""
    parts = []
    for model in _models(result):
        told = [line for group in lines(result, model) for line in group]
        parts += [f"### {model}", markdown_lines(["", *_names(result, model)], told)]
    parts.append("\n".join(f"- {line}" for line in notes(result)))
    return "\n\n".join(parts) + "\n"


def markdown_profile(result: Result) -> str:
    """Return the time shares of each row as Markdown."""
    parts = [
        markdown_lines(["share of the time", *_names(result, model)], profile_lines(_rows(result, model)))
        for model in _models(result)
    ]
    return "\n\n".join(parts) + "\n"


def markdown_lines(header: Sequence[str], told: Sequence[Line]) -> str:
    """Return one table as Markdown."""
    return markdown_table(header, [[title, *cells] for title, cells in told])


def lines(result: Result, model: str) -> list[list[Line]]:
    """Return the lines of a model's table, in groups.

    The groups are: energy, speed and ratios; latency and memory; the profile, if there is one; the delegate
    that did the work.
    """
    rows = _rows(result, model)
    groups = [
        [*_energy(result, rows), *_speed(result, rows)],
        _latency(rows),
        [(f"time: {title}", cells) for title, cells in profile_lines(rows)],
        _proof(rows, result["models"][model]["weights"]),
    ]
    return [group for group in groups if group]


def profile_lines(rows: Sequence[Result]) -> list[Line]:
    """Return the share of the time of each part of the processing; an empty list without a profile."""
    if not all(row["profile"] for row in rows):
        return []
    shares = [row["profile"]["shares"] for row in rows]
    return [(title, [f"{share[name]:.1%}" for share in shares]) for name, title in _PARTS.items()]


def notes(result: Result) -> list[str]:
    """Return the notes below the tables: explanations, machine and settings, and missing measurements."""
    machine, settings = result["machine"], result["settings"]
    found = [
        "Medians (smallest to largest). RTF: real-time factor, seconds of computing per second of audio. "
        "Percentiles are of the chunks of all runs; the first chunk is the first of its process. SI-SDR "
        "ends at 80 dB.",
        f"{machine['processor']}, {machine['processors']} logical processors, {machine['system']} "
        f"{machine['architecture']}; LiteRT {machine['litert']}, dss {machine['dss']}; "
        f"{settings['duration']:g} s of audio, runs per row: {settings['repeat']}, taken in turns.",
    ]
    for idle in result["idle"]:
        power = UNKNOWN if idle["watts"] is None else f"{_number(idle['watts'])} W"
        found.append(f"Idle, by {idle['meter']} ({idle['scope']}), {idle['seconds']:.1f} s: {power}.")
    estimates = [row["energy_estimate"] for row in result["rows"] if row["energy_estimate"]]
    if estimates:
        watts = estimates[0]["tdp_watts"]
        found.append(f"*Estimate*: CPU time x {watts:g} W, as --tdp gives them; nothing measured it.")
    found += [f"Not measured: {entry['what']}: {entry['why']}." for entry in result["not_measured"]]
    return found + [f"Warning: {warning}." for warning in result["warnings"]]


def _models(result: Result) -> list[str]:
    return list(dict.fromkeys(row["model"] for row in result["rows"]))


def _rows(result: Result, model: str) -> list[Result]:
    return [row for row in result["rows"] if row["model"] == model]


def _names(result: Result, model: str) -> list[str]:
    return [row["name"] for row in _rows(result, model)]


def _table(result: Result, model: str) -> Table:
    table = Table("")
    for name in _names(result, model):
        table.add_column(name, overflow="fold")
    for group in lines(result, model):
        for title, cells in group:
            table.add_row(title, *cells)
        table.add_section()
    return table


def _energy(result: Result, rows: Sequence[Result]) -> Iterator[Line]:
    if not result["idle"]:
        estimates = [row["energy_estimate"] for row in rows]
        cells = [
            f"{spread_text(e['joules_per_audio_second'])} *estimate*" if e else UNKNOWN for e in estimates
        ]
        yield "energy, J per audio s", cells
    for index, idle in enumerate(result["idle"]):
        counted = [row["energy"][index] for row in rows]
        gross = [
            e["problem"] or spread_text(e["gross_joules_per_audio_second"]) for e in counted
        ]  # the reason, if there is no number
        yield f"{idle['meter']}, J per audio s", gross
        yield (
            f"{idle['meter']}, net of idle",
            [spread_text(e["net_joules_per_audio_second"]) for e in counted],
        )
        yield f"{idle['meter']}, average W", [spread_text(e["watts"]) for e in counted]
        if any(e["battery_percent_per_audio_second"] for e in counted):
            percent = [spread_text(e["battery_percent_per_audio_second"], 3600) for e in counted]
            yield f"{idle['meter']}, % per hour of audio", percent


def _speed(result: Result, rows: Sequence[Result]) -> Iterator[Line]:
    yield "RTF, file to file", _cells(rows, "rtf_file")
    yield "RTF, network alone", _cells(rows, "rtf_network")
    places = [result["rows"].index(row) for row in rows]
    base = next((p for p in places if result["rows"][p]["delegate"]["asked"] == "cpu"), None)
    ratios = {ratio["row"]: ratio for ratio in result["ratios"] if ratio["to"] == base}
    if not ratios:
        return

    def told(figure: Callable[[Result], Any]) -> list[str]:
        return ["1" if p == base else spread_text(figure(ratios[p])) if p in ratios else "" for p in places]

    name = result["rows"][base]["name"]
    yield f"RTF against {name}", told(lambda ratio: ratio["rtf_file"])
    for index, idle in enumerate(result["idle"]):
        energy = told(lambda ratio, index=index: ratio["energy"][index]["gross"])  # type: ignore[misc]
        yield f"{idle['meter']} against {name}", energy


def _latency(rows: Sequence[Result]) -> list[Line]:
    return [
        ("import, s", _cells(rows, "import_seconds")),
        ("load and compile, s", _cells(rows, "load_seconds")),
        ("first chunk, ms", _cells(rows, "first_chunk_seconds", 1e3)),
        ("`dss separate` of one chunk, s", _cells(rows, "startup_seconds")),
        *(
            (f"chunk, {name}, ms", [_number(1e3 * row["chunk_seconds"][name]) for row in rows])
            for name in ("p50", "p95", "p99")
        ),
        ("CPU s per audio s", _cells(rows, "cpu_seconds_per_audio_second")),
        ("peak memory, MiB (no GPU's)", _cells(rows, "peak_memory_bytes", 2**-20)),
    ]


def _proof(rows: Sequence[Result], weights: str) -> list[Line]:
    proofs = [row["delegate"] for row in rows]
    found = [
        ("asked, used", [f"{proof['asked']}, {proof['used']}" for proof in proofs]),
        ("wholly on the GPU, XNNPACK or library", [_whole(proof) for proof in proofs]),
        ("arithmetic; weights", [f"{proof['precision']}; {weights}" for proof in proofs]),
    ]
    if any(proof["adapter"] for proof in proofs):
        found.append(("adapter (API, kind)", [proof["adapter"] or "" for proof in proofs]))
    for stem in STEMS:
        told = []
        for agreement in (row["agreement"] for row in rows):
            score = agreement and agreement[f"{stem}_si_sdr_db"]
            told.append("reference" if not agreement else "silent" if score is None else f"{score:.1f}")
        found.append((f"{stem} against CPU, 1 thread: SI-SDR, dB", told))
    differences = [row["agreement"] and row["agreement"]["largest_difference"] for row in rows]
    found.append(
        ("largest difference", ["reference" if one is None else _number(one) for one in differences])
    )
    return found


def _whole(proof: Result) -> str:
    if proof["fully_accelerated"]:
        return "yes"
    left = ", ".join(f"{count} {name}" for name, count in proof["not_accelerated"].items())
    return f"no: {left or 'LiteRT gives no details'}"


def _cells(rows: Sequence[Result], figure: str, scale: float = 1.0) -> list[str]:
    return [spread_text(row[figure], scale) for row in rows]


def spread_text(spread: Result | None, scale: float = 1.0) -> str:
    """Return `MEDIAN (SMALLEST to LARGEST)`, each times `scale`; one number for a single run."""
    if spread is None:
        return UNKNOWN
    median, low, high = (_number(scale * spread[name]) for name in ("median", "min", "max"))
    return f"{median} ({low} to {high})" if spread["runs"] > 1 else median


def _number(value: float) -> str:
    """Return a number with three significant digits, or as an integer from 100 up."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
