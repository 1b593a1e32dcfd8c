"""Results of a benchmark as CSV, one line for each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..utils.tables import csv_table
from .profile import PARTS, REST
from .results import FIGURES

_PROOF = ("asked", "used", "threads", "fully_accelerated", "adapter", "software", "precision")
_AGREEMENT = ("near_si_sdr_db", "far_si_sdr_db", "largest_difference")
_ENERGY = ("gross_joules_per_audio_second", "net_joules_per_audio_second", "watts")
_ENDS = ("median", "min", "max")


def sheet_text(result: Mapping[str, Any]) -> str:
    """Return CSV with a header; missing values are empty. The columns of a meter begin with its name."""
    return csv_table([_line(row) for row in result["rows"]])


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    agreement = row["agreement"] or {}
    line = {"model": row["model"], "name": row["name"]}
    line |= {name: row["delegate"][name] for name in _PROOF}
    line |= {name: agreement.get(name) for name in _AGREEMENT}
    for name in FIGURES:
        line |= _ends(name, row[name])
    line |= _ends("startup_seconds", row["startup_seconds"])
    line |= {f"chunk_seconds_{name}": value for name, value in row["chunk_seconds"].items()}
    shares = row["profile"]["shares"] if row["profile"] else {}
    line |= {f"{name}_share": shares.get(name) for name in (*PARTS, REST)}
    for energy in row["energy"]:
        for name in _ENERGY:
            line |= _ends(f"{energy['meter']} {name}", energy[name])
    estimate = row["energy_estimate"] or {"joules_per_audio_second": None}
    return line | _ends("estimated_joules_per_audio_second", estimate["joules_per_audio_second"])


def _ends(name: str, spread: Mapping[str, Any] | None) -> dict[str, Any]:
    return {f"{name}_{end}": spread[end] if spread else None for end in _ENDS}
