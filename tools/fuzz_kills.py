"""Kill the command at random moments, for `tools.fuzz`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf

ROOT = Path(__file__).resolve().parent.parent


def kills(seed: int, numbers: range, deadline: float) -> Iterator[tuple[int, str, str]]:
    """End the command by a signal at a random moment, and check what is left; yield the cases' results."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under `nohup` or in the background the command would
    signal.signal(signal.SIGINT, signal.default_int_handler)  # inherit that both are ignored
    statuses = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129, "SIGKILL": -9}
    with tempfile.TemporaryDirectory(prefix="dss-fuzz-") as name:
        folder = Path(name)
        samples = (0.1 * np.random.default_rng(0).standard_normal(16_000 * 20)).astype(np.float32)
        for which in "abc":
            sf.write(folder / f"{which}.wav", samples, 16_000)
        base = [
            sys.executable,
            "-m",
            "dss_cli",
            "separate",
            "a.wav",
            "b.wav",
            "c.wav",
            "-o",
            "out",
            "--delegate",
            "cpu",
        ]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        whole = _seconds(base, folder, environment)
        for number in numbers:
            if time.monotonic() > deadline:
                return
            generator = np.random.default_rng((seed, number))
            word = str(generator.choice(list(statuses)))
            jobs = str(generator.integers(1, 3))
            shutil.rmtree(folder / "out", ignore_errors=True)
            process = subprocess.Popen(
                [*base, "--jobs", jobs],
                cwd=folder,
                env=environment,
                stdout=-1,
                stderr=-1,
                start_new_session=True,
            )
            time.sleep(generator.uniform(0.1, 1.1) * whole)
            os.killpg(process.pid, getattr(signal, word))
            _, err = process.communicate(timeout=60)
            yield number, *_aftermath(folder / "out", word, process.returncode, err.decode(), statuses[word])


def _seconds(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    started = time.monotonic()
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return time.monotonic() - started


def _aftermath(out: Path, word: str, status: int, err: str, expected: int) -> tuple[str, str]:
    left = sorted(path.name for path in out.iterdir()) if out.exists() else []
    hidden = [name for name in left if name.startswith(".")]
    if "Traceback" in err:
        return "traceback", f"{word}: {err[-1000:]}"
    if status not in (expected, 0, -getattr(signal, word)):  # the last one: Python was ending already
        return "exit code", f"{word}: {status}, {err[-500:]}"
    if hidden and word != "SIGKILL":
        return "left behind", f"{word}: {hidden}"
    if any(not (name.startswith(".") and name.endswith(".part")) for name in hidden):
        return "left behind", f"{word}: {hidden}"
    for name in set(left) - set(hidden):
        if sf.info(out / name).frames != 16_000 * 20:
            return "half a file", f"{word}: {name}"
    return "fine", ""
