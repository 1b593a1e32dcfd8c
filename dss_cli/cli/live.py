"""`dss live`: separate a live signal with a short delay."""

from __future__ import annotations

import enum
import functools
import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..constants import RATES
from ..errors import UsageError
from ..utils.descriptors import PIPE, standard_output
from ..utils.tables import print_columns
from . import options
from .console import info_line, line, log_lines, warning_line

if TYPE_CHECKING:
    from ..live.separator import LiveSeparator
    from ..runtime.litert import LiteRTNetwork


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
        str | None,
        typer.Argument(
            metavar="[-]",
            help="'-': standard input and output, as WAV or raw PCM, instead of devices.",
        ),
    ] = None,
    keep: Annotated[KeepName, typer.Option(help="Talkers to keep.")] = KeepName.near,
    balance: Annotated[
        float,
        typer.Option(
            metavar="DB", help="With --keep both: level of the far talkers relative to the near talkers."
        ),
    ] = 0.0,
    latency: Annotated[
        float,
        typer.Option(min=0.0, metavar="SECONDS", help="Largest latency of the model; see `dss models`."),
    ] = 0.25,
    input: Annotated[
        str | None, typer.Option(metavar="DEVICE", help="Microphone, by number or name; see --list.")
    ] = None,
    output: Annotated[
        str | None, typer.Option(metavar="DEVICE", help="Loudspeaker, by number or name; see --list.")
    ] = None,
    virtual: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Provide a microphone of this name to other programs (Linux)."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the devices and exit.")] = False,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Record mixture.wav, near.wav and far.wav in this folder."),
    ] = None,
    passthrough: Annotated[
        bool, typer.Option("--passthrough", help="Begin with the unprocessed microphone; the key p switches.")
    ] = False,
    raw: Annotated[
        EncodingName | None,
        typer.Option(help="Encoding of standard input and output as raw PCM; default: WAV."),
    ] = None,
    rate: Annotated[
        int | None, typer.Option(min=RATES.start, max=RATES.stop - 1, help="Of raw PCM, in Hz.")
    ] = None,
    channels: Annotated[
        int | None, typer.Option(min=1, max=64, help="Channels of raw PCM, which are averaged; default: 1.")
    ] = None,
    model: options.Model = "lite",
    delegate: options.Delegate = options.DelegateName.auto,
    strict_delegate: options.StrictDelegate = False,
    threads: options.Threads = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON line every second on stdout; with --list one object.")
    ] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Keep the near or the far talkers of a live signal, with a delay of a fraction of a second.

    The signal goes from a microphone to a loudspeaker or a virtual microphone; with '-', from standard input
    to standard output: `arecord -f S16_LE -r 48000 | dss live - | aplay`. Keys: n near, f far, b both, p
    unprocessed microphone, q quit.
    """
    _check(source, raw, rate, channels, input, output, virtual, record, as_json)
    log_lines(verbose)
    if list_:
        _list(as_json)
        return

    @functools.cache
    def network() -> LiteRTNetwork:
        from ..separation.separator import load_model

        return load_model(
            model,
            delegate.value,
            threads or 1,
            strict_delegate=strict_delegate,
            verbose=verbose,
            latency=latency,
            warn=warning_line,
        )

    def separator(rate: int, seconds: float = latency) -> LiveSeparator:
        from ..live.separator import LiveSeparator

        return LiveSeparator(network(), rate, seconds, keep.value, balance)

    if source == PIPE:
        _pipe(separator, (raw.value, rate, channels or 1) if raw and rate else None, quiet)
        return
    with ExitStack() as stack:
        if virtual is not None:
            output = _virtual(stack, virtual, output, quiet)
        _devices(stack, separator, input, output, record, passthrough, as_json, quiet)


def _check(
    source: str | None,
    raw: EncodingName | None,
    rate: int | None,
    channels: int | None,
    input: str | None,
    output: str | None,
    virtual: str | None,
    record: Path | None,
    as_json: bool,
) -> None:
    """Check the combination of options.

    Raises:
        UsageError: options exclude each other.
    """
    if source not in (None, PIPE):
        raise UsageError(f"{source}: '-' stands for standard input; `dss separate` takes files")
    if (raw is None) != (rate is None):
        raise UsageError("--raw and --rate require each other: only raw PCM has an unknown rate")
    if channels is not None and raw is None:
        raise UsageError("--channels requires --raw")
    if raw is not None and source is None:
        raise UsageError("--raw requires standard input: `dss live - --raw ...`")
    given = {"input": input, "output": output, "virtual": virtual, "record": record, "json": as_json or None}
    if source == PIPE and (odd := [name for name, value in given.items() if value is not None]):
        raise UsageError(f"--{odd[0]} requires devices, not standard input")


def _list(as_json: bool) -> None:
    from ..live.devices import list_devices

    devices = list_devices()
    if not devices:
        warning_line("no sound device was found; on Linux check the sound server and libasound2-plugins")
    if as_json:
        print(json.dumps({"devices": [asdict(device) for device in devices]}, indent=2))
        return
    head = ("NUMBER", "NAME", "SYSTEM", "INPUTS", "OUTPUTS", "RATE", "DEFAULT")
    print_columns(
        [
            head,
            *(
                (str(d.number), d.name, d.system, str(d.inputs), str(d.outputs), str(d.rate), d.default)
                for d in devices
            ),
        ]
    )


def _pipe(separator: Callable[[int], LiveSeparator], raw: tuple[str, int, int] | None, quiet: bool) -> None:
    from ..live.pipe import raw_header, separate_pipe

    def begun(made: LiveSeparator) -> None:
        if not quiet:
            info_line(f"{made.rate} Hz, {made.keep}, latency {made.latency:.3f} s")

    with standard_output() as target, open(0, "rb", buffering=0, closefd=False) as standard_input:
        report = separate_pipe(standard_input, target, separator, raw_header(*raw) if raw else None, begun)
    if report.clipped:
        warning_line(f"standard output: {report.clipped} samples beyond full scale were clamped")
    if not quiet:
        line(
            f"{report.seconds:.1f} s, latency {report.latency:.3f} s, "
            f"computing {100 * report.load:.0f} % of the time"
        )


def _virtual(stack: ExitStack, name: str, output: str | None, quiet: bool) -> str:
    """Create a virtual microphone for the lifetime of the stack; return the output device for it."""
    from ..live.virtual import VirtualMicrophone

    microphone = stack.enter_context(VirtualMicrophone(name))
    microphone.play_into()
    if not quiet:
        info_line(f"virtual microphone {name!r} ({microphone.source})")
    return output or "pulse"


def _devices(
    stack: ExitStack,
    make: Callable[..., LiveSeparator],
    input: str | None,
    output: str | None,
    record: Path | None,
    passthrough: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    from ..live.devices import InputDevice, OutputDevice, look_after
    from ..live.recording import Recording
    from ..live.session import LiveSession, computing_seconds, too_slow
    from ..runtime.timing import offered
    from .live_screen import watch

    microphone, loudspeaker = InputDevice(input, None, warning_line), OutputDevice(output, warning_line)
    separator = make(microphone.rate)
    computing = computing_seconds(separator)
    latencies = [timing.seconds(separator.network.signal) for timing in offered(separator.network)]
    if problem := too_slow(separator, computing, lambda seconds: make(microphone.rate, seconds), latencies):
        raise problem
    recording = None if record is None else stack.enter_context(Recording(record, microphone.rate))
    session = LiveSession(
        separator, microphone, loudspeaker, recording, computing, separator.keep, separator.balance
    )
    session.passthrough = passthrough
    for device in (loudspeaker, microphone):
        stack.callback(device.close)
        device.open()
    if not quiet:
        info_line(
            f"{microphone.facts.name} ({microphone.rate} Hz) to {loudspeaker.facts.name} "
            f"({loudspeaker.rate} Hz), latency {separator.latency:.3f} s without the devices"
        )
    session.start()
    try:
        watch(session, lambda: look_after((microphone, loudspeaker)), as_json, quiet)
    finally:
        session.stop()
    if not quiet:
        status = session.status
        line(
            f"{status.seconds:.1f} s, load {100 * status.load:.0f} %, lost {status.lost}, "
            f"gaps {status.starved}, clocks {status.drift_ppm:+.0f} ppm apart"
        )
