"""Typer app with the table of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from .._version import __version__
from .bench import bench
from .configurations import configurations
from .evaluate import evaluate
from .export import export
from .info import info
from .inspect import inspect
from .live import live
from .models import models
from .separate import separate
from .simulate_test_set import simulate_test_set
from .train import train
from .view import view
from .web import web

COMMANDS = (
    separate,
    view,
    live,
    models,
    info,
    evaluate,
    bench,
    simulate_test_set,
    train,
    export,
    inspect,
    configurations,
    web,
)  # in the order of `dss --help`; each is named after its function

app = typer.Typer(
    name="dss",
    rich_markup_mode=None,  # plain-text help takes half the time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in COMMANDS:
    app.command(command.__name__.replace("_", "-"))(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dss {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def dss(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Separate a recording into near and far talkers."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
