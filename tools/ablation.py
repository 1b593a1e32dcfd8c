"""Ablation: short seeded training runs that differ in one choice each, and a table of their scores.

`python -m tools.ablation FOLDER --speech DIR --noise DIR --bank NPZ --weights lite.weights.h5
--document FILE` trains or resumes the unfinished runs in FOLDER, and writes the tables between
`<!-- ablations -->` and `<!-- ablations: end -->` of the document. `--only NAME` trains one run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dss_cli.cli.console import line
from dss_cli.errors import ExitCode
from dss_cli.network.keras_backend import load_keras
from dss_cli.utils.atomic_write import write_files
from dss_cli.utils.markdown import write_section
from dss_cli.utils.tables import markdown_table
from tools.exits import one_line_errors

LABEL = "ablations"
SCENES = 32  # per stratum of validation
SCORES = {  # column: stratum and figure
    "indoor near, dB": ("indoor 1N+1F 20 dB", "near_si_sdri"),
    "indoor far, dB": ("indoor 1N+1F 20 dB", "far_si_sdri"),
    "outdoor near, dB": ("outdoor 1N+1F 20 dB", "near_si_sdri"),
    "outdoor far, dB": ("outdoor 1N+1F 20 dB", "far_si_sdri"),
    "near-only kept, dB": ("indoor near-only", "near_si_sdr"),
    "far-only kept, dB": ("indoor far-only", "far_si_sdr"),
}

Rows = Mapping[str, Sequence[Mapping[str, float]]]  # scores of each scene, by stratum


@dataclass(frozen=True)
class Group:
    """Group of runs that differ from the first run in one setting each.

    Attributes:
        about: description of the group.
        tuned: whether the runs start with trained weights.
        settings: bundled configuration of the first run, then common changes as for `dss train --set`.
        others: configuration and additional changes of each further run, by name.
    """

    about: str
    tuned: bool
    settings: tuple[str, ...]
    others: Mapping[str, tuple[str, ...]]


NEVER = 10**9  # a step that no run reaches
COMMON = (
    "training.precision=mixed_bfloat16",
    "training.voices=0",
    "scenes.captured=0.0",
    "loss.near_ratio=2.0",
    "optimiser.average=0.99",
    f"validation.every={NEVER}",
)
GROUPS = {
    "fresh": Group(
        "From fresh weights, on the easiest scenes (both talkers, little noise and reverberation)",
        False,
        (
            "lite",
            *COMMON,
            "training.seed=11",
            "schedule.peak=1.5e-3",
            "schedule.warmup=100",
            "schedule.hold=200",
            "schedule.steps=400",
            f"curriculum.begins=[0, {NEVER}, {NEVER}, {NEVER}]",
        ),
        {
            "quadratic": ("quadratic",),
            "no-rope": ("lite", "network.rotary=false"),
            "mask-alone": ("lite", "network.refinement=false"),
            "layer-norm": ("lite", "network.norm=layer"),
            "near-after-2": ("lite", "network.near_after=2"),
            "blstm": ("blstm",),
        },
    ),
    "tuned": Group(
        "From the weights of `lite`, on all scenes",
        True,
        (
            "lite",
            *COMMON,
            "training.seed=12",
            "schedule.peak=6e-4",
            "schedule.warmup=50",
            "schedule.hold=100",
            "schedule.steps=250",
            f"curriculum.begins=[0, 0, 0, {NEVER}]",
        ),
        {
            "no-ratio": ("lite", "loss.near_ratio=0.0", "loss.far_ratio=0.0"),
            "captured": ("lite", "scenes.captured=0.5"),
            "outdoor-0": ("lite", "stages.2.outdoor=0.0"),
            "outdoor-25": ("lite", "stages.2.outdoor=0.25"),
            "outdoor-60": ("lite", "stages.2.outdoor=0.6"),
        },
    ),
}


def plan() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return group, configuration and changes of every run, by name."""
    runs = {}
    for group_name, group in GROUPS.items():
        first, *common = group.settings
        for name, (file, *changes) in {group_name: (first,), **group.others}.items():
            runs[name] = (group_name, (file, *common, *changes))
    return runs


