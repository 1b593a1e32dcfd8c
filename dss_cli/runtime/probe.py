"""Test which delegates work on this machine, each in a separate process, so that a crash does no harm.

The process is `python -m dss_cli.runtime.probe DELEGATE`; it runs the probe model and prints one line of
JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ..errors import DssError

DELEGATES = ("cpu", "gpu")
_PATIENCE = 10.0  # seconds; a driver may hang
_TOLERANCE = 1e-3  # the probe model's results are exact in float32
_WAYS_OUT = {
    "cpu": "`pip install --force-reinstall ai-edge-litert` may repair it",
    "gpu": "update the GPU's driver, or use the CPU: `--delegate cpu`",
}
_NO_ADAPTER = (
    "install the GPU's Vulkan driver (Debian: mesa-vulkan-drivers for AMD and Intel, NVIDIA's own "
    "for theirs); `vulkaninfo --summary` lists it then"
    if sys.platform == "linux"
    else "update the GPU's driver"
)


@dataclass(frozen=True)
class Trial:
    """Result of running one chunk on a delegate.

    Attributes:
        delegate: `cpu` or `gpu`.
        works: whether the result is correct.
        adapter: driver's name of the GPU, None if none was found.
        software: whether the adapter is a software renderer, which is slower than the CPU delegate.
        problem: reason and remedy if the delegate does not work, else None.
    """

    delegate: str
    works: bool
    adapter: str | None = None
    software: bool = False
    problem: str | None = None


def try_delegates(delegates: Sequence[str] = DELEGATES, patience: float = _PATIENCE) -> list[Trial]:
    """Run one chunk on each delegate, all at the same time, with a limit of `patience` seconds."""
    deadline = time.monotonic() + patience
    processes = [_start(delegate) for delegate in delegates]
    return [
        _outcome(process, delegate, max(0.0, deadline - time.monotonic()))
        for process, delegate in zip(processes, delegates, strict=True)
    ]


def _start(delegate: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", __name__, delegate],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _outcome(process: subprocess.Popen[str], delegate: str, patience: float) -> Trial:
    try:
        out, _ = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return Trial(delegate, False, problem=f"gave no answer in time; {_WAYS_OUT[delegate]}")
    try:
        return Trial(**json.loads(out.splitlines()[-1]))
    except (IndexError, TypeError, ValueError):
        return Trial(
            delegate, False, problem=f"crashed with exit code {process.returncode}; {_WAYS_OUT[delegate]}"
        )


def _try(delegate: str) -> Trial:
    """Try a delegate in this process."""
    try:
        import numpy as np

        from . import probe_model
        from .litert import LiteRTNetwork
        from .registry import Model
    except ImportError as error:
        return Trial(delegate, False, problem=f"{error}; `pip install --force-reinstall dss-cli`")
    shape = (1, probe_model.SIGNAL.frames, probe_model.SIGNAL.bins, 3)
    mixture = np.linspace(-1, 1, np.prod(shape), dtype=np.float32).reshape(shape)
    try:
        network = LiteRTNetwork(Model("probe", probe_model.FILE, {}, probe_model.SIGNAL), delegate)
        near, far = network.separate(mixture)
    except DssError as error:
        return Trial(delegate, False, problem=f"{error}; {_WAYS_OUT[delegate]}")
    adapter, software, problem = network.adapter, network.software, None
    if network.fallback_reason:
        remedy = _WAYS_OUT[delegate] if adapter else _NO_ADAPTER
        problem = f"{network.fallback_reason}; {remedy}"
    else:
        stem = mixture[..., 1:]
        wrong = np.abs([near - probe_model.NEAR_GAIN * stem, far - probe_model.FAR_GAIN * stem])
        off = float(np.max(wrong))
        if not off <= _TOLERANCE:  # true for NaN, too
            problem = f"gives wrong results (off by {off:.2g} of 1); {_WAYS_OUT[delegate]}"
    return Trial(delegate, problem is None, adapter, software, problem)


if __name__ == "__main__":
    print(json.dumps(asdict(_try(sys.argv[1]))))
