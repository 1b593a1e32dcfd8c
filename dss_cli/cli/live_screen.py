"""Terminal of `dss live`: level meters, and keys that change the output."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..live.session import SILENCE_DB, LiveSession, LiveStatus

if TYPE_CHECKING:
    from ..live.separator import Keep

PERIOD = 0.1  # seconds between updates
JSON_EVERY = 10  # updates
WIDTH = 30  # characters of a meter
QUIETEST = -60.0  # dB at the left end of a meter
CHOICES: dict[str, Keep] = {"n": "near", "f": "far", "b": "both"}
HELP = "keys: n near, f far, b both, p unprocessed microphone, q quit"


def watch(session: LiveSession, look: Callable[[], None], as_json: bool, quiet: bool) -> None:
    """Show the status of a session until a key, a signal or a failure ends it.

    Args:
        session: running session.
        look: called every PERIOD.
        as_json: print a JSON line every second on stdout, instead of meters.
        quiet: print neither.
    """
    with _keys() as pressed, _meters(shown=not (as_json or quiet)) as show:
        said, turn = session.status, 0
        while session.wait(PERIOD):
            look()
            for key in pressed():
                if key == "q":
                    return
                press(session, key)
            status = session.status
            show(status)
            turn += 1
            if as_json and turn % JSON_EVERY == 0:
                print(json.dumps(status.to_dict()), flush=True)
            if not as_json and (status.lost, status.starved) != (said.lost, said.starved) and turn % 10 == 0:
                _say_glitches(status)
                said = status


def press(session: LiveSession, key: str) -> None:
    """Perform the action of a key; ignore other keys."""
    if key in CHOICES:
        session.passthrough = False
        session.choose(CHOICES[key])
    elif key == "p":
        session.passthrough = not session.passthrough


def bar(decibels: float) -> str:
    """Return a level as a bar of WIDTH characters."""
    filled = round(WIDTH * min(max((decibels - QUIETEST) / -QUIETEST, 0.0), 1.0))
    return "#" * filled + "-" * (WIDTH - filled)


def rows(status: LiveStatus) -> list[str]:
    """Return the lines of the screen."""
    playing = "microphone" if status.passthrough else status.keep

    def told(decibels: float) -> str:
        return "silent" if decibels <= SILENCE_DB else f"{decibels:6.1f} dB"

    return [
        f"near {bar(status.near_db)} {told(status.near_db)}",
        f"far  {bar(status.far_db)} {told(status.far_db)}",
        f"load {100 * status.load:3.0f} %   latency {1000 * status.latency:4.0f} ms   playing {playing}   "
        f"lost {status.lost}   gaps {status.starved}   clocks {status.drift_ppm:+.0f} ppm",
        HELP,
    ]


def _say_glitches(status: LiveStatus) -> None:
    from .console import warning_line

    warning_line(f"{status.lost} losses of input and {status.starved} gaps in the output so far")


@contextlib.contextmanager
def _meters(shown: bool) -> Iterator[Callable[[LiveStatus], None]]:
    if not shown or not sys.stderr.isatty():
        yield lambda status: None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(stderr=True), transient=True, refresh_per_second=10) as screen:
        yield lambda status: screen.update(Text("\n".join(rows(status)), no_wrap=True))


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[], str]]:
    """Yield a function that returns the keys since its last call, none if stdin is not a terminal."""
    if not sys.stdin or not sys.stdin.isatty():
        yield lambda: ""
        return
    if os.name == "nt":
        import msvcrt

        def pressed() -> str:
            keys = ""
            while msvcrt.kbhit():  # type: ignore[attr-defined,unused-ignore]
                keys += msvcrt.getwch()  # type: ignore[attr-defined,unused-ignore]
            return keys

        yield pressed
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def waiting() -> str:
        ready, _, _ = select.select([descriptor], [], [], 0)
        return os.read(descriptor, 64).decode(errors="ignore") if ready else ""

    try:
        tty.setcbreak(descriptor)
        yield waiting
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
