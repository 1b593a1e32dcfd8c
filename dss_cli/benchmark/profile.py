"""Profile of a run: shares of the time by Python's profiler, for whole functions."""

from __future__ import annotations

import cProfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..audio import AudioReader, Resampler, StemGroup
from ..separation.files import separate_file
from ..separation.stft import StreamingISTFT, StreamingSTFT, compress, decompress
from .measurement import Opening, Timed, run_file

if TYPE_CHECKING:
    from ..runtime.network import Network

REST = "rest"  # time outside all parts

# These functions do not call each other (a writer resamples only to another rate, which a benchmark never
# does). `flush` of the analysis and of the synthesis works through `push`.
PARTS: Mapping[str, tuple[Callable[..., Any], ...]] = {
    "reading": (AudioReader.__init__, AudioReader.blocks, Resampler.push, Resampler.flush),
    "analysis": (StreamingSTFT.push, compress),
    "network": (Timed.separate,),
    "synthesis": (decompress, StreamingISTFT.push),
    "writing": (StemGroup.__init__, StemGroup.write, StemGroup.commit),
}


@dataclass(frozen=True)
class Profile:
    """Profile of one run.

    Attributes:
        elapsed: wall-clock seconds from file to files, including the profiler's overhead.
        parts: seconds of each of `PARTS`, and of the rest.
    """

    elapsed: float
    parts: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the object for the results, with shares of the total time."""
        shares = {name: seconds / self.elapsed for name, seconds in self.parts.items()}
        return {"elapsed_seconds": self.elapsed, "shares": shares}


def profile_file(network: Network, opening: Opening, recording: Path, near: Path, far: Path) -> Profile:
    """Run `run_file` under the profiler."""
    profiler = cProfile.Profile(builtins=False)  # time in C counts for its caller, without overhead
    profiler.runcall(run_file, network, opening, recording, near, far)
    profiler.create_stats()
    times = {place: cumulative for place, (_, _, _, cumulative, _) in profiler.stats.items()}

    def seconds(function: Callable[..., Any]) -> float:
        code = function.__code__
        return times[code.co_filename, code.co_firstlineno, code.co_name]  # every run calls each function

    elapsed = seconds(separate_file)
    parts = {name: sum(map(seconds, functions)) for name, functions in PARTS.items()}
    return Profile(elapsed, {**parts, REST: elapsed - sum(parts.values())})
