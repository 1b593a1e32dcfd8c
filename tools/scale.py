"""Cost of many hours of audio: core-hours, time and money, calculated from a measured run on a cluster.

`python -m tools.scale --document docs/user/scale.md` starts a Dask cluster of two processes on this machine
and separates synthetic recordings by `dss separate --engine dask`. A table is calculated from the CPU time of
workers, scheduler and client, and written between `<!-- scale -->` and `<!-- scale: end -->` of the document.
"""

from __future__ import annotations

import argparse
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from dss_cli.errors import DssError, ExitCode
from dss_cli.utils.machine import busy, describe_machine
from dss_cli.utils.markdown import write_section
from dss_cli.utils.tables import markdown_table
from tools.exits import one_line_errors

LABEL = "scale"
RATE = 16_000
CORES = (16, 128, 1024)  # sizes of clusters
_BYTES = 2  # bytes per sample
_SMALL = (4, 64)  # recordings of two runs, whose difference gives the cost of dispatching one recording
_SHORT = 0.1  # seconds of each of these recordings


@dataclass(frozen=True)
class Measured:
    """CPU time of one run on a cluster.

    Attributes:
        recordings: number of recordings.
        seconds: total duration of the audio.
        worker_seconds: CPU time of the workers.
        dispatch_seconds: CPU time of scheduler and client per recording.
    """

    recordings: int
    seconds: float
    worker_seconds: float
    dispatch_seconds: float

    @property
    def rtf(self) -> float:
        """CPU seconds of the workers per second of audio."""
        return self.worker_seconds / self.seconds


def measure(workers: int, recordings: int, seconds: float, model: str) -> Measured:
    """Separate synthetic recordings on a cluster of processes of this machine.

    Args:
        workers: number of processes with one thread each.
        recordings: number of recordings, in addition to short ones for the cost of dispatching.
        seconds: duration of each recording.
        model: name or path of the model.

    Raises:
        DssError: the run failed.
    """
    import distributed

    few, many = _SMALL
    with tempfile.TemporaryDirectory(prefix="dss-scale-") as name:
        folder = Path(name)
        for part, count, length in (
            ("few", few, _SHORT),  # first run: the workers load the model
            ("many", many, _SHORT),
            ("long", recordings, seconds),
        ):
            _write(folder / part, count, length)
        with (
            distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs=60
            ) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):

            def separate(part: str) -> tuple[float, float]:
                """Return the CPU seconds of the workers, and of scheduler (this process) and client."""
                before = sum(client.run(time.process_time).values()), time.process_time()
                spent = _separate(folder, part, cluster.scheduler_address, model)
                after = sum(client.run(time.process_time).values()), time.process_time()
                return after[0] - before[0], after[1] - before[1] + spent

            spent = {part: separate(part) for part in ("few", "many", "long")}
    dispatch = (spent["many"][1] - spent["few"][1]) / (many - few)
    return Measured(recordings, recordings * seconds, spent["long"][0], dispatch)


def _write(folder: Path, count: int, seconds: float) -> None:
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(count):
        sf.write(folder / f"{number}.wav", 0.1 * generator.standard_normal(round(seconds * RATE)), RATE)


def _separate(folder: Path, part: str, scheduler: str, model: str) -> float:
    """Run the command; return the CPU seconds of its process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["separate", "-r", str(folder / part), "-o", str(folder / f"{part}-stems"), "--quiet"]
    cluster = ["--engine", "dask", "--scheduler", scheduler, "--delegate", "cpu", "--model", model]
    try:
        subprocess.run([sys.executable, "-m", "dss_cli", *command, *cluster], check=True)
    except subprocess.CalledProcessError as error:
        raise DssError(f"dss separate ended with exit code {error.returncode}") from None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def calculate(measured: Measured, hours: float, price: float, currency: str) -> list[tuple[str, str]]:
    """Return the cost of `hours` hours of recordings of the measured length, as rows of a table.

    Args:
        measured: result of `measure`.
        hours: hours of audio, one channel at 16 kHz and 16 bits.
        price: price of a core-hour.
        currency: currency of the price.
    """
    core_hours = hours * measured.rtf
    recordings = hours * 3600 / (measured.seconds / measured.recordings)
    size = hours * 3600 * RATE * _BYTES / 1e9
    most = measured.worker_seconds / measured.recordings / measured.dispatch_seconds
    return [
        ("processor seconds for a second of audio", f"{measured.rtf:.4f}"),
        ("core-hours", f"{core_hours:,.0f}"),
        *((f"hours on {cores:,} cores", f"{core_hours / cores:,.2f}") for cores in CORES),
        (f"price at {price:g} {currency} a core-hour", f"{core_hours * price:,.2f} {currency}"),
        (
            f"recordings of {measured.seconds / measured.recordings:g} s; scheduler and client for each",
            f"{recordings:,.0f}; {1000 * measured.dispatch_seconds:.1f} ms",
        ),
        ("cores that one scheduler keeps busy", f"{most:,.0f}"),
        ("to read and to write", f"{size:,.0f} GB and {2 * size:,.0f} GB"),
    ]


def section(measured: Measured, arguments: argparse.Namespace, command: str, machine: dict[str, Any]) -> str:
    """Return the section of the document: the command, the table, and notes about the measurement."""
    rows = calculate(measured, arguments.hours, arguments.price, arguments.currency)
    table = markdown_table([f"{arguments.hours:,.0f} hours", arguments.model], rows, figures=True)
    notes = [
        f"{machine['processor']}, {machine['processors']} logical processors, {machine['system']} "
        f"{machine['architecture']}; LiteRT {machine['litert']}, dss {machine['dss']}; measured: "
        f"{measured.recordings} recordings of {measured.seconds / measured.recordings:g} s on "
        f"{arguments.workers} workers.",
        "Processor time, not wall time, was measured: a core that does nothing else is assumed.",
    ]
    if warning := busy(machine):
        notes.append(f"Warning: {warning}.")
    return f"```sh\n{command}\n```\n\n{table}\n\n" + "\n".join(f"- {note}" for note in notes) + "\n"


@one_line_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.scale", description=__doc__)
    parser.add_argument("--hours", type=float, default=10_000.0, help="hours of audio")
    parser.add_argument("--price", type=float, default=0.05, help="price of a core-hour")
    parser.add_argument("--currency", default="USD")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--recordings", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds of each recording")
    parser.add_argument("--model", default="lite")
    parser.add_argument("--document", type=Path, help="document with the section; default: print")
    arguments = parser.parse_args(argv)
    given = sys.argv[1:] if argv is None else argv
    if arguments.document:
        write_section(arguments.document, LABEL, None)
    machine = describe_machine()
    measured = measure(arguments.workers, arguments.recordings, arguments.seconds, arguments.model)
    text = section(measured, arguments, shlex.join(["python", "-m", "tools.scale", *given]), machine)
    if arguments.document:
        write_section(arguments.document, LABEL, text)
    else:
        print(text)
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
