"""Results of a benchmark as one object, ready for JSON; `schema.py` contains the types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, cast

from ..energy import Energy
from .measurement import Run
from .session import Entry, Measurements
from .statistics import percentiles, ratio, spread

if TYPE_CHECKING:
    from .schema import (
        BenchmarkedModel,
        EnergyEstimate,
        EnergyRatio,
        EnergyResult,
        Machine,
        NotMeasured,
        Ratio,
        Results,
        RowResult,
        Settings,
        Spread,
    )

SCHEMA: Literal[1] = 1  # version of the results
NO_METER = "this machine has no energy meter that dss supports (RAPL, NVML, battery, powermetrics)"
NO_ESTIMATE = "processor time gives no estimate for the energy of a GPU or of an external delegate"

FIGURES: dict[str, Callable[[Run], float | None]] = {
    "rtf_file": lambda run: run.elapsed / run.seconds,
    "rtf_network": lambda run: sum(run.chunks) / run.seconds,
    "cpu_seconds_per_audio_second": lambda run: run.cpu_seconds / run.seconds,
    "peak_memory_bytes": lambda run: run.peak_bytes,
    "import_seconds": lambda run: run.opening.importing,
    "load_seconds": lambda run: run.opening.loading,
    "first_chunk_seconds": lambda run: run.opening.first_chunk,
}


def results(
    session: Measurements,
    *,
    machine: Machine,
    models: dict[str, BenchmarkedModel],
    settings: Settings,
    meter_problems: Sequence[str],
    tdp: float | None,
    warnings: Sequence[str],
) -> Results:
    """Return the results.

    Args:
        session: the measurements.
        machine: result of `describe_machine`.
        models: description of each model, by its name in the rows.
        settings: settings of the benchmark: `delegate`, `duration` (seconds of audio), `repeat` (runs per
            row).
        meter_problems: one line for each meter that cannot be read.
        tdp: watts for energy estimates without a meter; None: no estimates.
        warnings: warnings that were given to the user.
    """
    missing: list[NotMeasured] = [{"what": what, "why": why} for what, why in session.missing]
    metered = bool(session.idle)
    if not metered:
        missing.append({"what": "energy", "why": "; ".join(meter_problems) or NO_METER})
    missing += [
        {"what": f"idle power by {one.meter}", "why": one.problem or ""}
        for one in session.idle
        if one.joules is None
    ]
    for entry in session.entries:
        if not metered and tdp is not None and not entry.proof.on_cpu:
            missing.append({"what": f"energy estimate of {entry.proof.name}", "why": NO_ESTIMATE})
    return {
        "schema": SCHEMA,
        "machine": machine,
        "models": models,
        "settings": settings,
        "idle": [
            {"meter": one.meter, "scope": one.scope, "seconds": one.seconds, "watts": one.watts}
            for one in session.idle
        ],
        "rows": [_row(entry, session.idle, None if metered else tdp) for entry in session.entries],
        "ratios": _ratios(session),
        "not_measured": missing,
        "warnings": list(warnings),
    }


def _row(entry: Entry, idle: Sequence[Energy], tdp: float | None) -> RowResult:
    chunks = [chunk for run in entry.runs for chunk in run.chunks]
    row = {
        "model": entry.row.model,
        "name": entry.proof.name,
        "delegate": entry.proof.to_dict(),
        "agreement": entry.agreement,
        **{name: spread([figure(run) for run in entry.runs]) for name, figure in FIGURES.items()},
        "startup_seconds": spread(entry.start_ups),
        "chunk_seconds": {**percentiles(chunks), "chunks": len(chunks)},
        "profile": entry.profile and entry.profile.to_dict(),
        "energy": [_energy(entry, index, rest) for index, rest in enumerate(idle)],
        "energy_estimate": _estimate(entry, tdp),
    }
    return cast("RowResult", row)  # FIGURES name its keys


def _energy(entry: Entry, index: int, idle: Energy) -> EnergyResult:
    """Return the energy of a row according to one meter."""
    counted = [energies[index] for energies in entry.energies]
    percent = [_per_second(energy.percent, run) for energy, run in zip(counted, entry.runs, strict=True)]
    problem = next((energy.problem for energy in counted if energy.problem), None)
    return {
        "meter": idle.meter,
        "scope": idle.scope,
        "gross_joules_per_audio_second": spread(_gross(entry, index)),
        "net_joules_per_audio_second": spread(_net(entry, index, idle)),
        "watts": spread([energy.watts for energy in counted]),
        "battery_percent_per_audio_second": spread(percent),
        "problem": problem,
    }


def _gross(entry: Entry, index: int) -> list[float | None]:
    """Return the gross joules per second of audio by one meter, for each run."""
    return [
        _per_second(energies[index].joules, run)
        for energies, run in zip(entry.energies, entry.runs, strict=True)
    ]


def _net(entry: Entry, index: int, idle: Energy) -> list[float | None]:
    """Return the joules per second of audio net of the idle machine, for each run."""
    return [
        _per_second(energies[index].net(idle), run)
        for energies, run in zip(entry.energies, entry.runs, strict=True)
    ]


def _per_second(value: float | None, run: Run) -> float | None:
    return None if value is None else value / run.seconds


def _estimate(entry: Entry, tdp: float | None) -> EnergyEstimate | None:
    """Return an estimate (CPU time x watts), only for rows on the CPU."""
    if tdp is None or not entry.proof.on_cpu:
        return None
    joules = spread([tdp * run.cpu_seconds / run.seconds for run in entry.runs])
    return None if joules is None else {"tdp_watts": tdp, "joules_per_audio_second": joules}


def _ratios(session: Measurements) -> list[Ratio]:
    """Return comparisons by model: every row with the first CPU row, other delegates with each CPU row."""
    found: list[Ratio] = []
    for position, entry in enumerate(session.entries):
        others = [e for e in session.entries if e.row.model == entry.row.model and e.row.delegate == "cpu"]
        if entry.row.delegate == "cpu":
            others = others[:1]
        found += [
            _ratio(position, session.entries.index(other), session) for other in others if other is not entry
        ]
    return found


def _ratio(row: int, to: int, session: Measurements) -> Ratio:
    """Compare two rows of the session, by their positions."""
    entry, other = session.entries[row], session.entries[to]
    energy: list[EnergyRatio] = []
    for index, rest in enumerate(session.idle):
        gross = ratio(_gross(entry, index), _gross(other, index))
        net = ratio(_net(entry, index, rest), _net(other, index, rest))
        energy.append({"meter": rest.meter, "gross": gross, "net": net})

    def times(name: str) -> Spread | None:
        ours, theirs = ([FIGURES[name](run) for run in e.runs] for e in (entry, other))
        return ratio(ours, theirs)

    return {
        "row": row,
        "to": to,
        "rtf_file": times("rtf_file"),
        "rtf_network": times("rtf_network"),
        "cpu_seconds_per_audio_second": times("cpu_seconds_per_audio_second"),
        "energy": energy,
    }
