"""The built page, served to a headless Chromium."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest
import soundfile as sf

from dss_cli.web.server import PageServer
from tests.helpers.browser import CHROMIUM, browser
from tests.helpers.pages import Visit
from tools import web_page

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The built page."""
    if not web_page.PACKAGES.is_dir():
        pytest.skip("web/node_modules is missing: `npm ci --ignore-scripts` in web/ brings it")
    folder = tmp_path_factory.mktemp("site")
    web_page.build(folder)
    return folder


@pytest.fixture(scope="session")
def server(site):
    """The server of `dss web`, running."""
    with PageServer(site, 0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def visit(server, tmp_path):
    """`visit(query="", switches="", address=...)`: open the page in a separate browser."""
    if CHROMIUM is None:
        pytest.skip("no chromium: the page cannot be opened")
    with contextlib.ExitStack() as opened:

        def open_page(query="", switches="", address=server.address):
            page = opened.enter_context(browser(tmp_path / "profile", switches))
            here = Visit(page, tmp_path / "downloads")
            page.open(address + query)
            return here

        yield open_page


@pytest.fixture(scope="session")
def example(tmp_path_factory):
    """An example of 10 s as a WAV: browsers decode FLAC, but not to the same last bit as others."""
    samples, rate = sf.read(EXAMPLES / "two_talkers.flac", dtype="float32")
    path = tmp_path_factory.mktemp("example") / "two_talkers.wav"
    sf.write(path, samples, rate, subtype="PCM_16")
    return path
