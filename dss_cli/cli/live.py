"""`dss live`: separate a live signal with a short delay."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..utils.descriptors import standard_output
from . import options
from .console import info_line, line, log_lines, warning_line

if TYPE_CHECKING:
    from ..live.separator import LiveSeparator

PIPE = "-"


class KeepName(str, enum.Enum):
    """Talkers to keep."""

    near = "near"
    far = "far"
    both = "both"


class EncodingName(str, enum.Enum):
    """Encodings of raw PCM, little-endian."""

    s16 = "s16"
    s24 = "s24"
    s32 = "s32"
    f32 = "f32"


def live(
    source: Annotated[
        str, typer.Argument(metavar="-", help="Read standard input, write standard output: WAV or raw PCM.")
    ],
    keep: Annotated[KeepName, typer.Option(help="Talkers to keep.")] = KeepName.near,
    balance: Annotated[
        float,
        typer.Option(
            metavar="DB",
            help="With --keep both: level of the far talkers relative to the near talkers in dB.",
        ),
    ] = 0.0,
    latency: Annotated[
        float,
        typer.Option(min=0.0, metavar="SECONDS", help="Largest latency of the model; see `dss models`."),
    ] = 0.25,
    raw: Annotated[
        EncodingName | None,
        typer.Option(help="Encoding of standard input and output as raw PCM; default: WAV."),
    ] = None,
    rate: Annotated[
        int | None, typer.Option(min=8000, max=384_000, help="Sample rate of raw PCM in Hz.")
    ] = None,
    channels: Annotated[
        int | None, typer.Option(min=1, max=64, help="Channels of raw PCM, which are averaged; default: 1.")
    ] = None,
    model: options.Model = "lite",
    delegate: options.Delegate = options.DelegateName.auto,
    strict_delegate: options.StrictDelegate = False,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Keep the near or the far talkers of a live signal, with a delay of a fraction of a second.

    `arecord -f S16_LE -r 48000 | dss live - | aplay` separates a microphone. The output has as many samples
    as the input, each at its original position.
    """
    if source != PIPE:
        raise UsageError(f"{source}: '-' stands for standard input; `dss separate` takes files")
    if (raw is None) != (rate is None):
        raise UsageError("--raw and --rate require each other: raw PCM contains no rate, a WAV stream does")
    if channels is not None and raw is None:
        raise UsageError("--channels requires --raw")
    from ..live.pipe import raw_header, separate_pipe
    from ..live.separator import LiveSeparator
    from ..separation.separator import load_model

    log_lines(verbose)
    network = load_model(
        model,
        delegate.value,
        threads or 1,
        strict_delegate=strict_delegate,
        verbose=verbose,
        latency=latency,
        warn=warning_line,
    )

    def start(rate: int) -> LiveSeparator:
        return LiveSeparator(network, rate, latency, keep.value, balance)

    def begun(separator: LiveSeparator) -> None:
        if not quiet:
            info_line(f"{separator.rate} Hz, {keep.value}, latency {separator.latency:.3f} s")

    with standard_output() as target, open(0, "rb", buffering=0, closefd=False) as standard_input:
        report = separate_pipe(
            standard_input,
            target,
            start,
            raw_header(raw.value, rate, channels or 1) if raw and rate else None,
            begun,
        )
    if report.clipped:
        warning_line(f"standard output: {report.clipped} samples beyond full scale were clamped")
    if not quiet:
        line(
            f"{report.seconds:.1f} s, latency {report.latency:.3f} s, "
            f"computing {100 * report.load:.0f} % of the time"
        )
