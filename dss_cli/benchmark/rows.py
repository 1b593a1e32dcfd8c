"""What is compared: one row for each delegate, number of threads and model."""

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
        delegate: `cpu`, `gpu`, `auto`, or `library`.
        threads: of the CPU; of no meaning while a GPU runs.
        library: path of an external delegate, for `library` alone.
        gpu_precision: that a GPU is asked to compute in.
    """

    model: str
    delegate: str
    threads: int = 1
    library: Path | None = None
    gpu_precision: str = "float32"

    @property
    def name(self) -> str:
        """Before it has run, and without the model."""
        if self.library:
            return self.library.name
        return threads_text(self.threads) if self.delegate == "cpu" else _NAMES[self.delegate]

    @property
    def reference(self) -> BenchmarkRow:
        """The row whose stems this one's are compared with."""
        return replace(self, delegate="cpu", threads=1, library=None, gpu_precision="float32")


def plan_rows(
    models: Sequence[str],
    delegate: str,
    threads: Sequence[int],
    library: Path | None = None,
    gpu_precision: str = "float32",
) -> list[BenchmarkRow]:
    """The rows of a benchmark: for each model the CPU's, then the GPU's, then the library's.

    Args:
        models: names or paths, each once.
        delegate: `cpu` is a row for each number of threads, `all` these and the GPU's; `auto` and
            `gpu` are one row, of the first number.
        threads: numbers of CPU threads, each once.
        library: an external delegate, for a further row.
        gpu_precision: that the GPU is asked to compute in.
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
    """`CPU, 2 threads`."""
    return f"CPU, {count} thread{'s' if count > 1 else ''}"
