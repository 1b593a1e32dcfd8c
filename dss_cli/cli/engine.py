"""Options of commands whose work a cluster can do."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from ..errors import UsageError


class Engine(str, enum.Enum):
    """Engine that does the work."""

    processes = "processes"
    dask = "dask"


EngineOption = Annotated[
    Engine,
    typer.Option("--engine", help="Engine: processes on this machine, or the workers of a Dask cluster."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="For --engine dask: tcp://HOST:PORT, or the scheduler file."),
]


def check_engine(engine: Engine, scheduler: str | None, jobs: int | None) -> None:
    """Check that the options match.

    Raises:
        UsageError: a cluster is requested without a scheduler or with a number of processes, or a scheduler
            is given without a cluster.
    """
    if engine == Engine.dask and scheduler is None:
        raise UsageError("--engine dask needs --scheduler: the address of a running Dask scheduler")
    if engine == Engine.dask and jobs is not None:
        raise UsageError("--jobs and --engine dask: the number of workers is set by the cluster")
    if engine != Engine.dask and scheduler is not None:
        raise UsageError("--scheduler needs --engine dask")
