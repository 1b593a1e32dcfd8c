"""LiteRT's GPU accelerator on a software Vulkan driver: whole graphs, the same results, fallbacks.

The driver is SwiftShader, which Debian's `chromium` package carries. Each test runs its own
process: Vulkan reads its environment once, and LiteRT keeps the adapter that it found.
"""

from __future__ import annotations

import ctypes.util
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from dss_cli.runtime import registry
from tests.helpers import tiny, toy_context
from tests.helpers.vulkan import DRIVER

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not DRIVER.exists() or ctypes.util.find_library("vulkan") is None,
        reason=f"no software Vulkan driver: {DRIVER} (Debian: chromium, libvulkan1)",
    ),
]

COMPARE = """
import json, sys
from pathlib import Path
import numpy as np
from dss_cli.runtime.litert import LiteRTNetwork
from dss_cli.constants import SignalConfig
from dss_cli.runtime.registry import Model
from dss_cli.runtime.timing import Timing

path, signal, state, timings, delegate = sys.argv[1:]
signal, timings = SignalConfig.from_dict(json.loads(signal)), tuple(Timing(**t) for t in json.loads(timings))
model = Model("model", Path(path), {}, signal, state=json.loads(state), timings=timings)
said = []
network = LiteRTNetwork(model, delegate, warn=said.append)
cpu = LiteRTNetwork(model, "cpu")
shape = (1, model.signal.frames, model.signal.bins, 3)
mixture = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
near, far = cpu.separate(mixture)

def sequence(n):  # whole chunks and shorter ones, twice, each within what was heard before
    state = n.begin()
    chunks = [mixture[:, :frames].copy() for frames in 2 * model.lengths]
    return np.concatenate([np.ravel(n.separate(chunk, state)) for chunk in chunks]).astype(np.float64)

found, expected = sequence(network), sequence(cpu)
print(json.dumps({
    "used": network.used, "reason": network.fallback_reason, "adapter": network.adapter,
    "said": said, "error": np.linalg.norm(found - expected) / np.linalg.norm(expected),
    "trivial": bool(np.allclose(near, far)),
}))
"""


def compare(model: registry.Model, delegate: str, driver: Path = DRIVER):
    """Run a model on a delegate; return the outcome and the difference from the CPU; require empty stderr."""
    variables = dict.fromkeys(("VK_DRIVER_FILES", "VK_ICD_FILENAMES"), str(driver))
    done = subprocess.run(
        [
            *(sys.executable, "-c", COMPARE, model.path),
            *(json.dumps(model.signal.to_dict()), json.dumps(model.state)),
            *(json.dumps([asdict(timing) for timing in model.timings]), delegate),
        ],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def assert_whole_on_gpu(result):
    assert (result["used"], result["reason"], result["said"]) == ("gpu", None, [])
    assert result["adapter"].startswith("SwiftShader")
    assert result["error"] < 1e-3


def test_the_hand_made_model_runs_wholly_on_the_gpu(tmp_path):
    result = compare(tiny.model(tmp_path), "gpu")
    assert_whole_on_gpu(result)


@pytest.mark.slow
def test_the_toy_model_runs_wholly_on_the_gpu(toy_model):
    result = compare(toy_model, "gpu")
    assert_whole_on_gpu(result)
    assert not result["trivial"]


@pytest.mark.slow
def test_chunks_of_all_lengths_go_on_with_the_same_states_on_the_gpu(tmp_path):
    """Each length has buffers of its own, which the states are copied to where it changes (#9)."""
    pytest.importorskip("tensorflow", reason="the network is converted by TensorFlow")
    model = toy_context.write(tmp_path, toy_context.network())
    assert len(model.lengths) > 1
    assert_whole_on_gpu(compare(model, "gpu"))


@pytest.mark.slow
@pytest.mark.parametrize("model", registry.list_models(), ids=lambda model: model.name)
def test_every_bundled_model_runs_wholly_on_the_gpu(model):
    result = compare(model, "gpu")
    assert_whole_on_gpu(result)
    assert not result["trivial"]


def test_auto_prefers_the_cpu_to_a_gpu_in_software(tmp_path):
    result = compare(tiny.model(tmp_path), "auto")
    assert result["used"] == "cpu"
    assert result["adapter"].endswith("(Vulkan, CPU / Software)")
    (said,) = result["said"]
    assert said.startswith("running on the CPU: the only GPU adapter, SwiftShader Device")
    assert said.endswith("renders in software and is slower (`--delegate gpu` uses it all the same)")


@pytest.mark.parametrize("delegate", ["auto", "gpu"])
def test_without_the_driver_the_cpu_runs_and_it_is_said_where_a_gpu_was_asked_for(tmp_path, delegate):
    result = compare(tiny.model(tmp_path), delegate, Path("/nonexistent.json"))
    assert (result["used"], result["adapter"]) == ("cpu", None)
    assert result["said"] == ["running on the CPU: no GPU adapter was found"] * (delegate == "gpu")


def test_a_graph_that_the_gpu_takes_in_part_runs_on_the_cpu(tmp_path):
    pytest.importorskip("tensorflow")
    from keras import Input, Model, layers

    from dss_cli.export.convert import convert

    mixture = Input((6, 256, 3), batch_size=1, name="mixture")
    near = layers.Reshape((6, 256, 2, 1))(layers.Conv2D(2, 1)(mixture))
    near = layers.Reshape((6, 256, 2))(layers.Permute((2, 1, 3, 4))(near))
    network = Model(mixture, {"near": near, "far": layers.Conv2D(2, 1)(mixture)})
    result = compare(tiny.model(tmp_path, convert(network, "float32")), "gpu")
    assert result["used"] == "cpu"
    assert result["reason"] == "the GPU does not take RESHAPE, TRANSPOSE"
    assert result["said"] == [f"running on the CPU: {result['reason']}"]
