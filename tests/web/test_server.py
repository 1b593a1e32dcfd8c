"""`dss web`: who is answered, and with what."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dss_cli.errors import DssError, ExitCode
from dss_cli.web import site as web_site
from dss_cli.web.server import PageServer

PAGE = Path(__file__).parents[2] / "web" / "page"


@pytest.fixture
def folder(tmp_path):
    """Folder with the part of a built page that a server needs."""
    made = tmp_path / "page"
    (made / "sub").mkdir(parents=True)
    (made / "headers.json").write_bytes((PAGE / "headers.json").read_bytes())
    (made / "index.html").write_text("<p>the page</p>")
    (made / "sub" / "code.wasm").write_bytes(b"\0asm")
    (tmp_path / "secret.txt").write_text("not for visitors")
    return made


@pytest.fixture
def ask(folder):
    """`ask(path, method="GET", host=None)` gives the answer's status, headers and text."""
    with PageServer(folder, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def request(path, method="GET", host=None, body=None):
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
            headers = {"Host": f"127.0.0.1:{server.server_port}" if host is None else host}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            found = answer.status, answer.headers, answer.read()
            connection.close()
            return found

        yield request
        server.shutdown()


def test_every_answer_has_the_headers_that_threads_and_privacy_need(ask):
    for path, status in (("/", 200), ("/sub/code.wasm", 200), ("/nothing", 404)):
        found, headers, _ = ask(path)
        assert found == status
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert "connect-src 'self'" in headers["Content-Security-Policy"]
    assert ask("/sub/code.wasm")[1]["Content-Type"] == "application/wasm"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST:8377"])
def test_this_machine_is_answered(ask, host):
    assert ask("/", host=host)[0] == 200


@pytest.mark.parametrize("host", ["example.org", "localhost.example.org:80", "127.0.0.1.example.org", ""])
def test_a_name_that_merely_leads_here_gets_nothing(ask, host):
    status, _, text = ask("/", host=host)
    assert status == 421
    assert b"the page" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_there_is_nothing_to_upload_to(ask, method):
    assert ask("/", method, body=b"sound")[0] == 501


@pytest.mark.parametrize("path", ["/sub/", "/../secret.txt", "/%2e%2e/secret.txt", "/sub/../../secret.txt"])
def test_folders_are_not_listed_and_nothing_above_them_is_served(ask, path):
    status, _, text = ask(path)
    assert status == 404
    assert b"not for visitors" not in text
    assert b"code.wasm" not in text


def test_a_port_in_use_is_one_line_with_the_way_out(folder):
    with PageServer(folder, 0) as server, pytest.raises(DssError, match=r"^port \d+: .*--port 0"):
        PageServer(folder, server.server_port)


def test_a_page_that_is_not_installed_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(web_site, "_BUILT", tmp_path)
    monkeypatch.setitem(sys.modules, "dss_cli_web", None)
    with pytest.raises(DssError, match=r"pip install --upgrade 'dss-cli\[web\]'"):
        web_site.find_site(pytest.fail)


def test_a_page_of_another_version_is_told(monkeypatch, tmp_path, folder):
    said = []
    monkeypatch.setattr(web_site, "_BUILT", tmp_path)
    package = type(sys)("dss_cli_web")
    package.FOLDER = folder
    monkeypatch.setitem(sys.modules, "dss_cli_web", package)
    monkeypatch.setattr(web_site.importlib.metadata, "version", lambda name: "0.0.1")
    assert web_site.find_site(said.append) == folder
    assert re.match(r"the page has version 0\.0\.1, dss has ", said[0])


def test_the_command_prints_the_address_and_ends_at_ctrl_c(folder):
    script = (
        "import sys; from pathlib import Path; from dss_cli.web import site; "
        f"site._BUILT = Path({str(folder)!r}); "
        "from dss_cli.__main__ import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", script, "web", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", address)[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("HEAD", "/index.html")
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == ExitCode.INTERRUPTED
        assert process.stderr.read().count("\n") <= 1


def imports(path):
    return re.findall(r"""from "(\.[^"]+)";""", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("folder_name", "may"),
    [
        ("signal", {"signal"}),
        ("player", {"player", "signal"}),
        ("engine", {"engine", "signal", "audio", "page"}),
    ],
)
def test_the_player_and_the_engine_know_nothing_of_the_page(folder_name, may):
    used = {
        (path.parent / target).resolve().parent.name
        for path in (PAGE / folder_name).glob("*.js")
        for target in imports(path)
    }
    assert used <= may


def test_no_file_of_the_page_names_another_address():
    named = {
        address
        for path in PAGE.rglob("*")
        if path.suffix in (".js", ".html", ".css", ".json")
        for address in re.findall(r"https?://[\w.-]+", path.read_text(encoding="utf-8"))
    }
    assert named == set()
