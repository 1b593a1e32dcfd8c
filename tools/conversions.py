"""Measure the effect of each conversion on the quality, with the same weights on the same scenes.

`python -m tools.conversions TESTSET... --weights NAME.weights.h5 --document FILE` scores Keras, and the
exported files on the CPU and on a GPU in float16. The table is written between `<!-- conversions -->` and
`<!-- conversions: end -->` of the document.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dss_cli.benchmark.measurement import run_first_chunk
from dss_cli.benchmark.statistics import ratio
from dss_cli.cli.console import progress_bar, warning_line
from dss_cli.errors import ExitCode
from dss_cli.evaluation.conversion_table import LABEL, Conversion, markdown
from dss_cli.evaluation.run import Labelled, evaluate
from dss_cli.evaluation.systems import ModelSystem, System, WeightsSystem
from dss_cli.evaluation.testset import TestSet, read_test_set
from dss_cli.runtime.litert import LiteRTNetwork
from dss_cli.runtime.registry import find_model
from dss_cli.utils.machine import describe_machine
from dss_cli.utils.markdown import write_section
from tools.exits import one_line_errors

STORED = (
    "float32",
    "float16",
    "int8",
)  # types of the stored weights; the first file is the baseline for relative timings
ON_GPU = "float16"  # stored weights and arithmetic on the GPU
TURNS = 11  # rounds of timed chunks; the first round is not counted


def measure(
    weights: Path,
    test_sets: Sequence[TestSet],
    *,
    start: Labelled = lambda label: None,
    warn: Callable[[str], None] = lambda message: None,
) -> tuple[list[Conversion], str | None]:
    """Score every conversion of the weights.

    Args:
        weights: path of `NAME.weights.h5` with the card beside it.
        test_sets: test sets from `read_test_set`.
        start: as in `evaluate`.
        warn: receives the warnings, one line each.

    Returns:
        The conversions, Keras first; and the reason why there is none on a GPU, or None.

    Raises:
        DssError: the weights cannot be converted, or a test set cannot be scored.
    """
    with tempfile.TemporaryDirectory(prefix="dss-conversions-") as folder:
        files = _exported(weights, Path(folder))
        on_cpu = {f"{kind}, CPU": str(path) for kind, path in files.items()}
        systems: list[System] = [WeightsSystem(weights, "Keras")]
        systems += [ModelSystem(name, path, "cpu", threads=1) for name, path in on_cpu.items()]
        gpu, problem = _on_gpu(str(files[ON_GPU]))
        if gpu:
            systems.append(gpu)
        result = evaluate(test_sets, systems, start=start, warn=warn)
        times = relative_times({name: LiteRTNetwork(find_model(p), "cpu") for name, p in on_cpu.items()})
        sizes = {name: Path(path).stat().st_size for name, path in on_cpu.items()}
    sizes["Keras"] = weights.stat().st_size
    if gpu:
        sizes[gpu.name] = sizes[f"{ON_GPU}, CPU"]
    rows: dict[str, list[dict[str, Any]]] = {}
    for run in result["runs"]:
        rows.setdefault(run["system"]["name"], []).extend(run["scenes"])
    return [Conversion(name, sizes[name], rows[name], times.get(name)) for name in rows], problem


def relative_times(networks: Mapping[str, LiteRTNetwork]) -> dict[str, float]:
    """Return the time per chunk of each network relative to the first: a median of interleaved rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(TURNS):
        for name, network in networks.items():
            seconds[name].append(run_first_chunk(network))
    counted = {name: values[1:] for name, values in seconds.items()}
    first = next(iter(counted.values()))
    spreads = {name: ratio(values, first) for name, values in counted.items()}
    return {name: spread["median"] for name, spread in spreads.items() if spread}


def _exported(weights: Path, folder: Path) -> dict[str, Path]:
    """Export the weights as model files, by type of the stored weights."""
    from dss_cli.export.keras_network import trained_configuration
    from dss_cli.network.keras_backend import load_keras

    name = trained_configuration(weights)
    load_keras("tensorflow")  # other backends cannot convert to TFLite
    from dss_cli.export.card import write_model
    from dss_cli.export.convert import convert
    from dss_cli.export.pipeline import describe_model
    from dss_cli.network import build_for_inference, exportable
    from dss_cli.network.weights import load_weights

    config = exportable(name)
    network = build_for_inference(config)
    load_weights(network[0] if isinstance(network, tuple) else network, weights, name)

    def files() -> Iterator[tuple[str, Path]]:
        for kind in STORED:
            data = convert(network, kind)
            card = describe_model(network, data, config.signal, kind, name)
            yield kind, write_model(folder, data, card, weights)

    return dict(files())


def _on_gpu(model: str) -> tuple[ModelSystem | None, str | None]:
    """Return the system on a GPU, named by its effective precision, or None and the reason."""
    network = LiteRTNetwork(find_model(model), "gpu", gpu_precision=ON_GPU)
    if network.fallback_reason:
        return None, network.fallback_reason
    where = "GPU in software" if network.software else "GPU"
    name = f"{ON_GPU}, {where}, {network.gpu_precision} arithmetic"
    return ModelSystem(name, model, "gpu", gpu_precision=ON_GPU), None


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("test_sets", nargs="+", type=Path, metavar="TESTSET")
    parser.add_argument("--weights", type=Path, required=True, metavar="NAME.weights.h5")
    parser.add_argument("--document", type=Path, required=True, metavar="FILE")
    given = parser.parse_args(arguments)
    warnings: list[str] = []

    def warn(message: str) -> None:
        warnings.append(message)
        warning_line(message)

    write_section(given.document, LABEL, None)  # checks the document before the work
    test_sets = [read_test_set(path) for path in given.test_sets]
    with progress_bar(shown=True) as start:
        conversions, no_gpu = measure(given.weights, test_sets, start=start, warn=warn)
    command = [*parser.prog.split(), *(test_set.about["name"] for test_set in test_sets)]
    command += ["--weights", str(given.weights), "--document", str(given.document)]
    about = [test_set.about for test_set in test_sets]
    text = markdown(conversions, about, describe_machine(), command, no_gpu, warnings)
    write_section(given.document, LABEL, text)
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
