"""Generated part of `models/README.md`: the content of the model cards as Markdown.

`python -m dss_cli.evaluation.model_readme models` and `dss evaluate --write-card` update it, so that no table
is typed by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..runtime.registry import SUFFIX, load
from ..utils.atomic_write import write_files
from ..utils.tables import markdown_table
from .tables import CONVERSATIONS, conversation_cells, number, tail

README = "README.md"
START, END = "<!-- models:start -->", "<!-- models:end -->"
_SNR = re.compile(r"-(?:clean|snr-?[\d.]+)(?=-|$)")  # noise level in a stratum's name
_FEW = 3  # number of noise levels from which each level gets a column
_SILENT = "silent output, below the mixture"
_FIGURES = {
    "near_si_sdri": "near SI-SDRi",
    "far_si_sdri": "far SI-SDRi",
    "near_attenuation": _SILENT,
    "far_attenuation": _SILENT,
}


def update(folder: Path) -> bool:
    """Update the generated part of a folder's README from the cards in the folder.

    Returns:
        False if there is no README with the two markers.

    Raises:
        DssError: a model or card is damaged, or the README cannot be written.
    """
    path = folder / README
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if START not in text or END not in text:
        return False
    cards = [load(model).card for model in sorted(folder.glob(f"*{SUFFIX}"))]
    before, rest = text.split(START, 1)
    after = rest.split(END, 1)[1]
    write_files({path: f"{before}{START}\n{render_cards(cards)}{END}{after}"})
    return True


def render_cards(cards: Iterable[Mapping[str, Any]]) -> str:
    """Return the cards as Markdown, with a section for each card."""
    return "".join(f"\n{part}\n" for card in cards for part in _card(card)) + "\n"


def _card(card: Mapping[str, Any]) -> list[str]:
    signal = card["signal"]
    seconds = signal["frames"] * signal["hop"] / signal["sample_rate"]
    facts = {"file": f"{card['bytes']:,} bytes", "SHA-256": f"`{card['sha256']}`"}
    if "parameters" in card:
        facts["parameters"] = f"{card['parameters']:,}"
    if "macs_per_second" in card:
        million = card["macs_per_second"] / 1e6
        facts["computing"] = f"{million:,.0f} million multiply-accumulates per second of audio"
    facts["chunk"] = f"{seconds:g} s at {signal['sample_rate']} Hz, {100 * card['overlap']:g} % overlap"
    if offered := card.get("latencies"):
        shorter = " or ".join(f"{latency['seconds']:g}" for latency in offered)
        facts["latency"] = f"{card['latency_seconds']:g} s, or {shorter} s"
    for name, (low, high) in card.get("limits", {}).items():
        facts[name.replace("_", ", ")] = f"{low:g} to {high:g} m"
    training = {name.replace("_", " "): _told(value) for name, value in card.get("training", {}).items()}
    checks = [
        [check["name"], "" if check["value"] is None else f"{check['value']:.2g}", check.get("note") or ""]
        for check in card.get("checks", [])
    ]
    parts = [f"## {card['name']}", markdown_table(["", ""], facts.items())]
    if training:
        parts += ["Training:", markdown_table(["", ""], training.items())]
    if checks:
        parts += ["Passed before it was written:", markdown_table(["check", "value", "note"], checks)]
    for name, scores in card.get("scores", {}).items():
        parts += [f"### {card['name']}: {name}", *_scores(scores)]
    return parts


def _scores(scores: Mapping[str, Any]) -> list[str]:
    about, strata = scores["test_set"], scores["strata"]
    length = f" of {about['seconds']:g} s" if about["seconds"] else ""
    parts = [
        f"{about['scenes']} scenes{length}, made by dss {about['version']} of the speech "
        f"`{about['speech']}`; `{scores['command']}` (dss {scores['version']}) gave these figures."
    ]
    if len({summary["snr_db"] for summary in strata.values()}) >= _FEW:
        parts += _by_noise(strata)
    else:
        parts.append(_by_figure(strata))
    head, rows = conversation_cells(scores)
    if rows:
        parts += [f"{CONVERSATIONS}:", markdown_table(head, rows)]
    if scores["leakage"]:
        parts += ["Near-only, share of energy in the far output, %:", _leakage(scores["leakage"])]
    return parts


def _by_figure(strata: Mapping[str, Any]) -> str:
    """Return a table with a row for each stratum and a column for each figure."""
    titles = list(dict.fromkeys(_FIGURES.values()))
    rows = []
    for name, summary in strata.items():
        cells = dict.fromkeys(titles, "")
        for figure, title in _FIGURES.items():
            if figure in summary:
                cells[title] = _cell(summary[figure])
        rows.append([name, str(summary["scenes"]), *cells.values(), _swapped(summary)])
    return markdown_table(["stratum", "n", *titles, "swapped"], rows)


def _by_noise(strata: Mapping[str, Any]) -> list[str]:
    """Return a table for each figure: a row for strata that differ only in noise, a column per level."""
    levels = sorted(
        {s["snr_db"] for s in strata.values()}, key=lambda snr: -float("inf") if snr is None else -snr
    )
    heads = ["clean" if level is None else f"{level:g} dB" for level in levels]
    parts = []
    for title in dict.fromkeys(_FIGURES.values()):
        rows: dict[str, dict[Any, str]] = {}
        for name, summary in strata.items():
            for figure in (figure for figure, of in _FIGURES.items() if of == title and figure in summary):
                rows.setdefault(_SNR.sub("", name), {})[summary["snr_db"]] = _cell(summary[figure])
        cells = [[name, *(row.get(level, "") for level in levels)] for name, row in rows.items()]
        parts += [f"{title[0].upper()}{title[1:]}:", markdown_table(["stratum", *heads], cells)]
    return parts


def _leakage(curve: Sequence[Mapping[str, Any]]) -> str:
    distances = sorted({point["distance_m"] for point in curve})
    rows = []
    for environment in sorted({point["environment"] for point in curve}):
        points = {p["distance_m"]: p for p in curve if p["environment"] == environment}
        rows.append(
            [environment, *(number(100 * points[d]["median"]) if d in points else "" for d in distances)]
        )
    return markdown_table(["", *(f"{distance:g} m" for distance in distances)], rows)


def _cell(summary: Mapping[str, Any]) -> str:
    """Return the median and the start of the worst tenth."""
    return f"{number(summary['median'])} ({number(tail(summary))})"


def _swapped(summary: Mapping[str, Any]) -> str:
    return f"{100 * summary['swap_rate']['rate']:.0f} %" if "swap_rate" in summary else ""


def _told(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    if not update(Path(sys.argv[1])):
        sys.exit(f"{sys.argv[1]}: no {README} with {START} and {END}")
