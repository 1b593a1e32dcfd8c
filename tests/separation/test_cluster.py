"""`dss separate --engine dask`: a cluster of real processes gives the same stems as one machine."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from hashlib import sha256

import pytest

from tests.helpers import tiny
from tests.helpers.stub import files
from tests.helpers.testsets import contents

pytest.importorskip("distributed")

import distributed

from dss_cli.errors import DssError
from dss_cli.separation import on_cluster
from tests.helpers.clusters import kill_one, local_cluster, meanwhile

pytestmark = pytest.mark.slow

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture
def separate(dss, here):
    """`separate(cluster or None, *arguments)`: run the smallest model; exit code, stdout, stderr lines."""
    tiny.write(here)

    def run(cluster, *arguments):
        who = ("--jobs", 1)
        if cluster is not None:
            who = ("--engine", "dask", "--scheduler", cluster.scheduler_address)
        return dss("separate", "--model", "tiny.tflite", "--delegate", "cpu", *who, *arguments)

    return run


@pytest.fixture
def folder(recording, here):
    """`folder(count, seconds)`: fill the folder `in` with recordings, some of them in subfolders."""

    def fill(count, seconds=0.3):
        for number in range(count):
            recording(f"in/{number % 3}/{number:04}.wav", seconds=seconds + number % 7 / 100)
        return here / "in"

    return fill


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


# The same stems.


def test_engines_make_no_difference(separate, cluster, folder, here):
    folder(6)
    (here / "in" / "broken.wav").write_bytes(b"RIFF, but no more")
    reports = {}
    for name, where in (("one", None), ("many", cluster)):
        options = ("-r", "in", "-o", name, "--manifest", f"{name}.jsonl", "--json")
        status, out, err = separate(where, *options)
        assert (status, len(err)) == (1, 1)
        reports[name] = json.loads(out)
    assert contents(here / "one") == contents(here / "many")
    assert len(contents(here / "many")) == 12
    for first, second in zip(reports["one"]["files"], reports["many"]["files"], strict=True):
        assert second.get("worker", "").startswith("tcp://")
        for each in (first, second):
            for key in ("elapsed", "rtf", "worker"):
                each.pop(key, None)
        if "error" in first:
            assert second["error"].startswith(f"{first['error']} (worker tcp://")
        else:
            assert json.dumps(second).replace("many/", "one/") == json.dumps(first)
    assert reports["one"]["delegate"] == reports["many"]["delegate"]
    assert reports["one"]["tally"] == reports["many"]["tally"]


def test_a_manifest_tells_of_every_recording(separate, cluster, folder, here):
    folder(4)
    (here / "in" / "broken.wav").write_bytes(b"no audio")
    for name, where in (("one", None), ("many", cluster)):
        separate(where, "-r", "in", "-o", name, "--manifest", f"{name}.jsonl")
        entries = {entry["input"]: entry for entry in lines(here / f"{name}.jsonl")}
        assert len(entries) == 5
        assert "not audio" in entries.pop("in/broken.wav")["error"]
        for source, entry in entries.items():
            assert set(entry) == {"input", "outputs", "sha256", "seconds", "elapsed", "warnings", "worker"}
            assert entry["seconds"] == pytest.approx(0.3 + int(source[-5]) % 7 / 100, abs=1e-3)
            for stem, path in entry["outputs"].items():
                assert entry["sha256"][stem] == sha256((here / path).read_bytes()).hexdigest()
    assert all(entry["worker"].startswith("tcp://") for entry in lines(here / "many.jsonl"))


@pytest.mark.parametrize("count", [100, 2000])
def test_many_small_files(separate, cluster, folder, here, count):
    folder(count, 0.05)
    status, _, err = separate(cluster, "-r", "in", "-o", "many", "--manifest", "m.jsonl")
    sources = [f"in/{name}" for name in files(here / "in")]
    assert status == 0
    assert [line.split(" ")[0] for line in err] == [*sources, f"{count:,}"]
    assert sorted(entry["input"] for entry in lines(here / "m.jsonl")) == sources
    separate(None, "-r", "in", "-o", "one", "--quiet")
    assert contents(here / "many") == contents(here / "one")


def test_a_run_goes_on_where_it_stopped(separate, cluster, folder, here):
    folder(5)
    assert separate(None, "in/0/0000.wav", "in/0/0003.wav", "-o", "out/0", "--manifest", "m.jsonl")[0] == 0
    before = {path: (here / "out" / path).stat().st_mtime_ns for path in files(here / "out")}
    options = ("-r", "in", "-o", "out", "--skip-existing", "--manifest", "m.jsonl")
    status, _, err = separate(cluster, *options)
    assert (status, err[-1]) == (0, "3 separated, 2 left out (2 outputs exist)")
    assert before.items() <= {p: (here / "out" / p).stat().st_mtime_ns for p in files(here / "out")}.items()
    status, out, _ = separate(cluster, *options, "--json")  # nothing is left to do: no worker loads the model
    assert (status, json.loads(out)["delegate"]["used"]) == (0, None)
    assert sorted(entry["input"] for entry in lines(here / "m.jsonl")) == [
        f"in/{n}" for n in files(here / "in")
    ]


def test_outputs_that_exist_are_refused_before_anything_runs(separate, cluster, folder, here):
    folder(3)
    (here / "out" / "1").mkdir(parents=True)
    (here / "out" / "1" / "0001.near.wav").write_bytes(b"mine")
    status, _, err = separate(cluster, "-r", "in", "-o", "out")
    assert (status, len(err)) == (2, 1)
    assert "exists already; --overwrite replaces it" in err[0]
    assert files(here / "out") == ["1/0001.near.wav"]
    assert separate(cluster, "-r", "in", "-o", "out", "--overwrite")[0] == 0
    assert len(files(here / "out")) == 6


# Losses of workers and schedulers.


def stems(folder):
    """Return a function that says whether a first stem exists."""
    return lambda: any(folder.rglob("*.far.wav"))


@POSIX
def test_the_recordings_of_a_killed_worker_are_separated_by_another(separate, folder, here):
    folder(12, 10)
    killed = []
    leftover = here / "many" / "2" / ".0011.near.wav.0123abcd.part"  # possible remains of a killed worker
    leftover.parent.mkdir(parents=True)
    leftover.touch()
    with local_cluster(2) as cluster, meanwhile(kill_one, cluster, stems(here / "many"), killed):
        status, _, err = separate(cluster, "-r", "in", "-o", "many")
    assert status == 0
    warnings = [line for line in err if "warning" in line]
    assert warnings == [
        f"dss: warning: worker {killed[0]} was lost; its recordings are separated again by another"
    ]
    separate(None, "-r", "in", "-o", "one", "--quiet")
    assert contents(here / "many") == contents(here / "one")


@POSIX
def test_a_recording_that_costs_too_many_workers_fails_alone(separate, folder, here, monkeypatch):
    folder(8, 10)
    killed = []
    with local_cluster(2) as cluster:
        monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
        with meanwhile(kill_one, cluster, stems(here / "out"), killed):
            status, _, err = separate(cluster, "-r", "in", "-o", "out", "--manifest", "m.jsonl")
    assert status == 1
    entries = lines(here / "m.jsonl")
    errors = [entry["error"] for entry in entries if "error" in entry]
    assert errors
    assert all(f"worker {killed[0]} died over recordings that had cost 0 others before" in e for e in errors)
    assert err[-1] == f"{8 - len(errors)} separated, {len(errors)} failed"
    left = {f"out/{name}" for name in files(here / "out")}
    told = {path for entry in entries for path in entry.get("outputs", {}).values() if "error" not in entry}
    assert len(told) == 2 * (8 - len(errors))
    assert told <= left  # a worker killed between its last rename and its report leaves complete stems
    assert {len(list((here / "out").rglob(f"{n:04}.*.wav"))) for n in range(8)} <= {0, 2}


@pytest.mark.parametrize("reconnecting", [False, True])
def test_a_lost_scheduler_is_one_line_and_leaves_no_half_file(
    separate, folder, here, monkeypatch, reconnecting
):
    if reconnecting:  # then a client may fail to close
        original = distributed.Client.close

        def close_badly(client, *arguments, **options):
            open_until_now = client.status != "closed"  # the interpreter closes it once more
            original(client, *arguments, **options)
            assert not open_until_now, "an error of the client's own"

        monkeypatch.setattr(distributed.Client, "close", close_badly)
    folder(24, 10)
    with local_cluster(2) as cluster:

        def close():
            while not stems(here / "out")():
                time.sleep(0.01)
            cluster.close()

        closer = threading.Thread(target=close)
        closer.start()
        status, _, err = separate(cluster, "-r", "in", "-o", "out", "--quiet", "--manifest", "m.jsonl")
        closer.join()
    assert status == 1
    errors = [line for line in err if line.startswith("dss: error: ")]
    assert len(errors) == 1
    assert "the scheduler was lost or has dropped the work; with --skip-existing the same" in errors[0]
    left = files(here / "out")
    assert 0 < len(left) < 48
    assert [name for name in left if name.endswith(".part")] == []
    separate(None, "-r", "in", "-o", "out", "--quiet", "--skip-existing", "--overwrite")
    separate(None, "-r", "in", "-o", "one", "--quiet")
    assert contents(here / "out") == contents(here / "one")
    assert {entry["input"] for entry in lines(here / "m.jsonl")} <= {f"in/{n}" for n in files(here / "in")}


# Refusals.


def test_options_that_do_not_go_together(dss, recording, here):
    recording("a.wav")
    dask = ("--engine", "dask", "--scheduler", "tcp://127.0.0.1:1")
    for arguments, word in (
        (["--engine", "dask"], "--scheduler"),
        (["--scheduler", "tcp://127.0.0.1:1"], "--engine dask"),
        ([*dask, "--jobs", "2"], "--jobs"),
        ([*dask, "--near", "-"], "standard input and output"),
        ([*dask, "--near", "/dev/null"], "/dev/null: a pipe or a device"),
        (["--manifest", "a.wav"], "--manifest a.wav: a recording or a stem"),
        (["--manifest", "a.far.wav"], "--manifest a.far.wav: a recording or a stem"),
    ):
        status, _, err = dss("separate", "a.wav", *arguments)
        assert (status, len(err)) == (2, 1)
        assert word in err[0]
    assert files(here) == ["a.wav"]


def test_no_scheduler_is_one_line(dss, recording, here):
    recording("a.wav")
    status, _, err = dss("separate", "a.wav", "--engine", "dask", "--scheduler", "tcp://127.0.0.1:1")
    assert (status, len(err)) == (1, 1)
    assert "no Dask scheduler answers (" in err[0]
    assert files(here) == ["a.wav"]


def test_workers_with_another_model_are_refused(separate, cluster, folder, here, monkeypatch):
    folder(2)
    monkeypatch.setattr(on_cluster, "separate_there", another_model)
    status, _, err = separate(cluster, "-r", "in", "-o", "out")
    assert (status, len(err)) == (1, 1)
    assert "tiny.tflite: not the same model as on the requesting machine" in err[0]
    assert not (here / "out").exists()


def another_model(job, *, sha256, **options):
    return _separate_there(job, sha256="0" * 64, **options)


_separate_there = on_cluster.separate_there


def test_context_reaches_the_workers(separate, cluster, folder, monkeypatch):
    folder(2)
    monkeypatch.setattr(on_cluster, "separate_there", tell_context)
    status, _, err = separate(cluster, "-r", "in", "-o", "out", "--context", "past")
    assert (status, len(err)) == (1, 1)
    assert err[0].endswith("decided on the past")


def tell_context(job, *, options, **rest):
    raise DssError(f"decided on the {options['context']}")


def test_verbose_tells_what_workers_say(separate, cluster, folder, here):
    folder(3)
    said = {}
    for name, where in (("one", None), ("many", cluster)):
        status, _, err = separate(where, "-r", "in", "-o", name, "--verbose")
        assert status == 0
        said[name] = [line for line in err if ", frames: " in line]
    assert len(said["one"]) == 3
    there = [line.partition("): ") for line in said["many"]]
    assert all(worker.startswith("dss: info: worker tcp://") for worker, _, _ in there)
    assert [what for _, _, what in there] == [line.removeprefix("dss: info: ") for line in said["one"]]
    assert not any("worker" in line for line in separate(cluster, "-r", "in", "-o", "quiet")[2])


def test_workers_with_other_versions_are_refused(separate, cluster, folder, monkeypatch):
    folder(2)
    monkeypatch.setattr(on_cluster, "WORK", replace(on_cluster.WORK, packages=("pytest",)))
    monkeypatch.setattr("dss_cli.cluster.dask.version", lambda name: "0.0")
    status, _, err = separate(cluster, "-r", "in", "-o", "out")
    assert (status, len(err)) == (1, 1)
    assert "not 0.0 as here; install that there" in err[0]


def test_outputs_that_are_not_seen_here_are_errors(separate, cluster, folder, here, monkeypatch):
    folder(2)
    monkeypatch.setattr(on_cluster, "separate_there", separate_elsewhere)
    monkeypatch.setattr(on_cluster, "SHARING", 0.0)
    status, _, err = separate(cluster, "-r", "in", "-o", "out")
    assert status == 1
    assert err[-1] == "0 separated, 2 failed"
    assert "all machines must see the same folder" in err[0]


def separate_elsewhere(job, **options):
    outcome = _separate_there(job, **options)
    for path in job.targets.values():
        os.unlink(path)  # noqa: PTH108
    return outcome


# URLs.


def test_workers_read_and_write_urls(separate, cluster, folder, here):
    pytest.importorskip("fsspec")
    from tests.helpers.shelf import register

    folder(4)
    register()
    with distributed.Client(cluster, set_as_default=False) as client:
        client.run(register)
    status, _, err = separate(cluster, "-r", f"shelf://{here}/in", "-o", f"shelf://{here}/many")
    assert (status, err[-1]) == (0, "4 separated")
    separate(None, "-r", "in", "-o", "one", "--quiet")
    assert contents(here / "many") == contents(here / "one")
