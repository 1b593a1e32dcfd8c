"""Web server of one folder, for this machine only.

The server answers GET and HEAD on 127.0.0.1. It refuses requests for other host names: a foreign page whose
name resolves to 127.0.0.1 (DNS rebinding) gets no file. The server accepts no uploads.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ..errors import DssError

ADDRESS = "127.0.0.1"
HOSTS = (ADDRESS, "localhost")
HEADERS = "headers.json"  # file in the folder: headers of every response


class PageServer(ThreadingHTTPServer):
    """Server of a folder on 127.0.0.1.

    Args:
        folder: folder of the page, with its `headers.json`.
        port: port to listen on; 0 takes any free port.
        log: receives one line per response.

    Attributes:
        address: address of the page.

    Raises:
        DssError: the port is in use or not permitted.
    """

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # there it would share a port that is taken

    def __init__(self, folder: Path, port: int, log: Callable[[str], None] = lambda text: None) -> None:
        self.headers: dict[str, str] = json.loads((folder / HEADERS).read_text(encoding="utf-8"))
        self.log = log
        try:
            super().__init__((ADDRESS, port), functools.partial(_Handler, directory=str(folder)))
        except OSError as error:
            raise DssError(
                f"port {port}: {error.strerror or error}; `--port 0` takes any free one"
            ) from error

    @property
    def address(self) -> str:
        """Address of the page."""
        return f"http://{ADDRESS}:{self.server_port}/"


class _Handler(SimpleHTTPRequestHandler):
    """Handler that sends files with the page's headers and lists no folders."""

    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version = "dss"
    sys_version = ""
    extensions_map = {  # noqa: RUF012  # as in the base class
        ".css": "text/css; charset=utf-8",
        ".flac": "audio/flac",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        ".wasm": "application/wasm",
        "": "application/octet-stream",
    }  # instead of the machine's own list, where scripts may be plain text

    def parse_request(self) -> bool:
        """Refuse a request for another host before anything else."""
        if not super().parse_request():
            return False
        asked = self.headers.get("Host", "")
        if asked.partition(":")[0].lower() in HOSTS:
            return True
        self.close_connection = True
        self.send_error(HTTPStatus.MISDIRECTED_REQUEST, f"this server answers only for {' and '.join(HOSTS)}")
        return False

    def end_headers(self) -> None:
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def list_directory(self, path: Any) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *arguments: Any) -> None:
        self.server.log(f"{self.address_string()}: {format % arguments}")