def tables(found: Mapping[str, Rows]) -> str:
    """Return the finished runs as Markdown: medians, and differences from the first run of the group.

    Args:
        found: scores of each finished run, by name.
    """
    parts = []
    for name, group in GROUPS.items():
        if name not in found:
            continue
        given = dict(change.split("=") for change in group.settings[1:])
        length = f"{int(given['schedule.steps']):,} steps, seed {given['training.seed']}"
        rows = []
        for run, (file, *changes) in {name: group.settings[:1], **group.others}.items():
            if run in found:
                other = [] if file == group.settings[0] else [file]
                told = ", ".join(f"`{change}`" for change in (*other, *changes)) or "-"
                rows.append([run, told, *(_cell(found[run], found[name], *at) for at in SCORES.values())])
        parts.append(f"{group.about}: {length}.\n\n{markdown_table(['run', 'what differs', *SCORES], rows)}")
    return "\n\n".join(parts)


def _cell(rows: Rows, first: Rows, stratum: str, figure: str) -> str:
    values, before = (np.array([row[figure] for row in r[stratum]]) for r in (rows, first))
    median = f"{np.median(values):+.1f}"
    if rows is first:
        return median
    difference = values - before
    error = np.std(difference, ddof=1) / len(difference) ** 0.5
    return f"{median} ({np.mean(difference):+.2f} ± {error:.2f})"


def _train(given: argparse.Namespace, wanted: Sequence[str]) -> None:
    load_keras()
    import keras

    from dss_cli.network.weights import weights_file
    from dss_cli.simulation.corpus import load_noise, load_speech
    from dss_cli.simulation.rir_bank import Bank
    from dss_cli.training.config import read_config
    from dss_cli.training.data import Sources
    from dss_cli.training.loop import train
    from dss_cli.training.validation import Validation

    def sources(split: str, bank: Path) -> Sources:
        return Sources(load_speech(given.speech, split), load_noise(given.noise, split), Bank.load(bank))

    training = sources("train", given.bank)
    dev: Validation | None = None
    for name in wanted:
        group, (file, *changes) = plan()[name]
        weights = given.weights if GROUPS[group].tuned else None
        settings = read_config(file, ["data.weights=false", *changes], {"weights": weights})
        line(f"{name}: {file}, {', '.join(changes)}")
        run = train(
            settings,
            training,
            given.folder / name,
            report=lambda row: line(json.dumps(row)),
        )
        if dev is None:
            held_out = sources("dev", given.bank.with_name(f"{given.bank.stem}-dev.npz"))
            dev = Validation.draw(held_out, settings.network, SCENES, seed=100)
        rows = dev.rows(run.averaged())
        trained = given.folder / name / f"{settings.name}.weights.h5"
        write_files(
            {trained: weights_file(run.averaged()), given.folder / name / "rows.json": json.dumps(rows)}
        )
        keras.utils.clear_session()


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    for option, what in (("speech", "DIR"), ("noise", "DIR"), ("bank", "NPZ"), ("weights", "H5")):
        parser.add_argument(f"--{option}", type=Path, required=True, metavar=what)
    parser.add_argument("--document", type=Path, metavar="FILE")
    parser.add_argument("--only", action="append", choices=list(plan()), metavar="NAME")
    given = parser.parse_args(arguments)
    if given.document:
        write_section(given.document, LABEL, None)
    wanted = [n for n in given.only or plan() if not (given.folder / n / "rows.json").exists()]
    if wanted:  # otherwise only the table is written, which needs no data
        _train(given, wanted)
    if given.document:
        found = {
            name: json.loads((given.folder / name / "rows.json").read_bytes())
            for name in plan()
            if (given.folder / name / "rows.json").exists()
        }
        write_section(given.document, LABEL, tables(found))
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
