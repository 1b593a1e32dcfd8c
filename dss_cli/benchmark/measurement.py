"""Measure one run: separation of a file, with the time of each chunk, CPU time and memory."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..separation.files import separate_file
from ..separation.stft import compress

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..runtime.network import Network

    Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Opening:
    """Times of the start of a process, in seconds.

    Attributes:
        importing: import of LiteRT.
        loading: reading, checking and compiling the model, and allocating its buffers.
        first_chunk: first run of the network.
    """

    importing: float
    loading: float
    first_chunk: float


@dataclass(frozen=True)
class Run:
    """Measurements of one run.

    Attributes:
        opening: times of the start of its process.
        seconds: duration of the audio.
        elapsed: wall-clock seconds from file to files.
        chunks: wall-clock seconds of the network for each chunk.
        cpu_seconds: CPU time of all threads, user and system.
        peak_bytes: peak resident memory of the process; None if unknown.
    """

    opening: Opening
    seconds: float
    elapsed: float
    chunks: tuple[float, ...]
    cpu_seconds: float
    peak_bytes: int | None


class Timed:
    """Network that records the time of each chunk."""

    def __init__(self, network: Network) -> None:
        self.signal, self.overlap = network.signal, network.overlap
        self._network = network
        self.chunks: list[float] = []

    def separate(self, mixture: Floats) -> tuple[Floats, Floats]:
        """Separate one chunk and record its time."""
        started = time.perf_counter()
        stems = self._network.separate(mixture)
        self.chunks.append(time.perf_counter() - started)
        return stems


def run_first_chunk(network: Network) -> float:
    """Separate one chunk of noise; return the seconds taken."""
    import numpy as np

    signal = network.signal
    shape = (1, signal.frames, signal.bins, 2)
    parts = np.random.default_rng(0).standard_normal(shape, np.float32)
    timed = Timed(network)
    timed.separate(compress(parts[..., 0] + 1j * parts[..., 1], signal.exponent))
    return timed.chunks[0]


def run_file(network: Network, opening: Opening, recording: Path, near: Path, far: Path) -> Run:
    """Separate the recording into two files, which are overwritten if they exist; return the measurements."""
    timed = Timed(network)
    before = time.process_time()
    report = separate_file(recording, near=near, far=far, network=timed, overwrite=True)
    return Run(
        opening,
        seconds=report.seconds,
        elapsed=report.elapsed,
        chunks=tuple(timed.chunks),
        cpu_seconds=time.process_time() - before,
        peak_bytes=peak_memory(),
    )


def peak_memory() -> int | None:
    """Return the peak resident memory of this process in bytes; None if unknown."""
    if sys.platform == "win32":
        return None
    if sys.platform == "linux":
        # getrusage keeps the parent's peak through fork and exec.
        status = Path("/proc/self/status").read_text(encoding="ascii")
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
