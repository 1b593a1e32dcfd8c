"""A headless Chromium, spoken to over a pair of pipes in its DevTools protocol."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 60  # seconds
_SWITCHES = "--headless --no-sandbox --disable-gpu --mute-audio --no-first-run --remote-debugging-pipe"


class Page:
    """One page with its workers; `events` holds what they had to say so far."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._unread = b""
        self._number = 0
        self._session: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self.ask("Page.enable")
        self._watch(attached["sessionId"])

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        number = self._send(method, params, self._session)
        while (answer := self._next()).get("id") != number:
            self._note(answer)
        assert "error" not in answer, answer["error"]
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, page: Path | str) -> None:
        """Load a file or an address, and wait until all of it is there."""
        before = self._count("Page.loadEventFired")
        self.ask("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        while self._count("Page.loadEventFired") == before:
            self._note(self._next())

    def wait(self, condition: str, seconds: float = PATIENCE) -> Any:
        """Wait until a JavaScript expression is true; return its value."""
        end = time.monotonic() + seconds
        while not (value := self.run(condition)):
            assert time.monotonic() < end, f"{condition} is not true after {seconds} s"
            time.sleep(0.05)
        return value

    def run(self, script: str, worker: str | None = None) -> Any:
        """Return the awaited value of a JavaScript expression, evaluated with a user gesture.

        The expression is evaluated in the page, or in the worker with an address that ends with `worker`.
        """
        own = self._session
        if worker is not None:
            attached = (e["params"] for e in self.events if e["method"] == "Target.attachedToTarget")
            (session, *_) = (a["sessionId"] for a in attached if a["targetInfo"]["url"].endswith(worker))
            self._session = {"sessionId": session}
        try:
            done = self.ask(
                "Runtime.evaluate", expression=script, awaitPromise=True, userGesture=True, returnByValue=True
            )
        finally:
            self._session = own
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def console(self) -> list[dict[str, Any]]:
        """Everything that a developer would see in the console."""
        said = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [event for event in self.events if event["method"] in said]

    def requests(self) -> list[str]:
        """The addresses that were asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def _send(self, method: str, params: dict[str, Any], session: dict[str, str]) -> int:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params, **session}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        return self._number

    def _watch(self, session: str) -> None:
        """Hear what a page or a worker says, and the workers that it starts."""
        for domain in ("Runtime", "Log", "Network"):
            self._send(f"{domain}.enable", {}, {"sessionId": session})
        every = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
        self._send("Target.setAutoAttach", every, {"sessionId": session})
        self._send("Runtime.runIfWaitingForDebugger", {}, {"sessionId": session})

    def _note(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            return  # the answer to a command that nobody waits for
        self.events.append(message)
        if message["method"] == "Target.attachedToTarget" and self._session:
            self._watch(message["params"]["sessionId"])

    def _count(self, method: str) -> int:
        return sum(event["method"] == method for event in self.events)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._answers], [], [], PATIENCE)
            assert ready, f"the browser has said nothing for {PATIENCE} s"
            some = os.read(self._answers, 1 << 20)
            assert some, "the browser has gone"
            self._unread += some
        text, self._unread = self._unread.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        return message


@contextlib.contextmanager
def browser(folder: Path, switches: str = "") -> Iterator[Page]:
    """A browser with its profile in a folder and more command-line switches, on a page of its own."""
    command_end, commands = os.pipe()
    answers, answer_end = os.pipe()
    script = (
        f"exec {CHROMIUM} {_SWITCHES} {switches} --user-data-dir='{folder}' 3<&{command_end} 4>&{answer_end}"
    )
    process = subprocess.Popen(
        ["bash", "-c", script],
        pass_fds=(command_end, answer_end),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(command_end)
    os.close(answer_end)
    try:
        page = Page(commands, answers)
        yield page
        with contextlib.suppress(AssertionError):
            page.ask("Browser.close")
        process.wait(30)
    finally:
        process.kill()
        process.wait()
        os.close(commands)
        os.close(answers)
