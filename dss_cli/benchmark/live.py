"""Cost of a live signal: time per call and late blocks, with an idle or busy other core."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..energy import Meter, find_meters, measure
from ..live.reserve import Reserve
from ..live.separator import LiveSeparator
from ..live.session import BLOCK_SECONDS, computing_seconds
from ..runtime.registry import find_model
from ..runtime.timing import whole_chunks
from ..separation.separator import load_model
from ..utils.tables import markdown_table
from .recording import synthetic
from .statistics import PERCENTILES

RATE = 48_000  # Hz, rate of most sound cards
OTHER_CORE = (0.0, 0.5, 0.9)  # load of the other core
SCHEMA = 2  # version of the results
# Spins for a share of every 10 ms, on the last permitted processor if the system supports that.
_BUSY = """
import os, sys, time
share = float(sys.argv[1])
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
while True:
    until = time.perf_counter() + 0.01 * share
    while time.perf_counter() < until:
        pass
    time.sleep(0.01 * (1 - share))
"""


def measure_live(
    model: str,
    delegates: Sequence[str],
    duration: float,
    *,
    latency: float | None = None,
    loads: Sequence[float] | None = None,
    tell: Callable[[str], None] = lambda message: None,
    warn: Callable[[str], None] = lambda message: None,
) -> dict[str, Any]:
    """Run a live signal in real time and measure the time of every call.

    Args:
        model: name or path of the model.
        delegates: delegates as in `load_model`.
        duration: seconds of sound per row.
        latency: largest latency in seconds; None: each latency of the model.
        loads: loads of another core, 0 to 1, with one row each; None: OTHER_CORE.
        tell: receives one line before each row.
        warn: receives the warnings, one line each.

    Returns:
        Results ready for JSON: `schema`, `model`, `rate`, `duration` and `rows`; see `live_row`.

    Raises:
        DssError: the model or a delegate cannot be used.
        UsageError: the model has no latency of at most `latency`.
    """
    found = find_model(model)
    timings = found.timings or (whole_chunks(found.signal, found.overlap),)
    latencies = [timing.seconds(found.signal) for timing in timings] if latency is None else [latency]
    meters = find_meters()
    for problem in meters.problems:
        warn(problem)
    rows = []
    with contextlib.closing(meters):
        for delegate in delegates:
            network = load_model(model, delegate, 1, strict_delegate=delegate == "gpu", warn=warn)
            for seconds in latencies:
                separator = LiveSeparator(network, RATE, seconds)
                for load in OTHER_CORE if loads is None else loads:
                    tell(f"{delegate}, latency {seconds:g} s, other core {load:.0%}")
                    with busy_core(load):
                        row = live_row(separator, duration, meters.meters)
                    rows.append({"delegate": network.used, "other_core": load, **row})
    return {"schema": SCHEMA, "model": found.name, "rate": RATE, "duration": duration, "rows": rows}


def live_row(separator: LiveSeparator, duration: float, meters: Sequence[Meter] = ()) -> dict[str, Any]:
    """Measure one separator.

    Returns:
        `latency` of model and rate conversion; `end_to_end`, latency including one block and the
        loudspeaker's queue, which is `queue_ms` long in the end; `load`, computing time per second of sound;
        `call_ms`, percentiles and maximum of the calls; `delay_ms`, the same of the time from the end of a
        block to its output; `budget_ms` between chunks; `late`, number of blocks after the end of the queue,
        and `late_per_hour`; `joules` by meter.
    """
    size = round(BLOCK_SECONDS * separator.rate)
    sound = synthetic(10.0, separator.rate)
    queue = Reserve(computing_seconds(separator))
    count = max(1, round(duration / BLOCK_SECONDS))
    calls: npt.NDArray[np.float64] = np.zeros(count)
    delays = np.zeros_like(calls)
    late = 0
    separator.reset()
    with measure(list(meters)) as energy:
        begun = time.perf_counter()
        for number in range(count):
            due = begun + (number + 1) * BLOCK_SECONDS  # time at which the block is complete
            if (ahead := due - time.perf_counter()) > 0:
                time.sleep(ahead)
            start = time.perf_counter()
            first = number * size % (len(sound) - size)
            separator.push(sound[first : first + size])
            end = time.perf_counter()
            calls[number], delays[number] = end - start, end - due
            behind = end - due - queue.seconds
            if behind > 0:  # the loudspeaker's queue was empty and starts again
                late += 1
                begun += behind
                queue.grow()
    return {
        "latency": separator.latency,
        "end_to_end": separator.latency + queue.seconds + BLOCK_SECONDS,
        "load": float(calls.sum()) / (count * BLOCK_SECONDS),
        "call_ms": _milliseconds(calls),
        "delay_ms": _milliseconds(delays),
        "queue_ms": 1000 * queue.seconds,
        "budget_ms": 1000 * separator.advance_seconds,
        "late": late,
        "late_per_hour": late * 3600 / (count * BLOCK_SECONDS),
        "joules": {one.meter: one.joules for one in energy.energies if one.joules is not None},
    }


def _milliseconds(seconds: npt.NDArray[np.float64]) -> dict[str, float]:
    values = {f"p{p}": float(np.percentile(seconds, p)) for p in PERCENTILES} | {"max": float(seconds.max())}
    return {name: 1000 * value for name, value in values.items()}


def live_table(result: dict[str, Any]) -> list[list[str]]:
    """Return the rows as text, beginning with the header."""
    head = ["DELEGATE", "LATENCY", "END TO END", "OTHER CORE", "LOAD"]
    head += [f"CALL {name.upper()}" for name in ("p50", "p95", "p99", "max")]
    head += ["DELAY MAX", "QUEUE", "BUDGET", "LATE PER HOUR", "JOULES"]
    lines = [head]
    for row in result["rows"]:
        energies = "; ".join(f"{name} {value:.1f}" for name, value in row["joules"].items())
        lines.append(
            [
                row["delegate"],
                f"{row['latency']:.3f} s",
                f"{row['end_to_end']:.3f} s",
                f"{row['other_core']:.0%}",
                f"{row['load']:.0%}",
                *(f"{value:.1f} ms" for value in row["call_ms"].values()),
                f"{row['delay_ms']['max']:.1f} ms",
                f"{row['queue_ms']:.0f} ms",
                f"{row['budget_ms']:.0f} ms",
                f"{row['late_per_hour']:.0f}",
                energies or "no meter",
            ]
        )
    return lines


def markdown_live(output: dict[str, Any]) -> str:
    """Return the output of `dss bench --live --json` as Markdown tables, one for each model and delegate."""
    parts = []
    for result in output["live"]:
        head, *rows = live_table(result)
        title = f"`{result['model']}`, blocks of {1000 * BLOCK_SECONDS:g} ms at {result['rate']} Hz, "
        title += f"{result['duration']:g} s per row:"
        parts.append(f"{title}\n\n{markdown_table([cell.lower() for cell in head], rows)}")
    machine = output["machine"]
    parts.append(
        f"- {machine['processor']}, {machine['processors']} logical processors, load "
        f"{machine['load_average']} before; LiteRT {machine['litert']}, dss {machine['dss']}. Budget: time "
        "between two chunks. Delay: from the end of a block to its output. Late: blocks with a delay "
        "longer than the loudspeaker's queue."
    )
    return "\n\n".join(parts)


@contextlib.contextmanager
def busy_core(share: float) -> Iterator[None]:
    """Occupy another processor for a share of the time."""
    if not share:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", _BUSY, str(share)])
    try:
        yield
    finally:
        process.kill()
        process.wait()
