"""Run a complete benchmark on this machine: meters, recordings, processes, results."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..energy import find_meters
from ..errors import DssError, UsageError
from ..runtime.registry import Model, find_model
from ..tflite.inspection import inspect_model
from ..utils.machine import busy, describe_machine
from .recording import write_recording
from .results import results
from .rows import plan_rows
from .session import run_session
from .startup import measure_start_ups
from .worker import ProcessWorker

if TYPE_CHECKING:
    from .schema import BenchmarkedModel, Machine, Results, Settings

_DYNAMIC_INT8 = "int8 products, else float32"  # arithmetic of the CPU for int8 weights


def benchmark(
    models: Sequence[str],
    delegate: str,
    threads: Sequence[int],
    *,
    library: Path | None = None,
    gpu_precision: str = "float32",
    duration: float = 60.0,
    repeat: int = 5,
    idle_seconds: float = 5.0,
    tdp: float | None = None,
    profile: bool = False,
    tell: Callable[[str], None] = lambda message: None,
    warn: Callable[[str], None] = lambda message: None,
) -> Results:
    """Measure, and return the results as described by `schema.json`.

    Args:
        models: names or paths, without duplicates.
        delegate: `all`, `auto`, `gpu` or `cpu`, as in `plan_rows`.
        threads: numbers of CPU threads, without duplicates.
        library: path of an external TFLite delegate, for an additional row.
        gpu_precision: requested precision of the GPU, `float32` or `float16`.
        duration: seconds of audio.
        repeat: runs of each row.
        idle_seconds: duration of the measurement of the idle machine.
        tdp: watts for energy estimates without a meter; None: no estimates.
        profile: run each row once more under a profiler.
        tell: receives one line at the start of each phase.
        warn: receives the warnings, one line each; most of them are part of the results, too.

    Raises:
        UsageError: float16 is requested without a GPU row.
        DssError: a model or library cannot be loaded, a run fails, or `delegate` is `gpu` and the GPU
            cannot be used.
    """
    if delegate == "cpu" and gpu_precision != "float32":
        raise UsageError(f"{gpu_precision} arithmetic is the GPU's: the delegate cannot be cpu")
    warnings: list[str] = []

    def say(message: str) -> None:
        warnings.append(message)
        warn(message)

    from .library import left_by_xnnpack

    machine = describe_machine()
    found_models = {name: find_model(name) for name in models}  # a missing model fails here
    if library and not library.is_file():
        raise DssError(f"{library}: the delegate library does not exist")
    about = {name: _describe(model) for name, model in found_models.items()}
    rates = {name: model.signal.sample_rate for name, model in found_models.items()}
    if message := busy(machine):
        say(message)
    if max(threads) > machine["processors"]:
        say(f"{max(threads)} threads share {machine['processors']} logical processors")
    found = find_meters()
    try:
        if tdp is not None and found.meters:
            say(f"--tdp is not used: {', '.join(meter.name for meter in found.meters)} can be read")
        with tempfile.TemporaryDirectory(prefix="dss-bench-") as name:
            folder = Path(name)
            recordings = {rate: folder / f"recording-{rate}.wav" for rate in rates.values()}
            for rate, path in recordings.items():
                write_recording(path, duration, rate)
            session = run_session(
                plan_rows(models, delegate, threads, library, gpu_precision),
                lambda model: recordings[rates[model]],
                folder,
                ProcessWorker,
                found.meters,
                repeat=repeat,
                idle_seconds=idle_seconds,
                gpu_required=delegate == "gpu",
                tell=tell,
            )
            measure_start_ups(session, found_models, folder, repeat, tell)
            for entry in session.entries if profile else ():
                tell(f"profiling: {entry.row.model}, {entry.row.name}")
                with ProcessWorker(entry.row, recordings[rates[entry.row.model]], folder) as worker:
                    entry.profile = worker.profile()
    finally:
        found.close()
    for entry in session.entries:
        if entry.proof.used == "cpu" and not entry.proof.fully_accelerated:
            left = left_by_xnnpack(found_models[entry.row.model])
            entry.proof = replace(entry.proof, not_accelerated=left)
        if entry.proof.used == "cpu" and about[entry.row.model]["weights"] == "int8":
            entry.proof = replace(entry.proof, precision=_DYNAMIC_INT8)
        if entry.proof.used == "gpu" and entry.proof.precision != entry.row.gpu_precision:
            say(
                f"{entry.row.model}: {entry.proof.name} computes in {entry.proof.precision}: "
                f"it has no {entry.row.gpu_precision} arithmetic"
            )
        if entry.proof.fallback_reason:
            say(f"{entry.row.model}: running on the CPU: {entry.proof.fallback_reason}")
    for what, why in session.missing:
        warn(f"no {what}: {why}")  # the results list it under `not_measured`
    settings = {"delegate": delegate, "duration": duration, "repeat": repeat}
    return results(
        session,
        machine=cast("Machine", machine),
        models=about,
        settings=cast("Settings", settings),
        meter_problems=found.problems,
        tdp=tdp,
        warnings=warnings,
    )


def _describe(model: Model) -> BenchmarkedModel:
    """Return a description of a model, independent of its name, with the type of most of its weights."""
    inspection = inspect_model(model.path)
    storage = inspection.storage
    weights = max(storage, key=lambda dtype: storage[dtype]["numbers"], default=None)
    return {
        "name": model.name,
        "sha256": model.card["sha256"],
        "bytes": model.card["bytes"],
        "weights": weights,
        "parameters": inspection.parameters,
        "macs_per_second": inspection.macs_per_second,
        "chunk_seconds": model.signal.chunk_seconds,
        "overlap": model.overlap,
    }
