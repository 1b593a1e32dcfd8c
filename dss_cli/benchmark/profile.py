"""Where the time of a run goes: the run itself under Python's profiler, asked for whole functions."""

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

REST = "rest"  # what is in none of the parts

# None of them calls another, but that a writer of another rate resamples: not that of a benchmark's
# recording. `flush` of the analysis and of the synthesis does its work in `push`.
PARTS: Mapping[str, tuple[Callable[..., Any], ...]] = {
    "reading": (AudioReader.__init__, AudioReader.blocks, Resampler.push, Resampler.flush),
    "analysis": (StreamingSTFT.push, compress),
    "network": (Timed.separate,),
    "synthesis": (decompress, StreamingISTFT.push),
    "writing": (StemGroup.__init__, StemGroup.write, StemGroup.commit),
}


@dataclass(frozen=True)
class Profile:
    """One run.

    Attributes:
        elapsed: wall-clock seconds from file to files, with the profiler's own.
        parts: seconds of each of `PARTS`, and of the rest.
    """

    elapsed: float
    parts: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the results: shares of the whole."""
        shares = {name: seconds / self.elapsed for name, seconds in self.parts.items()}
        return {"elapsed_seconds": self.elapsed, "shares": shares}


def profile_file(network: Network, opening: Opening, recording: Path, near: Path, far: Path) -> Profile:
    """`run_file` under the profiler."""
    profiler = cProfile.Profile(builtins=False)  # what is in C counts for its caller, at no cost
    profiler.runcall(run_file, network, opening, recording, near, far)
    profiler.create_stats()
    times = {place: cumulative for place, (_, _, _, cumulative, _) in profiler.stats.items()}

    def seconds(function: Callable[..., Any]) -> float:
        code = function.__code__
        return times[code.co_filename, code.co_firstlineno, code.co_name]  # every run calls each of them

    elapsed = seconds(separate_file)
    parts = {name: sum(map(seconds, functions)) for name, functions in PARTS.items()}
    return Profile(elapsed, {**parts, REST: elapsed - sum(parts.values())})
