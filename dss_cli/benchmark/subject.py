"""Load the network of a row, and the proof of its delegate, as LiteRT reports it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from .rows import BenchmarkRow, threads_text

if TYPE_CHECKING:
    from ..runtime.network import Network


@dataclass(frozen=True)
class Proof:
    """Delegate that runs the model of a row.

    Attributes:
        asked: requested delegate: `cpu`, `gpu`, `auto` or `library`.
        used: delegate in use: `cpu`, `gpu` or `library`.
        name: name of the row for people; it says if the GPU is a software renderer.
        fully_accelerated: whether the delegate (on the CPU: XNNPACK) runs the whole graph.
        not_accelerated: count of the operators outside the delegate, by name.
        fallback_reason: reason why the CPU runs with `auto`, as LiteRT reports it.
        adapter: driver's name of the GPU, its API and kind.
        software: whether the adapter is a software renderer on the CPU.
        threads: number of CPU threads; None on a GPU.
        library: path of the external delegate, None without one.
        precision: effective precision of the arithmetic; for a GPU it is determined by a trial.
    """

    asked: str
    used: str
    name: str
    fully_accelerated: bool
    not_accelerated: dict[str, int] = field(default_factory=dict)
    fallback_reason: str | None = None
    adapter: str | None = None
    software: bool = False
    threads: int | None = None
    library: str | None = None
    precision: str = "float32"

    @property
    def on_cpu(self) -> bool:
        """True if the CPU does all the work."""
        return self.used == "cpu" or self.software

    def to_dict(self) -> dict[str, Any]:
        """Return the object for the results."""
        return asdict(self)


class Refused(Exception):
    """The GPU of a row cannot run its model; the text is the reason."""


def prepare(row: BenchmarkRow) -> Callable[[], tuple[Network, Proof]]:
    """Import the packages of a row; return a function that loads and compiles its model.

    The returned function raises DssError if the model or the library of the delegate cannot be loaded, and
    Refused if the GPU was requested and cannot be used.
    """
    from ..runtime.registry import find_model

    if row.library:
        library = row.library
        from .library import LibraryNetwork

        def load_library() -> tuple[Network, Proof]:
            network = LibraryNetwork(find_model(row.model), library, row.threads)
            left = sum(network.left.values())
            share = f" ({network.operators - left} of {network.operators} ops)" if left else ""
            return network, Proof(
                asked=row.delegate,
                used="library",
                name=f"{library.name}{share}",
                fully_accelerated=not left,
                not_accelerated=dict(network.left),
                threads=row.threads,
                library=str(library),
                precision="the library's",
            )

        return load_library

    from ..runtime.gpu_adapter import REFUSED
    from ..runtime.litert import LiteRTNetwork

    def load() -> tuple[Network, Proof]:
        network = LiteRTNetwork(
            find_model(row.model), row.delegate, row.threads, gpu_precision=row.gpu_precision
        )
        if row.delegate == "gpu" and network.used != "gpu":
            reason = network.fallback_reason or "LiteRT gives no reason"
            tool = f"dss inspect {row.model}" if reason.startswith(REFUSED) else "dss info"
            raise Refused(f"{reason} (`{tool}` tells more)")
        on_gpu = network.used == "gpu"
        return network, Proof(
            asked=row.delegate,
            used=network.used,
            name=_gpu_name(network.adapter, network.software) if on_gpu else threads_text(row.threads),
            fully_accelerated=network.fully_accelerated,
            fallback_reason=network.fallback_reason,
            adapter=network.adapter if on_gpu else None,
            software=on_gpu and network.software,
            threads=None if on_gpu else row.threads,
            precision=network.gpu_precision or "float32",
        )

    return load


def _gpu_name(adapter: str | None, software: bool) -> str:
    """Return `GPU: NAME`, or `GPU, software: NAME` for a software renderer."""
    name = (adapter or "unnamed").split(" (")[0].removesuffix(" Device")
    return f"GPU, software: {name}" if software else f"GPU: {name}"
