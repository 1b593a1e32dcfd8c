"""`dss live`: the near talkers while they speak."""

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
    """Which talkers are kept."""

    near = "near"
    far = "far"
    both = "both"


class EncodingName(str, enum.Enum):
    """Raw PCM, little-endian."""

    s16 = "s16"
    s24 = "s24"
    s32 = "s32"
    f32 = "f32"


def live(
    source: Annotated[
        str, typer.Argument(metavar="-", help="Read standard input, write standard output: WAV or raw PCM.")
    ],
    keep: Annotated[KeepName, typer.Option(help="Which talkers are kept.")] = KeepName.near,
    balance: Annotated[
        float,
        typer.Option(metavar="DB", help="With --keep both: decibels of the far talkers over the near ones."),
    ] = 0.0,
    latency: Annotated[
        float, typer.Option(min=0.0, metavar="SECONDS", help="Of the model, at most; see `dss models`.")
    ] = 0.25,
    raw: Annotated[
        EncodingName | None,
        typer.Option(help="Standard input is raw PCM of this encoding, and so will standard output be."),
    ] = None,
    rate: Annotated[int | None, typer.Option(min=8000, max=384_000, help="Of raw PCM, in Hz.")] = None,
    channels: Annotated[
        int | None, typer.Option(min=1, max=64, help="Of raw PCM; they are averaged. Default: 1.")
    ] = None,
    model: options.Model = "lite",
    delegate: options.Delegate = options.DelegateName.auto,
    strict_delegate: options.StrictDelegate = False,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Keep the near or the far talkers of a live signal, a fraction of a second behind.

    `arecord -f S16_LE -r 48000 | dss live - | aplay` hears a microphone. As many samples come out as went
    in, each in its place.
    """
    if source != PIPE:
        raise UsageError(f"{source}: '-' stands for standard input; `dss separate` takes files")
    if (raw is None) != (rate is None):
        raise UsageError("--raw and --rate go together: raw PCM does not say its rate, a WAV stream does")
    if channels is not None and raw is None:
        raise UsageError("--channels is of raw PCM, with --raw")
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
