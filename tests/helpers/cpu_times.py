"""Plugin of pytest that measures the processor time of each test.

`python -m pytest -p tests.helpers.cpu_times`, in one process or with `-n`. Fixtures and finished child
processes count for the test that waits for them; start and collection are one line per process.
Unlike `--durations`, the result does not depend on other load. The wall time on two idle cores is about half
of the sum. CPU_TIMES_SHOWN is the number of files and of tests in the tables.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

SHOWN = int(os.environ.get("CPU_TIMES_SHOWN", "40"))
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


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session):
    result = yield
    worker = getattr(session.config, "workerinput", {}).get("workerid", "")
    _spent[f"start and collection {worker}".strip()] = _processor_seconds()
    return result


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["cpu_times"] = _spent


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    _spent.update(getattr(node, "workeroutput", {}).get("cpu_times", {}))


def pytest_terminal_summary(terminalreporter):
    total = sum(_spent.values())
    terminalreporter.section(f"processor time: {total:.0f} s in {len(_spent)} tests")
    files = Counter()
    for name, seconds in _spent.items():
        files[name.partition("::")[0]] += seconds
    for table in (files, Counter(_spent)):
        for name, seconds in table.most_common(SHOWN):
            terminalreporter.write_line(f"{seconds:7.2f} s  {name}")
        terminalreporter.write_line("")
