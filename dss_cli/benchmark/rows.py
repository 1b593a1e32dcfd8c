"""Rows of a benchmark: combinations of model, delegate and number of threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

_NAMES = {"gpu": "GPU", "auto": "auto"}


@dataclass(frozen=True)
class BenchmarkRow:
    """One way to run one model.

    Attributes:
        model: name, or path of a `.tflite` file.
        delegate: `cpu`, `gpu`, `auto` or `library`.
        threads: number of CPU threads; without effect on a GPU.
        library: path of an external delegate, only for `library`.
        gpu_precision: requested precision of a GPU.
    """

    model: str
    delegate: str
    threads: int = 1
    library: Path | None = None
    gpu_precision: str = "float32"

    @property
    def name(self) -> str:
        """Name of the row before its first run, without the model."""
        if self.library:
            return self.library.name
        return threads_text(self.threads) if self.delegate == "cpu" else _NAMES[self.delegate]

    @property
    def reference(self) -> BenchmarkRow:
        """Row that the stems of this row are compared with: the same model on one CPU thread."""
        return replace(self, delegate="cpu", threads=1, library=None, gpu_precision="float32")


def plan_rows(
    models: Sequence[str],
    delegate: str,
    threads: Sequence[int],
    library: Path | None = None,
    gpu_precision: str = "float32",
) -> list[BenchmarkRow]:
    """Return the rows of a benchmark: for each model the CPU rows, then the GPU row, then the library row.

    Args:
        models: names or paths, without duplicates.
        delegate: `cpu` gives a row for each number of threads, `all` adds a row for the GPU; `auto` and
            `gpu` give one row, with the first number of threads.
        threads: numbers of CPU threads, without duplicates.
        library: path of an external delegate, for an additional row.
        gpu_precision: requested precision of the GPU.
    """
    rows = []
    for model in models:
        if delegate in ("cpu", "all"):
            rows += [BenchmarkRow(model, "cpu", count) for count in threads]
        if delegate != "cpu":
            asked = "gpu" if delegate == "all" else delegate
            rows.append(BenchmarkRow(model, asked, threads[0], gpu_precision=gpu_precision))
        if library:
            rows.append(BenchmarkRow(model, "library", threads[0], library))
    return rows


def threads_text(count: int) -> str:
    """Return the name of a CPU row, such as `CPU, 2 threads`."""
    return f"CPU, {count} thread{'s' if count > 1 else ''}"
