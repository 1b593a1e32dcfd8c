"""Measure the start-up: complete `dss separate` processes as started by a shell, including Python."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ..runtime.registry import Model
from .recording import write_recording
from .rows import BenchmarkRow
from .session import Measurements


def measure_start_ups(
    session: Measurements,
    models: Mapping[str, Model],
    folder: Path,
    repeat: int,
    tell: Callable[[str], None] = lambda message: None,
) -> None:
    """Separate a recording of one chunk with each row, `repeat` times interleaved, after one warm-up.

    The times are stored in `start_ups` of the entries, and failures in `session.missing`. Library rows are
    left out, because `dss separate` has no external delegates.

    Args:
        session: rows that took part.
        models: models by their names in the rows.
        folder: folder for the recordings and the stems.
        repeat: measured starts of each row.
        tell: receives one line at the start.
    """
    recordings = {name: folder / f"chunk-{number}.wav" for number, name in enumerate(models)}
    for name, path in recordings.items():
        write_recording(path, models[name].signal.chunk_seconds, models[name].signal.sample_rate)
    able = [entry for entry in session.entries if not entry.row.library]
    tell(f"starting `dss separate`: {(repeat + 1) * len(able)} times")
    for turn in range(repeat + 1):
        for entry in list(able):
            command = _command(entry.row, models[entry.row.model].path, recordings[entry.row.model])
            started = time.perf_counter()
            # Not in the user's folder, where Python would search for packages first.
            done = subprocess.run(
                command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            elapsed = time.perf_counter() - started
            if done.returncode:
                able.remove(entry)
                entry.start_ups.clear()
                lines = done.stderr.splitlines() or [f"exit code {done.returncode}"]
                what = f"start-up of {entry.row.model} on {entry.proof.name}"
                session.missing.append((what, lines[-1].removeprefix("dss: error: ")))
            elif turn:
                entry.start_ups.append(elapsed)


def _command(row: BenchmarkRow, model: Path, recording: Path) -> list[str]:
    outputs = [f"--{stem}={recording.with_suffix(f'.{stem}.wav')}" for stem in ("near", "far")]
    options = [f"--model={model.resolve()}", f"--delegate={row.delegate}", f"--threads={row.threads}"]
    if row.delegate == "gpu":
        options.append("--strict-delegate")
    if row.delegate != "cpu":
        options.append(f"--gpu-precision={row.gpu_precision}")
    start = [sys.executable, "-m", "dss_cli", "separate", str(recording), "--overwrite", "--quiet"]
    return start + options + outputs
