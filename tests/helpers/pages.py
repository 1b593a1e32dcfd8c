"""Helpers for the tests of the page."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
NO_GPU = "No available adapters."  # Chromium's own words where a page asks for a GPU and there is none
LOUD = ("error", "warning", "warn", "assert")  # levels of the console that no visit may reach


def sdr(estimate, reference):
    """Level of the reference over the difference, in dB: no gain is forgiven, no figure clamped."""
    reference = reference.astype(np.float64)
    error = np.sum((estimate - reference) ** 2)
    return np.inf if error == 0 else 10 * np.log10(np.sum(reference**2) / error)


def worker_seconds():
    """Return the computing time of all workers of the browsers of this process."""
    parents = {int(path.name): stat(path)[1] for path in Path("/proc").iterdir() if path.name.isdigit()}
    own = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in own} - own:
        own |= more
    threads = (stat(thread) for process in own for thread in Path(f"/proc/{process}/task").glob("*"))
    ticks = sum(time for name, _, time in threads if name == "DedicatedWorker")
    return ticks / os.sysconf("SC_CLK_TCK")


def stat(path):
    """Return name, parent and ticks of a process or a thread, or nothing after its end."""
    try:
        name, _, rest = (path / "stat").read_text().partition("(")[2].rpartition(")")
    except OSError:
        return "", 0, 0
    fields = rest.split()
    return name, int(fields[1]), int(fields[11]) + int(fields[12])


def emulate(page, theme):
    """Show a page in a theme, "light" or "dark"."""
    page.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])


def axe_violations(page):
    """Return the violations that axe-core finds in a page; skip the test where axe-core is missing."""
    if not AXE.is_file():
        pytest.skip("axe-core is missing: `npm ci --ignore-scripts` in web/ brings it")
    if not page.run("'axe' in window"):
        page.run(AXE.read_text(encoding="utf-8") + ";0")
    return page.run("axe.run().then(r => r.violations.map(v => `${v.id}: ${v.nodes[0].html}`))")


class Visit:
    """Somebody on the page: chooses files, waits, reads, downloads."""

    def __init__(self, page, folder):
        self.page = page
        self.folder = folder
        folder.mkdir(exist_ok=True)
        page.ask(
            "Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder), eventsEnabled=True
        )

    def started(self, seconds=120):
        """Wait until the engine runs; return what the page says of it."""
        return self.page.wait("document.getElementById('engine')?.textContent", seconds)

    def click(self, selector):
        self.page.run(f"document.querySelector({json.dumps(selector)}).click()")

    def text(self, name):
        return self.page.run(f"document.getElementById({json.dumps(name)}).textContent.trim()")

    def choose(self, path):
        """Choose a file, after a click somewhere."""
        self.page.run("document.body.click()")
        root = self.page.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.page.ask("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        self.page.ask("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def finished(self, seconds=120):
        """Wait until the recording is separated; return the seconds that it took."""
        self.page.wait(
            "document.getElementById('alert').textContent"
            " || document.getElementById('status').textContent.startsWith('Separated')",
            seconds,
        )
        assert self.alert() == ""
        return float(self.page.run("document.getElementById('progress').dataset.seconds"))

    def alert(self):
        return self.text("alert")

    def refused(self):
        """Wait for the page's sentence about an error, and return it."""
        self.page.wait("document.getElementById('alert').textContent")
        return self.alert()

    def download(self, stem):
        """Samples and rate of a downloaded file."""
        before = set(self.folder.iterdir())
        self.click(f"[data-download={stem}]")
        end = time.monotonic() + 60
        while not (new := {p for p in self.folder.iterdir() if p.suffix == ".wav"} - before):
            assert time.monotonic() < end, "no file has come"
            self.page.run("0")
            time.sleep(0.1)
        (path,) = new
        return *sf.read(path, dtype="float32"), path

    def complaints(self):
        """Return the warnings and errors in the console."""
        found = []
        for event in self.page.console():
            entry = event["params"].get("entry", event["params"])
            loud = (
                event["method"] == "Runtime.exceptionThrown" or entry.get("level", entry.get("type")) in LOUD
            )
            if loud and entry.get("text") != NO_GPU:
                found.append(entry)
        return found

    def screenshot(self, path: Path):
        data = self.page.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))
