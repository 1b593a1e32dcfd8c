"""LiteRT on the CPU, the fallback without a GPU, and a silent terminal."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from dss_cli.constants import SignalConfig
from dss_cli.errors import DssError, UsageError
from dss_cli.runtime.litert import LiteRTNetwork, plain_reason
from tests.helpers import tiny

SHAPE = (1, tiny.SIGNAL.frames, tiny.SIGNAL.bins, 3)


def chunk(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)


def assert_separated(mixture, stems):
    near, far = stems
    assert near.dtype == far.dtype == np.float32
    np.testing.assert_array_equal(near, np.float32(tiny.NEAR_GAIN) * mixture[..., 1:])
    np.testing.assert_array_equal(far, np.float32(tiny.FAR_GAIN) * mixture[..., 1:])


@pytest.mark.parametrize("threads", [1, 2])
def test_chunks_come_out_separated_and_stay_so(tmp_path, threads):
    network = LiteRTNetwork(tiny.model(tmp_path), "cpu", threads=threads)
    assert (network.asked, network.used, network.threads) == ("cpu", "cpu", threads)
    assert network.fallback_reason is None and network.adapter is None
    assert network.signal == tiny.SIGNAL
    first = network.separate(chunk(0))
    assert_separated(chunk(1), network.separate(chunk(1)))
    assert_separated(chunk(0), first)  # the buffers are reused, the returned arrays are not


def test_a_strided_chunk_is_taken_as_it_reads(tmp_path):
    network = LiteRTNetwork(tiny.model(tmp_path), "cpu")
    mixture = np.asfortranarray(chunk(2))
    assert_separated(mixture, network.separate(mixture))


def test_a_shared_network_serves_each_thread_its_own(tmp_path):
    network = LiteRTNetwork(tiny.model(tmp_path), "cpu")
    with ThreadPoolExecutor(4) as pool:
        for seed, stems in enumerate(pool.map(lambda i: network.separate(chunk(i)), range(64))):
            assert_separated(chunk(seed), stems)


@pytest.mark.parametrize(
    "mixture",
    [chunk(0)[0], chunk(0)[:, 1:], chunk(0).astype(np.float64), np.zeros((0,), np.float32)],
)
def test_a_chunk_of_another_shape_or_type_is_refused(tmp_path, mixture):
    network = LiteRTNetwork(tiny.model(tmp_path), "cpu")
    with pytest.raises(UsageError, match="a chunk is float32 of shape"):
        network.separate(mixture)


def test_options_out_of_range_are_refused(tmp_path):
    model = tiny.model(tmp_path)
    with pytest.raises(UsageError, match="unknown delegate 'npu': choose auto, gpu or cpu"):
        LiteRTNetwork(model, "npu")
    with pytest.raises(UsageError, match="threads=0"):
        LiteRTNetwork(model, "cpu", threads=0)


@pytest.mark.parametrize("delegate", ["auto", "gpu"])
def test_without_a_gpu_the_cpu_runs_with_a_warning_only_where_a_gpu_was_asked_for(
    tmp_path, no_gpu, caplog, delegate
):
    said: list[str] = []
    caplog.set_level("INFO", logger="dss_cli")
    network = LiteRTNetwork(tiny.model(tmp_path), delegate, warn=said.append)
    assert (network.asked, network.used) == (delegate, "cpu")
    assert network.fallback_reason == "no GPU adapter was found"
    assert_separated(chunk(3), network.separate(chunk(3)))
    line = "running on the CPU: no GPU adapter was found"
    assert said == ([line] if delegate == "gpu" else [])
    assert (line in caplog.messages) == (delegate == "auto")


@pytest.mark.parametrize("delegate", ["auto", "gpu"])
def test_strict_makes_a_fallback_an_error(tmp_path, no_gpu, delegate):
    said: list[str] = []
    with pytest.raises(DssError, match=r"cannot run tiny: no GPU adapter was found; .*CPU"):
        LiteRTNetwork(tiny.model(tmp_path), delegate, strict=True, warn=said.append)
    assert said == []


def test_strict_is_content_with_the_cpu_that_was_asked_for(tmp_path, no_gpu):
    assert LiteRTNetwork(tiny.model(tmp_path), "cpu", strict=True).used == "cpu"


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from dss_cli.runtime.litert import LiteRTNetwork
from tests.helpers import tiny
network = LiteRTNetwork(tiny.model(Path(sys.argv[1])), "auto", verbose=sys.argv[2] == "verbose")
network.separate(np.zeros((1, network.signal.frames, network.signal.bins, 3), np.float32))
print("last words", file=sys.stderr)
"""


def run_script(folder, mode):
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), mode],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def test_litert_prints_nothing_from_start_to_exit(tmp_path, no_gpu):
    done = run_script(tmp_path, "quiet")
    assert (done.stdout, done.stderr) == ("", "last words\n")


def test_verbose_lets_its_lines_through_to_stderr(tmp_path, no_gpu):
    done = run_script(tmp_path, "verbose")
    assert done.stdout == ""
    assert "No adapters found" in done.stderr and "XNNPACK" in done.stderr


