"""`dss view`: which pages a browser is given; the browser is a fake command."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")


@pytest.fixture
def browser(here, monkeypatch):
    """Fake browser; gives the addresses that it was asked to open."""
    log = here / "opened.log"
    script = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + '\\n')"
    command = f"{sys.executable} -c {shlex.quote(script)} {log} %s"
    monkeypatch.setenv("BROWSER", command)
    monkeypatch.setattr("webbrowser._tryorder", None)  # read the environment again
    return lambda: log.read_text().splitlines() if log.exists() else []


def test_pages_are_opened_in_their_order(dss, here, browser):
    for name in ("b.html", "a page.html"):
        (here / name).write_text("<p>page</p>")
    status, out, err = dss("view", "b.html", "a page.html")
    assert (status, err) == (0, [])
    assert out.splitlines() == ["b.html", "a page.html"]
    assert browser() == [(here / "b.html").as_uri(), (here / "a page.html").as_uri()]


def test_a_folder_opens_its_pages(dss, here, browser):
    (here / "out" / "deep").mkdir(parents=True)
    for name in ("out/b.page.html", "out/deep/a.page.html", "out/other.html"):
        (here / name).write_text("<p>page</p>")
    assert dss("view", "out")[0] == 0
    assert browser() == [(here / "out" / name).as_uri() for name in ("b.page.html", "deep/a.page.html")]


def test_a_recording_is_separated_into_a_page_that_stays(dss, stub, recording, here, browser, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(here))
    recording("talk.wav")
    status, out, err = dss("view", "talk.wav")
    assert (status, err) == (0, [])
    page = Path(out.strip())
    assert browser() == [page.as_uri()]
    assert "<h1>talk.wav</h1>" in page.read_text()
    assert [path.name for path in page.parent.iterdir()] == ["talk.page.html"]


def test_a_recording_that_cannot_be_read_leaves_nothing(dss, stub, here, browser, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(here))
    (here / "talk.wav").write_text("no sound")
    status, out, err = dss("view", "talk.wav")
    assert (status, out, len(err)) == (1, "", 1)
    assert not list(here.glob("dss-view-*"))


def test_without_a_browser_the_path_is_named(dss, here, monkeypatch):
    (here / "a.html").write_text("<p>page</p>")
    monkeypatch.setattr("webbrowser._tryorder", [])
    status, out, err = dss("view", "a.html")
    assert (status, out) == (1, "a.html\n")
    assert err == ["dss: error: a.html: no browser can be opened here; open this file in one"]


def test_what_cannot_be_opened_is_one_line(dss, here, browser):
    (here / "empty").mkdir()
    (here / "many").mkdir()
    for number in range(11):
        (here / "many" / f"{number}.page.html").write_text("")
    for name, words in (
        ("missing.html", "missing.html: there is no such file or folder"),
        ("empty", "empty: no pages (*.page.html) in it"),
        ("many", "many: 11 pages in it, more than 10"),
    ):
        status, out, err = dss("view", name)
        assert status in (1, 2) and out == "" and len(err) == 1, name
        assert words in err[0]
    assert browser() == []
