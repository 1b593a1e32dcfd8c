"""Signals that end a process by an exception, so that temporary files are removed on the way out."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, NoReturn

AGAIN_SECONDS = 0.01  # until an exception that a destructor has dropped is raised again


def raise_on(numbers: Iterable[int], ending: Callable[[int], BaseException]) -> None:
    """Raise an exception where one of these signals is received; ignored signals stay ignored.

    Python drops exceptions in destructors. One that is no `Exception` (of a signal, or KeyboardInterrupt) is
    raised again a moment later, where the system has SIGALRM.

    Args:
        numbers: signals, such as SIGTERM.
        ending: returns the exception for the number of a signal.
    """

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise ending(number)

    for number in numbers:
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` has SIGHUP
            signal.signal(number, end)
    if hasattr(signal, "SIGALRM"):
        _keep_dropped()


def _keep_dropped() -> None:
    report = sys.unraisablehook
    dropped: list[BaseException] = []

    def again(number: int, frame: FrameType | None) -> None:
        if dropped:
            raise dropped.pop()

    def keep(unraisable: Any) -> None:
        error = unraisable.exc_value
        if error is None or isinstance(error, Exception):
            report(unraisable)
            return
        dropped.append(error)
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)

    signal.signal(signal.SIGALRM, again)
    sys.unraisablehook = keep
