"""Many recordings in several processes: the same stems, ordered lines, one loss per dead process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest

from dss_cli.runtime.registry import list_models
from dss_cli.separation.separator import load_model
from dss_cli.separation.workers import default_jobs, shared_threads
from dss_cli.utils import machine
from tests.helpers import terminal, tiny
from tests.helpers.stub import files

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes of POSIX")

# Fault in the separating process, by the name of the recording.
ODDITIES = """
import os, signal
import dss_cli.separation.files as library
ordinary = library.separate_file

def separate_file(source, **options):
    if "slow" in source:
        time.sleep(1.5)
    if "deadly" in source:
        os.kill(os.getpid(), signal.SIGKILL)
    if "endless" in source:
        Stub.pause = 0.05
        os.write(2, bytes([*b"begun", 10]))
    return ordinary(source, **options)

library.separate_file = separate_file
"""

# The process dies as soon as it loads the network.
DEADLY_MODEL = """
import os
Stub = lambda: os.kill(os.getpid(), 9)
"""


@pytest.fixture
def batch(stubbed, recording):
    """`batch(names, *options)`: separate recordings on the stub; exit code, stdout, stderr lines."""

    def run(names, *options, timeout=60):
        for name in names:
            recording(name)
        command = [*stubbed(ODDITIES), "separate", *names, *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        return done.returncode, done.stdout, done.stderr.splitlines()

    return run


def test_any_number_of_processes_gives_the_same_bytes(dss, recording, here):
    path = tiny.write(here)
    names = [f"{number}.wav" for number in range(5)]
    for number, name in enumerate(names):
        recording(name, seconds=1 + number / 3)
    contents = []
    for jobs in (1, 2, 4):
        options = ("--jobs", jobs, "--model", path, "--delegate", "cpu", "-o", f"out{jobs}", "--quiet")
        assert dss("separate", *names, *options) == (0, "", [])
        contents.append({name.name: name.read_bytes() for name in (here / f"out{jobs}").iterdir()})
    assert len(contents[0]) == 10
    assert contents[0] == contents[1] == contents[2]


def test_lines_and_reports_stand_in_the_order_of_the_inputs(batch):
    names = ["1.slow.wav", "2.wav", "3.missing.wav", "4.wav"]
    status, _, err = batch([name for name in names if "missing" not in name], "--jobs", "3")
    assert status == 0
    assert [line.split(" ")[0] for line in err] == ["1.slow.wav", "2.wav", "4.wav", "3"]
    status, out, err = batch(names[:2] + names[3:], "3.missing.wav", "--jobs", "3", "--json", "--overwrite")
    assert status == 1
    assert [entry["input"] for entry in json.loads(out)["files"]] == [*names[:2], names[3], names[2]]


def test_a_killed_worker_costs_one_file(batch, here):
    names = ["a.wav", "b.deadly.wav", "c.wav", "d.wav", "e.deadly.wav", "f.wav"]
    status, _, err = batch(names, "--jobs", "2")
    assert status == 1
    reason = "its worker process died: killed by SIGKILL (out of memory?)"
    assert err[1] == f"dss: error: b.deadly.wav: {reason}"
    assert err[-1] == "4 separated, 2 failed"
    assert files(here) == sorted(
        [*names, *(f"{name}.{stem}.wav" for name in "acdf" for stem in ("near", "far"))]
    )


def children(process):
    return subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True
    ).stdout.split()


def alive(pid):
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "status", "word"),
    [
        ("SIGINT", 130, "interrupted"),
        ("SIGTERM", 143, "terminated"),
        ("SIGHUP", 129, "hung up"),
        ("SIGKILL", -9, ""),
    ],
)
@pytest.mark.parametrize("group", [True, False], ids=["as a terminal does", "the parent alone"])
def test_a_signal_ends_all_processes_and_leaves_nothing(stubbed, recording, here, name, status, word, group):
    if name == "SIGKILL" and group:
        pytest.skip("nobody could tidy up")
    names = ["a.endless.wav", "b.endless.wav", "c.wav"]
    for each in names:
        recording(each, seconds=60)
    command = [*stubbed(ODDITIES), "separate", *names, "--jobs", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    assert [process.stderr.readline() for _ in range(2)] == [b"begun\n"] * 2
    workers = children(process)
    number = getattr(signal, name)
    if group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    err = process.stderr.read().decode().splitlines()
    assert process.wait(30) == status
    assert err == ([f"dss: error: {word}; nothing half-written is left"] if word else [])
    deadline = time.monotonic() + 10
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, workers))
    assert files(here) == names


def test_workers_under_nohup_outlive_their_terminal(stubbed, recording, here):
    for name in ("a.wav", "b.wav"):
        recording(name, seconds=4)
    started = "print('started', file=sys.stderr, flush=True)\nStub.pause = 0.02"
    command = ["nohup", *stubbed(started), "separate", "a.wav", "b.wav", "--jobs", "2"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while process.stderr.readline() != b"started\n":
        pass
    while len(children(process)) < 2:
        time.sleep(0.01)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGHUP)
    process.stderr.read()
    assert process.wait(60) == 0
    assert len(files(here)) == 6


def test_a_model_that_cannot_be_loaded_is_one_line(dss, recording, here):
    path = tiny.write(here)
    path.write_bytes(b"short")
    recording("a.wav")
    recording("b.wav")
    status, out, err = dss("separate", "a.wav", "b.wav", "--jobs", "2", "--model", path)
    assert (status, out, len(err)) == (1, "", 1)
    assert err[0].startswith(f"dss: error: {path}: 5 bytes where the card says")


def test_a_worker_that_dies_while_it_loads_is_one_line(stubbed, recording):
    recording("a.wav")
    recording("b.wav")
    command = [*stubbed(DEADLY_MODEL), "separate", "a.wav", "b.wav", "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("dss: error: a worker process died while loading the model: killed by SIGKILL")


def test_warnings_of_the_network_are_said_once(dss, stub, recording):
    stub.fallback_reason = "the GPU does not take it"
    for name in "abc":
        recording(f"{name}.wav")
    _, out, err = dss("separate", "a.wav", "b.wav", "c.wav", "--jobs", "3", "--json")
    assert err == ["dss: warning: running on the CPU: the GPU does not take it"]
    assert json.loads(out)["warnings"] == ["running on the CPU: the GPU does not take it"]


def test_log_lines_of_workers_come_in_turn(batch):
    err = batch(["1.slow.wav", "2.wav"], "--jobs", "2", "--verbose")[2]
    of_files = [line for line in err if "WAV PCM_24" in line or " -> " in line]
    assert [line.split(" ")[0] for line in of_files] == ["dss:", "1.slow.wav", "dss:", "2.wav"]


def test_a_gpu_is_not_shared_unless_asked(dss, stub, recording, here):
    stub.used = "gpu"
    for number in range(4):
        recording(f"{number}.wav")
    assert dss("separate", *(f"{number}.wav" for number in range(4)), "--quiet")[0] == 0
    assert len(files(here)) == 12


def test_one_bar_shows_the_whole_batch(stubbed, recording):
    names = ("a.wav", "b.wav", "c.wav")
    for name in names:
        recording(name, seconds=5)
    status, out, seen = terminal.run([*stubbed("Stub.pause = 0.01"), "separate", *names, "--jobs", "2"])
    assert (status, out) == (0, b"")
    assert b"3 recordings" in seen
    assert b"separating" not in seen
    assert b"3 separated" in seen


# Numbers of processes and threads.


@pytest.mark.parametrize(
    ("pending", "cores", "jobs", "threads"),
    [(1, 8, 1, 4), (100, 8, 8, 1), (2, 8, 2, 4), (3, 8, 3, 2), (0, 4, 1, 4), (5, 1, 1, 1), (100, 64, 64, 1)],
)
def test_cores_are_shared_out(pending, cores, jobs, threads):
    assert default_jobs(pending, cores) == jobs
    assert shared_threads(jobs, cores) == threads


def test_a_containers_quota_counts(tmp_path):
    for text, expected in {
        "max 100000": 1 << 16,
        "150000 100000": 2,
        "50000 100000": 1,
        "odd": 1 << 16,
    }.items():
        (tmp_path / "cpu.max").write_text(text)
        assert machine._quota(tmp_path / "cpu.max") == expected
    assert 1 <= machine.physical_cores() <= machine.processors()


@pytest.mark.parametrize("model", list_models(), ids=lambda model: model.name)
def test_results_are_the_same_to_the_bit_whatever_the_threads(model):
    """The bundled models run three chunks on one thread and on several."""
    outputs = []
    for threads in (1, 2, 3, 4):
        network = load_model(model.path, "cpu", threads)
        generator = np.random.default_rng(0)
        shape = (1, network.signal.frames, network.signal.bins, 3)
        chunks = [generator.standard_normal(shape).astype(np.float32) for _ in range(3)]
        outputs.append(np.concatenate([np.stack(network.separate(chunk)) for chunk in chunks]).tobytes())
    assert len(set(outputs)) == 1
