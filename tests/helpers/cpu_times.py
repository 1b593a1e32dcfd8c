"""Plugin of pytest that measures the processor time of each test.

`python -m pytest -p tests.helpers.cpu_times` in one process (no `-n`). Fixtures and finished child processes
count for the test that waits for them. Unlike `--durations`, the result does not depend on other load.
The wall time on two idle cores is about half of the sum.
"""

from __future__ import annotations

import os

import pytest

SHOWN = 40
_spent: dict[str, float] = {}


def _processor_seconds():
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    before = _processor_seconds()
    result = yield
    _spent[item.nodeid] = _processor_seconds() - before
    return result


def pytest_terminal_summary(terminalreporter):
    total = sum(_spent.values())
    terminalreporter.section(f"processor time: {total:.0f} s in {len(_spent)} tests")
    for name in sorted(_spent, key=lambda name: -_spent[name])[:SHOWN]:
        terminalreporter.write_line(f"{_spent[name]:7.2f} s  {name}")
