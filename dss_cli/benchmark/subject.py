"""What a row runs, and the proof of it: LiteRT's word on who does the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from .rows import BenchmarkRow, threads_text

if TYPE_CHECKING:
    from ..runtime.network import Network


@dataclass(frozen=True)
class Proof:
    """Who runs the model of a row.

    Attributes:
        asked: `cpu`, `gpu`, `auto`, or `library`.
        used: `cpu`, `gpu` or `library`.
        name: of the row, for people; a GPU in software is called so.
        fully_accelerated: whether the whole graph is the delegate's; the CPU's is XNNPACK.
        not_accelerated: ops that are not, each with its number.
        fallback_reason: why the CPU runs where `auto` was asked, as LiteRT tells it.
        adapter: the GPU, its API and kind, as its driver names them.
        software: the adapter renders on the CPU.
        threads: of the CPU; None on a GPU.
        precision: of the arithmetic: a GPU's as a trial shows, not as it was asked for.
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
        """Whether the CPU's time is all the work that there is."""
        return self.used == "cpu" or self.software

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the results."""
        return asdict(self)


class Refused(Exception):
    """The GPU that a row is about cannot run its model; the text says why."""


def prepare(row: BenchmarkRow) -> Callable[[], tuple[Network, Proof]]:
    """Import what the row needs; what is returned then loads and compiles its model.

    Raises, when called:
        DssError: the model, or the delegate's library, cannot be loaded.
        Refused: the GPU was asked for and cannot be used.
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
            reason = network.fallback_reason or "LiteRT tells no reason"
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
    """`GPU: NAME`, or `GPU, software: NAME`, never a bare GPU where it is none."""
    name = (adapter or "unnamed").split(" (")[0].removesuffix(" Device")
    return f"GPU, software: {name}" if software else f"GPU: {name}"
