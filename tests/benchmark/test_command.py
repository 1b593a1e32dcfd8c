"""`dss bench` on the command line: rows, refusals, external delegates, and interruptions."""

from __future__ import annotations

import csv
import ctypes.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers import tiny
from tests.helpers.schemas import valid
from tests.helpers.stub import files

DRIVER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("model"))


@pytest.fixture
def bench(model, tmp_path):
    """`bench(*options, driver=None)`: exit code, stdout, stderr lines except those on a busy machine."""
    command = shutil.which("dss", path=str(Path(sys.executable).parent))
    start = [command] if command else [sys.executable, "-m", "dss_cli"]
    temporary = tmp_path / "tmp"
    temporary.mkdir()

    def arguments(*options, driver="/nonexistent.json"):
        variables = dict.fromkeys(("VK_DRIVER_FILES", "VK_ICD_FILENAMES"), str(driver))
        run = [*start, "bench", "--model", str(model), "--duration", "1", *map(str, options)]
        return {"args": run, "env": {**os.environ, **variables, "TMPDIR": str(temporary)}, "text": True}

    def run(*options, **others):
        done = subprocess.run(**arguments(*options, **others), capture_output=True, timeout=120)
        assert files(temporary) == []
        lines = [line for line in done.stderr.splitlines() if "the machine is busy" not in line]
        return done.returncode, done.stdout, lines

    run.arguments, run.temporary = arguments, temporary
    return run


def test_all_without_a_gpu_is_the_cpu_and_one_plain_statement(bench, model):
    status, out, err = bench("--repeat", "2", "--threads", "1,2", "--quiet", "--json")
    result = valid(json.loads(out))
    reason = "no GPU adapter was found (`dss info` tells more)"
    assert status == 0
    assert [line for line in err if "GPU" in line] == [f"dss: warning: no GPU row of {model}: {reason}"]
    assert [row["name"] for row in result["rows"]] == ["CPU, 1 thread", "CPU, 2 threads"]
    assert {"what": f"GPU row of {model}", "why": reason} in result["not_measured"]
    two = result["rows"][1]
    assert two["delegate"]["fully_accelerated"]
    assert two["agreement"] == {
        "near_si_sdr_db": 80,
        "far_si_sdr_db": 80,
        "largest_difference": 0,
        "seconds": 1,
    }
    for row in result["rows"]:
        assert row["rtf_file"]["min"] > row["rtf_network"]["min"] > 0
        assert row["rtf_file"]["runs"] == 2
    assert bool(result["idle"]) != any(one["what"] == "energy" for one in result["not_measured"])


def test_the_table_and_the_csv(bench, tmp_path):
    table = tmp_path / "t.csv"
    status, out, err = bench("--repeat", "1", "--threads", "1", "--csv", table, "--delegate", "auto")
    assert status == 0
    assert "RTF, file to file" in out
    assert "auto, cpu" in out
    assert [line.rpartition(": ")[2] for line in err if "running on the CPU" in line] == [
        "no GPU adapter was found"
    ]
    (line,) = csv.DictReader(io.StringIO(table.read_text()))
    assert (line["asked"], line["used"], line["fully_accelerated"]) == ("auto", "cpu", "True")
    status, out, err = bench("--csv", table)
    assert (status, out, err) == (2, "", [f"dss: error: {table}: exists already; --overwrite replaces it"])


def test_a_gpu_that_is_asked_for_alone_and_is_not_there_is_an_error(bench, model):
    status, out, err = bench("--delegate", "gpu", "--quiet", "--json")
    assert (status, out) == (1, "")
    assert err == [
        f"dss: error: {model} on GPU: no GPU adapter was found (`dss info` tells more); "
        "`--delegate all` leaves it out"
    ]


