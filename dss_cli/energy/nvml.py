"""Energy meter of NVIDIA GPUs through NVML (optional package `nvidia-ml-py`, module `pynvml`)."""

from __future__ import annotations

import contextlib
import importlib
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .meter import Found, Meter, MeterError

_PERIOD = 0.02  # seconds between power samples; the driver updates its value about ten times a second


class NvmlMeter(Meter):
    """Meter of one GPU: its energy counter, or (on GPUs older than Volta) its integrated power samples.

    Args:
        nvml: the module `pynvml`, initialised; `close` shuts it down once.
        index: index of the GPU.
        alone: whether the GPU is the only one, so that the name needs no index.
        clock: function that returns the time in seconds.

    Raises:
        MeterError: the GPU reports neither energy nor power.
    """

    scope = "GPU"

    def __init__(
        self, nvml: Any, index: int, alone: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._nvml = nvml
        try:
            self._handle = nvml.nvmlDeviceGetHandleByIndex(index)
            model = nvml.nvmlDeviceGetName(self._handle)
        except nvml.NVMLError as error:
            raise MeterError(f"cannot be opened: {error}") from error
        model = model.decode() if isinstance(model, bytes) else model  # bytes before release 11.5
        self.name = f"NVML {model}" if alone else f"NVML {index} {model}"
        self._power: _SampledPower | None = None
        try:
            nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        except nvml.NVMLError:
            self._require_power()
            self._power = _SampledPower(self._watts, clock)
            self.name += " (sampled power)"

    def read(self) -> float:
        """Return the joules since the driver was loaded; with sampled power, since the meter was opened.

        Raises:
            MeterError: the GPU cannot be read any more.
        """
        if self._power is not None:
            return self._power.read()
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) * 1e-3
        except self._nvml.NVMLError as error:
            raise MeterError(f"vanished: {error}") from error

    def close(self) -> None:
        """End the sampling, and release this meter's reference to NVML."""
        if self._power is not None:
            self._power.close()
        with contextlib.suppress(self._nvml.NVMLError):  # the GPU may be lost
            self._nvml.nvmlShutdown()

    def _require_power(self) -> None:
        try:
            self._nvml.nvmlDeviceGetPowerUsage(self._handle)
        except self._nvml.NVMLError as error:
            raise MeterError(f"reports neither energy nor power: {error}") from error

    def _watts(self) -> float:
        try:
            return float(self._nvml.nvmlDeviceGetPowerUsage(self._handle)) * 1e-3
        except self._nvml.NVMLError as error:
            raise MeterError(f"vanished: {error}") from error


class _SampledPower:
    """Integrator of power by the trapezoidal rule, in a thread and at every read.

    Raises:
        MeterError: the first sample fails.
    """

    def __init__(self, watts: Callable[[], float], clock: Callable[[], float]) -> None:
        self._watts, self._clock = watts, clock
        self._joules = 0.0
        self._last = clock(), watts()
        self._failure: MeterError | None = None
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_sampling, name="power", daemon=True)
        self._thread.start()

    def read(self) -> float:
        self._sample()
        if self._failure is not None:
            raise self._failure
        return self._joules

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        with self._turn:
            if self._failure is not None:  # a gap in the samples cannot be filled
                return
            try:
                watts = self._watts()
            except MeterError as error:
                self._failure = error
                return
            now = self._clock()
            before, watts_before = self._last
            self._joules += (now - before) * (watts + watts_before) / 2
            self._last = now, watts

    def _keep_sampling(self) -> None:
        while not self._ended.wait(_PERIOD):
            self._sample()


def find(root: Path) -> Found:
    """Find the NVIDIA GPUs; problems are reported only if a driver or a GPU is present.

    Args:
        root: `/sys`, where a loaded driver is listed.
    """
    found = Found()
    driver = (root / "module" / "nvidia").exists() or shutil.which("nvidia-smi") is not None
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        if driver:
            found.problems.append("NVML: nvidia-ml-py is missing: `pip install 'dss-cli[energy]'`")
        return found
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        if driver:
            found.problems.append(f"NVML: {error}; `nvidia-smi` must work first")
        return found
    try:
        count = nvml.nvmlDeviceGetCount()
        for index in range(count):
            nvml.nvmlInit()  # NVML counts references: one for each meter
            try:
                found.meters.append(NvmlMeter(nvml, index, alone=count == 1))
            except MeterError as error:
                nvml.nvmlShutdown()
                found.problems.append(f"NVML GPU {index}: {error}; a newer driver may report it")
    except nvml.NVMLError as error:
        found.problems.append(f"NVML: {error}; `nvidia-smi` must work first")
    finally:
        nvml.nvmlShutdown()
    return found