def test_the_standard_descriptors_work_after_a_failure(tmp_path, capfd):
    with pytest.raises(DssError):
        LiteRTNetwork(tiny.model(tmp_path, b"not a model"), "auto")
    print("out", flush=True)
    print("err", file=sys.stderr, flush=True)
    assert capfd.readouterr() == ("out\n", "err\n")


@pytest.mark.parametrize("content", [b"", b"RIFF....WAVE", tiny.pack(tiny.graph())[:600]])
@pytest.mark.parametrize("delegate", ["auto", "cpu"])
def test_what_is_no_model_is_refused_by_name(tmp_path, no_gpu, content, delegate):
    said: list[str] = []
    with pytest.raises(DssError, match=r"tiny\.tflite: not a model that LiteRT can load: \w"):
        LiteRTNetwork(tiny.model(tmp_path, content), delegate, warn=said.append)
    assert said == []  # the CPU cannot run the model either


def rename_signature(model):
    model.signatureDefs[0].signatureKey = b"serving_default"


def rename_input(model):
    model.signatureDefs[0].inputs[0].name = b"args_0"


def rename_output(model):
    model.signatureDefs[0].outputs[0].name = b"close"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (rename_signature, r"no signature `separate\(mixture\).*it has: serving_default"),
        (rename_input, "inputs are args_0, not mixture"),
        (rename_output, "outputs are close, far, not far, near"),
    ],
)
def test_a_signature_of_another_name_is_refused(tmp_path, change, reason):
    model = tiny.graph()
    change(model)
    with pytest.raises(DssError, match=rf"tiny\.tflite: {reason}"):
        LiteRTNetwork(tiny.model(tmp_path, tiny.pack(model)), "cpu")


@pytest.mark.parametrize(
    "signal", [SignalConfig(hop=256, frames=7), SignalConfig(window=1024, bins=512, frames=6)]
)
def test_a_card_with_other_constants_is_refused(tmp_path, signal):
    with pytest.raises(DssError, match=r"tiny\.tflite: input mixture is float32 \(1, 6, 256, 3\)"):
        LiteRTNetwork(tiny.model(tmp_path, signal=signal), "cpu")


def test_a_type_other_than_float32_is_refused(tmp_path):
    model = tiny.graph()
    for tensor in model.subgraphs[0].tensors:
        if tensor.name == b"mixture":
            tensor.type = schema.TensorType.INT32
    with pytest.raises(DssError, match=r"tiny\.tflite: .*Failed to allocate tensors"):
        LiteRTNetwork(tiny.model(tmp_path, tiny.pack(model)), "cpu")


@pytest.mark.parametrize(
    ("lines", "failure", "reason"),
    [
        (
            ["INFO: [x.cc:1] hello", "ERROR: [y.cc:2] Failed to initialize: No adapters found"],
            "ERROR: [z.h:3]",
            "no GPU adapter was found",
        ),
        (
            [
                "ERROR: Following operations are not supported by GPU delegate:",
                "RESHAPE: Tensor dimensions must be less than 5. one",
                "RESHAPE: Tensor dimensions must be less than 5. two",
                "CUMSUM: no",
                "2 operations will run on the GPU, and the remaining 3 operations on the CPU.",
            ],
            "Some ops are not accelerated.",
            "the GPU does not take CUMSUM, RESHAPE",
        ),
        (
            ["E0000 00:00:1.2  77 delegate.cc:736] device lost", "INFO: [x.cc:1] goodbye"],
            "ERROR: [z.h:3]",
            "device lost",
        ),
        (["INFO: [x.cc:1] hello"], "ERROR: [z.h:3]\n└ ERROR: [y.cc:2]\n└ no memory", "no memory"),
        ([], "ERROR: [z.h:3]", "no reason was given"),
    ],
)
def test_the_reason_is_one_plain_line(lines, failure, reason):
    assert plain_reason(lines, failure) == reason


def test_a_model_that_fails_while_it_runs_is_named_by_its_file(tmp_path, monkeypatch):
    network = LiteRTNetwork(tiny.model(tmp_path), "cpu")

    def fail(mixture, state, update):
        raise RuntimeError("CompiledModel error: code=3, message=Failed to invoke the compiled model")

    monkeypatch.setattr(network._session, "separate", fail)
    with pytest.raises(DssError, match=r"tiny\.tflite: LiteRT failed on the CPU: CompiledModel error"):
        network.separate(chunk(0))


WILD = """
import sys
from pathlib import Path
from dss_cli.errors import DssError
from dss_cli.separation.separator import load_model
try:
    load_model(Path(sys.argv[1]), "cpu", 1)
except DssError as error:
    print(error)
"""


@pytest.mark.parametrize("place", [0, 4 + 40, 200])
def test_a_file_with_wild_offsets_is_refused_though_its_card_vouches_for_it(tmp_path, place):
    """LiteRT would follow the offsets out of the file, so the test uses a separate process."""
    data = bytearray(tiny.pack(tiny.graph()))
    data[place : place + 4] = b"\xf0\xff\xff\x7f"
    path = tiny.write(tmp_path, data=bytes(data))
    done = subprocess.run([sys.executable, "-c", WILD, path], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{path}: not a model that LiteRT can load")
