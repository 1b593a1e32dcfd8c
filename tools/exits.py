"""End of a tool: an error of the package gives one line and its exit code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

from dss_cli.cli.console import error_line
from dss_cli.errors import DssError

P = ParamSpec("P")


def one_line_errors(main: Callable[P, int]) -> Callable[P, int]:
    """Wrap a tool's `main` so that it prints a DssError and returns its exit code."""

    @functools.wraps(main)
    def run(*arguments: P.args, **options: P.kwargs) -> int:
        try:
            return main(*arguments, **options)
        except DssError as error:
            error_line(str(error))
            return error.exit_code

    return run
