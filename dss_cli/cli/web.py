"""`dss web`: serve the page that separates recordings in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options
from .console import info_line, warning_line

DEFAULT_PORT = 8377


def web(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port to listen on; 0: any free port.")
    ] = DEFAULT_PORT,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Serve the page that separates in the browser, on 127.0.0.1 until Ctrl-C.

    Recordings stay in the browser: the server accepts no uploads. Needs the package dss-cli-web
    (pip install 'dss-cli[web]').
    """
    import webbrowser

    from ..web.server import PageServer
    from ..web.site import find_site

    with PageServer(find_site(warning_line), port, info_line if verbose else lambda text: None) as server:
        print(server.address, flush=True)
        if show and not webbrowser.open(server.address):
            info_line("cannot open a browser")
        server.serve_forever()
