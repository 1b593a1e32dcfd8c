"""The options of commands whose work a cluster may do."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from ..errors import UsageError


class Engine(str, enum.Enum):
    """Who does the work."""

    processes = "processes"
    dask = "dask"


EngineOption = Annotated[
    Engine,
    typer.Option("--engine", help="Who does the work: processes here, or the workers of a Dask cluster."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Of --engine dask: tcp://HOST:PORT, or its scheduler file."),
]


def check_engine(engine: Engine, scheduler: str | None, jobs: int | None) -> None:
    """Refuse options that do not go together.

    Raises:
        UsageError: a cluster without its scheduler or with a number of processes, or a scheduler alone.
    """
    if engine == Engine.dask and scheduler is None:
        raise UsageError("--engine dask needs --scheduler: the address of a running Dask scheduler")
    if engine == Engine.dask and jobs is not None:
        raise UsageError("--jobs and --engine dask: a cluster has the workers that it has")
    if engine != Engine.dask and scheduler is not None:
        raise UsageError("--scheduler is of --engine dask; give that as well")
