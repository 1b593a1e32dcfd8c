"""Dataset card: content of a test set, and the way to make it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..constants import SAMPLE_RATE
from .format import INDEX, MANIFEST, METADATA

ENCODINGS = {"flac": "24-bit FLAC", "wav": "32-bit float WAV"}


def card(index: dict[str, Any], records: Sequence[dict[str, Any]], parts: Sequence[str]) -> str:
    """Return README.md of a test set from its index, the records of its scenes and its parts with files."""
    material = index["material"]
    speech, noise = material["speech"], material["noise"]
    noises = (
        f"{index['noise']}: {noise['recordings']} recordings, {_hours(noise['seconds'])}" if noise else "-"
    )
    warning = ""
    if index["speech"] == "synthetic":
        warning = (
            "\n\n**The voices are synthetic (eSpeak NG).** Good for trying things out; scores on them say "
            "little of real voices."
        )
    near = [t["distance_m"] for r in records for t in r["talkers"] if t["role"] == "near"]
    far = [t["distance_m"] for r in records for t in r["talkers"] if t["role"] == "far"]
    reverberation = [r["rt60_measured"] for r in records if r["rt60_measured"] is not None]
    facts = [
        (
            "scenes",
            f"{index['scenes']} of {_lengths(index, records)} at {index['rate']} Hz, mono, "
            f"{ENCODINGS[index['format']]}",
        ),
        ("band", _band(index)),
        ("preset and seed", f"{index['preset']}, {index['seed']}"),
        ("speech", f"{index['speech']}: {speech['talkers']} talkers, {_hours(speech['seconds'])}"),
        ("noise", noises),
        ("rooms", f"measured, {index['rirs']}" if index["rirs"] else "simulated (image sources)"),
        ("protocol", str(index["protocol"])),
        ("near talkers", _span(near, "m")),
        ("far talkers", _span(far, "m")),
        ("reverberation time", _span(reverberation, "s")),
        ("places drawn again", f"{index['redraws']}, after a response failed its checks"),
    ]
    return f"""# Test set `{index["preset"]}`

Scenes for distance-based separation, made by `dss simulate-test-set` (dss {index["version"]}).{warning}

| | |
|---|---|
{_rows(facts)}

`mixture = near + far + noise` holds for the written samples, exactly. `near` and `far` are the
reverberant images at the microphone; an output with nobody in it is digital silence. Noise belongs to
neither and is `mixture - near - far`; a scene without environmental noise still has the microphone's own.

| stratum | scenes |
|---|---|
{_rows(list(index["strata"].items()))}

Files: {", ".join(f"`{part}/ID.{index['format']}`" for part in parts)};
`{METADATA}` has every number drawn, one scene a line; `{MANIFEST}` the same as a flat table;
`{INDEX}` the settings and the sha256 of the material. Each scene depends on the seed, the name of
its stratum, its index and the material alone. The licences are those of the speech, noise and responses.
"""


def _band(index: dict[str, Any]) -> str:
    band = f"up to {index['band_hz'] / 1000:g} kHz"
    if index["rate"] == SAMPLE_RATE:
        return band
    said = f"{band}: rendered at {SAMPLE_RATE} Hz, resampled to {index['rate']} Hz"
    if index["rate"] < SAMPLE_RATE:
        said += "; the noise's level holds for the band up to 8 kHz"
    return said


def _lengths(index: dict[str, Any], records: Sequence[dict[str, Any]]) -> str:
    seconds = sorted({round(record["samples"] / index["rate"]) for record in records})
    return f"{index['seconds']:g} s" if index["seconds"] else f"{', '.join(map(str, seconds))} s"


def _rows(rows: Sequence[tuple[str, object]]) -> str:
    return "\n".join(f"| {name} | {value} |" for name, value in rows)


def _span(values: Sequence[float], unit: str) -> str:
    return f"{min(values):.2f} to {max(values):.2f} {unit}" if values else "-"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.2f} h"
