"""`--engine dask`: a cluster of real processes gives the same files, even if workers are lost."""

from __future__ import annotations

import contextlib
import http.server
import importlib.metadata
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.testsets import contents

pytest.importorskip("pyroomacoustics")
pytest.importorskip("distributed")

from dss_cli.cluster import dask
from dss_cli.errors import DssError
from dss_cli.testset import build as build_module
from dss_cli.testset.build import _folder, build_test_set, make_scenes
from dss_cli.testset.plan import draw_up
from dss_cli.testset.render import make_scene
from dss_cli.testset.strata import Stratum
from tests.helpers.clusters import frozen, kill_one, local_cluster, meanwhile, processing

pytestmark = pytest.mark.slow

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture(scope="module")
def cluster(material):  # sets the cache, which the workers share
    with local_cluster(2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def plan(material):
    whole, _ = draw_up(material / "speech", material / "noise", seconds=1.0)
    strata = (Stratum("1N+1F", "outdoor", 20.0), Stratum("far-only", "outdoor", 0.0, category="rain"))
    return replace(whole, strata=strata, count=10)


@pytest.fixture(scope="module")
def made(plan, tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "set"
    build_test_set(path, plan, jobs=1)
    return contents(path)


def begun(path):
    """Return a function that says whether the first scene exists."""
    return lambda: any((path / ".scenes").glob("*-*.json"))


# The same files.


def test_engines_make_no_difference(dss, cluster, material, tmp_path, monkeypatch):
    """The test uses a scheduler file and relative paths; the workers have another working directory."""
    monkeypatch.chdir(tmp_path)
    Path("scheduler.json").write_text(json.dumps({"address": cluster.scheduler_address}))
    speech = os.path.relpath(material / "speech")
    cells = ("--kind", "1N+1F", "--kind", "turns", "--environment", "outdoor", "--count", "4")
    arguments = ("--speech", speech, *cells, "--seconds", "1", "--json")
    reports = {}
    for name, options in (
        ("one", ("--jobs", "1")),
        ("two", ("--jobs", "2")),
        ("cluster", ("--engine", "dask", "--scheduler", "scheduler.json")),
    ):
        status, out, err = dss("simulate-test-set", name, *arguments, *options)
        assert (status, len(err)) == (0, 1)  # the line about missing noise
        reports[name] = json.loads(out)
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(tmp_path / "cluster")
    assert [report["engine"] for report in reports.values()] == ["processes", "processes", "dask"]
    for report in reports.values():
        del report["path"], report["elapsed"], report["engine"]
    assert reports["one"] == reports["two"] == reports["cluster"]


def test_workers_may_come_late_and_have_threads(plan, made, tmp_path):
    notes = []
    with local_cluster(0, threads=2) as cluster:

        def warn(note):
            notes.append(note)
            cluster.scale(1)

        build_test_set(tmp_path / "set", plan, scheduler=cluster.scheduler_address, warn=warn)
        assert notes == ["no workers at the scheduler: waiting for one to come"]
        assert contents(tmp_path / "set") == made
        build_test_set(tmp_path / "again", plan, scheduler=cluster.scheduler_address, warn=notes.append)
        assert len(notes) == 2
        assert "1 of 1 workers have several threads" in notes[1]
        assert contents(tmp_path / "again") == made


def test_threads_of_a_worker_take_turns(material, tmp_path):
    """Rooms of protocol 1 need turns, because pyroomacoustics has one random generator per process."""
    whole, _ = draw_up(material / "speech", seconds=1.0)
    plan = replace(whole, strata=(Stratum("near-only", "indoor"),), count=3, protocol=1)
    build_test_set(tmp_path / "alone", plan)
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        _folder(tmp_path / "set", plan).begin()
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(lambda number: make_scenes(tmp_path / "set", plan, [number]), range(3)))
    finally:
        sys.setswitchinterval(switching)
    build_test_set(tmp_path / "set", plan)
    assert contents(tmp_path / "set") == contents(tmp_path / "alone")


# Losses of workers, clients and schedulers.


@POSIX
def test_the_scenes_of_a_killed_worker_are_made_by_another(cluster, plan, made, tmp_path):
    notes, killed = [], []
    with meanwhile(kill_one, cluster, begun(tmp_path / "set"), killed):
        build_test_set(tmp_path / "set", plan, scheduler=cluster.scheduler_address, warn=notes.append)
    assert notes == [f"worker {killed[0]} was lost; its scenes are made again by another"]
    assert contents(tmp_path / "set") == made


@POSIX
def test_scenes_that_cost_too_many_workers_end_the_run(cluster, plan, made, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    killed = []
    with (
        meanwhile(kill_one, cluster, begun(tmp_path / "set"), killed),
        pytest.raises(DssError, match=r"died over scenes.*goes on where it stopped") as error,
    ):
        build_test_set(tmp_path / "set", plan, scheduler=cluster.scheduler_address)
    assert killed[0] in str(error.value)
    build_test_set(tmp_path / "set", plan, jobs=1)
    assert contents(tmp_path / "set") == made


@POSIX
def test_an_interrupted_run_is_cancelled_and_goes_on(cluster, plan, made, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        "import pickle, sys\n"
        "from dss_cli.__main__ import main\n"
        "import dss_cli.testset.plan as plans\n"
        f"plan = pickle.loads({pickle.dumps(plan)!r})\n"
        "plans.draw_up = lambda *a, **k: (plan, [])\n"
        "sys.exit(main())\n"
    )
    path = tmp_path / "set"
    command = [sys.executable, str(script), "simulate-test-set", str(path), "--engine", "dask"]
    process = subprocess.Popen(
        [*command, "--scheduler", cluster.scheduler_address], stderr=subprocess.PIPE, text=True
    )
    with frozen(cluster, begun(path)):  # no worker can finish before the signal
        assert any(processing(cluster).values())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "dss: error: interrupted; nothing half-written is left\n"
    assert not (path / "test-set.json").exists()
    assert not any(processing(cluster).values())
    build_test_set(path, plan, scheduler=cluster.scheduler_address)
    assert contents(path) == made


def test_a_lost_scheduler_is_said(plan, tmp_path):
    with local_cluster(0) as cluster:
        closer = threading.Timer(0.5, cluster.close)
        with pytest.raises(DssError, match=r"scheduler was lost.*goes on where it stopped"):
            build_test_set(
                tmp_path / "set", plan, scheduler=cluster.scheduler_address, warn=lambda note: closer.start()
            )
        closer.join()


# Refusals.


def refused(dss, *arguments):
    status, out, err = dss("simulate-test-set", *arguments)
    assert out == ""
    assert len([line for line in err if line.startswith("dss: error: ")]) == 1
    return status, err[-1]


def test_options_that_do_not_go_together(dss, tmp_path):
    out = tmp_path / "set"
    for arguments, word in (
        (["--engine", "dask"], "--scheduler"),
        (["--scheduler", "tcp://127.0.0.1:8786"], "--engine dask"),
        (["--engine", "dask", "--scheduler", "tcp://127.0.0.1:8786", "--jobs", "2"], "--jobs"),
    ):
        status, error = refused(dss, out, *arguments)
        assert status == 2
        assert word in error
    assert not out.exists()


def test_dask_that_is_not_installed(dss, material, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    options = ("--speech", material / "speech", "--engine", "dask", "--scheduler", "tcp://127.0.0.1:1")
    status, error = refused(dss, tmp_path / "set", *options)
    assert status == 1
    assert "pip install 'dss-cli[cluster]'" in error
    assert not (tmp_path / "set").exists()


@contextlib.contextmanager
def web_server():
    """Server like Dask's dashboard, which uses the next port."""
    silent = type("Silent", (http.server.BaseHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.HTTPServer(("127.0.0.1", 0), silent)
    with server, meanwhile(server.serve_forever, 0.01):
        yield f"tcp://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "nonsense", "tape://a:1", "damaged.json", "dashboard"]
)
def test_addresses_without_a_scheduler(dss, material, here, monkeypatch, capfd, address):
    monkeypatch.setattr(dask, "PATIENCE", 0.5)
    (here / "damaged.json").write_text("{")
    with web_server() as dashboard:
        scheduler = dashboard if address == "dashboard" else address
        options = ("--speech", material / "speech", "--engine", "dask", "--scheduler", scheduler)
        status, error = refused(dss, here / "set", *options)
    assert status == 1
    assert f"--scheduler {scheduler}: no Dask scheduler answers (" in error
    assert not (here / "set").exists()


def test_a_worker_is_no_scheduler(cluster, plan, tmp_path):
    with pytest.raises(DssError, match="a Dask worker answers, not a scheduler"):
        build_test_set(tmp_path / "set", plan, scheduler=next(iter(cluster.scheduler.workers)))


@pytest.mark.parametrize("package", ["dss-cli", "numpy"])
def test_workers_with_other_versions(cluster, plan, tmp_path, monkeypatch, package):
    real = dask.version
    monkeypatch.setattr(dask, "version", lambda name: "77" if name == package else real(name))
    with pytest.raises(DssError, match=rf"worker tcp://\S+ \(.+\): has {package} {real(package)}, not 77"):
        build_test_set(tmp_path / "set", plan, scheduler=cluster.scheduler_address)


def test_workers_with_another_python(cluster, plan, tmp_path, monkeypatch):
    monkeypatch.setattr("distributed.versions.get_system_info", lambda: {"python": "3.77.1.final.0"})
    with pytest.raises(DssError, match=r"worker tcp://\S+: has Python 3\.\d+, not 3\.77 as here"):
        build_test_set(tmp_path / "set", plan, scheduler=cluster.scheduler_address)
    assert not (tmp_path / "set").exists()


def test_what_dask_misses_is_one_line(cluster, monkeypatch):
    monkeypatch.setattr("distributed.versions.optional_packages", ["pytest"])
    notes = []
    with dask.cluster(cluster.scheduler_address, notes.append, build_module.WORK):
        pass
    version = importlib.metadata.version("pytest")
    assert len(notes) == 1
    assert notes[0].startswith("Mismatched versions found | Package |")
    assert f"| pytest | {version} | {version} | MISSING |" in notes[0]


def test_a_worker_without_dss(cluster, plan, tmp_path, monkeypatch):
    monkeypatch.setattr(dask, "version", lambda name: "1")
    monkeypatch.setattr(build_module, "WORK", replace(build_module.WORK, packages=("no-such-package",)))
    with pytest.raises(DssError, match="has no-such-package not at all"):
        build_test_set(tmp_path / "set", plan, scheduler=cluster.scheduler_address)


def make_on_another_machine(path, plan, numbers, claim):
    other = path.with_name("other")
    return make_scenes(other, plan, numbers, other / claim.relative_to(path))


def test_a_worker_that_sees_another_folder(cluster, plan, tmp_path, monkeypatch):
    monkeypatch.setattr("dss_cli.testset.build.make_scenes", make_on_another_machine)
    expected = r"worker tcp://\S+ \(.+\): .*other: no active run in this folder; .* must see the same folder"
    for begun in (False, True):  # no folder, or the remains of an earlier run
        if begun:
            _folder(tmp_path / "other", plan).begin()
        before = contents(tmp_path / "other")
        with pytest.raises(DssError, match=expected):
            build_test_set(tmp_path / "set", plan, scheduler=cluster.scheduler_address)
        assert contents(tmp_path / "other") == before


def make_nothing(path, plan, numbers, claim):
    return len(numbers)


def test_scenes_that_are_not_seen_here(cluster, plan, tmp_path, monkeypatch):
    monkeypatch.setattr("dss_cli.testset.build.make_scenes", make_nothing)
    monkeypatch.setattr("dss_cli.testset.build.SHARING", 0.0)
    with pytest.raises(DssError, match="20 scenes were made, but are not found"):
        build_test_set(tmp_path / "set", plan, scheduler=cluster.scheduler_address)
    assert not (tmp_path / "set" / "test-set.json").exists()


def test_a_worker_that_outlives_its_run_leaves_the_next_one_alone(plan, tmp_path, monkeypatch):
    """While a late scene is rendered, the run ends, its folder is removed, and another run replaces it."""
    path, other, seen = tmp_path / "set", replace(plan, seed=1), []
    _folder(path, plan).begin()

    def late(*arguments):
        claim.unlink()
        shutil.rmtree(path)
        _folder(path, other).begin()
        seen.append(contents(path))
        return make_scene(*arguments)

    with build_module._claimed(path) as claim:
        monkeypatch.setattr(build_module, "make_scene", late)
        with pytest.raises(DssError, match="no active run"):
            make_scenes(path, plan, [0, 1], claim)
    assert [contents(path)] == seen


def test_a_killed_run_leaves_a_claim_that_the_next_one_sweeps(plan, tmp_path):
    folder = _folder(tmp_path / "set", plan)
    folder.begin()
    with build_module._claimed(tmp_path / "set") as claim:
        assert claim.exists()
        folder.begin()
        with pytest.raises(DssError, match="no active run"):
            make_scenes(tmp_path / "set", plan, [0], claim)