@pytest.mark.gpu
@pytest.mark.skipif(
    not DRIVER.exists() or ctypes.util.find_library("vulkan") is None,
    reason=f"no software Vulkan driver: {DRIVER} (Debian: chromium, libvulkan1)",
)
def test_a_gpu_in_software_is_a_row_and_called_so(bench):
    status, out, err = bench("--repeat", "1", "--threads", "1", "--quiet", "--json", driver=DRIVER)
    assert (status, err) == (0, [])
    result = valid(json.loads(out))
    cpu, gpu = result["rows"]
    assert gpu["name"] == "GPU, software: SwiftShader"
    proof = gpu["delegate"]
    assert (proof["asked"], proof["used"], proof["fully_accelerated"]) == ("gpu", "gpu", True)
    assert (proof["software"], proof["threads"], proof["precision"]) == (True, None, "float32")
    assert proof["adapter"].startswith("SwiftShader Device")
    assert gpu["agreement"]["near_si_sdr_db"] == 80
    assert [(ratio["row"], ratio["to"]) for ratio in result["ratios"]] == [(1, 0)]
    assert "GPU row" not in str(result["not_measured"])
    assert cpu["delegate"]["adapter"] is None


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """`libraries(n)`: delegate that accepts n of the two operations of the tiny model."""
    compiler = shutil.which("cc")
    if not compiler or os.name == "nt":
        pytest.skip("no C compiler to make a delegate library with")
    folder = tmp_path_factory.mktemp("delegates")

    def build(count):
        path = folder / f"takes{count}.so"
        source = Path(tiny.__file__).with_name("delegate.c")
        subprocess.run([compiler, "-shared", "-fPIC", f"-DNODES={count}", source, "-o", path], check=True)
        return path

    return build


@pytest.mark.parametrize(("count", "left"), [(1, {"CONV_2D": 1}), (2, {})])
def test_an_external_delegate_is_a_row_beside_the_others_with_the_ops_that_it_left(
    bench, libraries, count, left
):
    library = libraries(count)
    options = ("--delegate", "cpu", "--threads", "1", "--repeat", "1", "--quiet", "--json")
    status, out, err = bench(*options, "--delegate-library", library)
    assert (status, err) == (0, [])
    cpu, external = valid(json.loads(out))["rows"]
    assert cpu["name"] == "CPU, 1 thread"
    assert external["name"] == library.name + (" (1 of 2 ops)" if left else "")
    assert external["delegate"]["not_accelerated"] == left
    assert external["delegate"]["fully_accelerated"] == (not left)
    assert external["delegate"]["library"] == str(library)
    assert external["agreement"]["largest_difference"] == 0


def test_a_library_that_takes_nothing_is_an_error(bench, libraries):
    library = libraries(0)
    status, out, err = bench("--delegate", "cpu", "--quiet", "--delegate-library", library)
    assert (status, out) == (1, "")
    assert err == [f"dss: error: {library}: takes none of the 2 ops of tiny"]


def test_a_library_that_is_missing_or_none_is_one_line(bench, tmp_path):
    other = tmp_path / "other.so"
    status, out, err = bench("--delegate-library", other)
    assert (status, out, err) == (1, "", [f"dss: error: {other}: the delegate library does not exist"])
    other.write_bytes(b"no library")
    status, out, err = bench("--delegate", "cpu", "--threads", "1", "--quiet", "--delegate-library", other)
    assert (status, out, len(err)) == (1, "", 1)
    assert err[0].startswith(f"dss: error: {other}: the delegate library cannot be loaded: ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--threads", "1,x"), "--threads 1,x: whole numbers from 1 on, separated by commas, are needed"),
        (("--threads", "0"), "--threads 0: whole numbers from 1 on, separated by commas, are needed"),
        (("--json", "--csv", "-"), "--json and '--csv -' would both write to standard output"),
    ],
)
def test_wrong_options_are_told_before_anything_runs(dss, options, message):
    assert dss("bench", *options) == (2, "", [f"dss: error: {message}"])


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_end_in_mid_run_leaves_no_process_and_no_file(bench, number):
    """Ctrl-C reaches every process of the group; the other two signals reach only the first process."""
    asked = bench.arguments("--delegate", "cpu", "--threads", "1", "--repeat", "1000")
    process = subprocess.Popen(**asked, stderr=subprocess.PIPE, start_new_session=True)
    while not (line := process.stderr.readline()).startswith("measuring: "):
        assert line
    time.sleep(0.3)
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    err = process.stderr.read().splitlines()
    status = process.wait(30)
    if number != signal.SIGKILL:
        word = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}[number]
        assert status == 128 + number
        assert err == [f"dss: error: {word}; nothing half-written is left"]
        assert files(bench.temporary) == []
    deadline = time.monotonic() + 20
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)  # raises an error if the group is gone
            time.sleep(0.05)
