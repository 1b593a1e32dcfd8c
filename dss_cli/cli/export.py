"""`dss export`: convert trained weights to a checked model file with its card."""

from __future__ import annotations

import enum
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DssError, UsageError
from ..utils.tables import print_columns
from . import options

if TYPE_CHECKING:
    from ..export.diff import Check


SEED = 0  # seed of untrained weights


class Weights(str, enum.Enum):
    """Types of the stored weights."""

    float16 = "float16"
    float32 = "float32"
    int8 = "int8"


def export(
    weights: Annotated[
        Path | None, typer.Argument(metavar="[WEIGHTS]", help="Trained weights, NAME.weights.h5.")
    ] = None,
    configuration: Annotated[
        str, typer.Option(help="Configuration of the weights: a name, or a file such as RUN/config.toml.")
    ] = "lite",
    name: Annotated[
        str | None, typer.Option(help="Name of the model; default: as the configuration.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder for the model.")
    ] = Path("models"),
    stored: Annotated[
        Weights, typer.Option("--weights", help="Type of the stored weights.")
    ] = Weights.float16,
    untrained: Annotated[
        bool,
        typer.Option("--untrained", help="Use untrained weights, to measure the speed of a configuration."),
    ] = False,
    training_log: Annotated[
        Path | None,
        typer.Option(
            metavar="JSON", help="JSON object with the sections `training` and `scores` of the card."
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Export trained weights to a model file, check it, and write its card.

    The command writes NAME.tflite, NAME.json (the card) and NAME.weights.h5 (a copy of the weights), all or
    none. The graph must obey the GPU rules, and the results of LiteRT must agree with Keras on every
    available delegate. If a check fails, nothing is written and the exit code is 1. An untrained model
    (`--untrained`) separates nothing; its card says so, and its name is CONFIGURATION-untrained.
    """
    if untrained == (weights is not None):
        raise UsageError("give either WEIGHTS, the file of trained weights, or --untrained")
    trained = Path(configuration).stem if configuration.endswith(".toml") else configuration
    if name is None:
        name = f"{trained}-untrained" if untrained else trained
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise UsageError(f"--name {name!r}: a name has letters, digits, '.', '_' and '-'")
    if weights is not None and not weights.is_file():
        raise UsageError(f"{weights}: no such file")
    from ..export.card import model_files, write_model

    for path in model_files(output, name):
        if path.exists() and not overwrite and not (weights and path.samefile(weights)):
            raise UsageError(f"{path}: exists already; --overwrite replaces it")
    sections, limits = ({}, None) if training_log is None else _sections(training_log)
    from ..network.keras_backend import load_keras

    load_keras("tensorflow")  # other backends cannot convert to TFLite
    import keras

    from ..export.pipeline import export_network
    from ..network import build_for_inference, configuration_name, exportable
    from ..network.weights import load_weights, weights_file

    config = exportable(configuration)
    keras.utils.set_random_seed(SEED)
    network = build_for_inference(config)
    layers = network[0] if isinstance(network, tuple) else network
    if weights is None:
        sections["training"] = {"untrained": True, "seed": SEED}
    else:
        load_weights(layers, weights, configuration)
    called = configuration_name(configuration)
    data, card, checks = export_network(network, config.signal, name, called, stored.value, sections)
    if limits:
        card["limits"] = limits
    if not as_json:
        print_columns([("CHECK", "VALUE", "LIMIT", "RESULT", "NOTE"), *map(_row, checks)])
    failed = [check.name for check in checks if not check.passed]
    if failed:
        raise DssError(f"{name}: not written, failed: {'; '.join(failed)}")
    path = write_model(output, data, card, weights or weights_file(layers), overwrite)
    if as_json:
        print(json.dumps({"path": str(path), "card": card}, indent=2))
        return
    print(
        f"{path}: {len(data):,} bytes, {card['parameters']:,} parameters, "
        f"{card['macs_per_second'] / 1e9:.3f} GMAC per second of audio"
    )


def _sections(path: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the sections of the card, and the distances used by `dss train`.

    Raises:
        UsageError: the file cannot be read, or is not a JSON object with these sections.
    """
    try:
        sections = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {error}") from error
    if not isinstance(sections, dict) or not isinstance(sections.get("training", {}), dict):
        raise UsageError(f"{path}: one JSON object is needed, with `training` and `scores`")
    return sections, sections.get("training", {}).pop("limits", None)


def _row(check: Check) -> tuple[str, ...]:
    value, limit = ("-" if v is None else f"{v:.2g}" for v in (check.value, check.limit))
    return check.name, value, limit, "passed" if check.passed else "FAILED", check.note
