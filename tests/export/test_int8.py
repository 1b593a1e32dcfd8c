"""int8 weights: the file, the limits of its checks, and the command."""

from __future__ import annotations

import numpy as np
import pytest

from dss_cli.runtime import litert
from dss_cli.runtime.litert import LiteRTNetwork
from dss_cli.runtime.registry import Model
from dss_cli.tflite.graph import multiply_accumulates, parameters, read_graph, stored
from dss_cli.tflite.inspection import inspect_model
from tests.helpers import tiny


@pytest.fixture(scope="module")
def keras():
    pytest.importorskip("tensorflow", reason="export needs the extra `train`")
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def network(keras):
    """Network of convolutions large enough for int8 (1024 numbers), on chunks of six frames."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    mixture = keras.Input((6, 256, 3), batch_size=1, name="mixture")
    hidden = layers.Conv2D(64, 3, padding="same", activation="tanh")(mixture)
    hidden = layers.Conv2D(64, 1, activation="tanh")(hidden)
    outputs = {
        name: layers.Add(name=name)(
            [layers.Conv2D(2, (1, 9), padding="same")(hidden), layers.Conv2D(2, 1)(mixture)]
        )
        for name in ("near", "far")
    }
    return keras.Model(mixture, outputs, name="small")


def saved(network, folder, weights):
    from dss_cli.export.convert import convert

    path = folder / f"{weights}.tflite"
    path.write_bytes(convert(network, weights))
    return Model("small", path, {}, tiny.SIGNAL)


@pytest.fixture(scope="module")
def files(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return {weights: saved(network, folder, weights) for weights in ("float32", "int8")}


def test_the_weights_are_int8_and_the_graph_is_the_same(files):
    from dss_cli.export.analyzer import violations

    whole, small = (read_graph(files[weights].path.read_bytes()) for weights in ("float32", "int8"))
    kernels = {t.shape for t in stored(small) if t.dtype == "int8"}
    assert kernels == {t.shape for t in stored(whole) if np.prod(t.shape) >= 1024}
    assert len(kernels) >= 3
    assert [operator.kind for operator in small.operators] == [operator.kind for operator in whole.operators]
    assert parameters(small) == parameters(whole)
    assert multiply_accumulates(small) == multiply_accumulates(whole)
    ends = [*small.inputs, *small.outputs]
    assert [(end.name, end.dtype) for end in ends] == [(n, "float32") for n in ("mixture", "near", "far")]
    assert violations(files["int8"].path.read_bytes()) == []
    storage = inspect_model(files["int8"].path).storage
    assert max(storage, key=lambda dtype: storage[dtype]["numbers"]) == "int8"


def test_the_file_computes_nearly_what_keras_does(network, files):
    from dss_cli.export.diff import relative_error
    from dss_cli.export.keras_network import KerasNetwork

    mixture = np.random.default_rng(1).standard_normal((1, 6, 256, 3)).astype(np.float32)
    found = LiteRTNetwork(files["int8"], "cpu").separate(mixture)
    expected = KerasNetwork(network, tiny.SIGNAL).separate(mixture)
    assert 1e-3 < relative_error(expected, found) < 0.03  # 8 bits of weights and activations


@pytest.fixture
def gpu(monkeypatch):
    """Use the CPU in place of a GPU."""
    monkeypatch.setattr(
        litert, "_open_on_gpu", lambda model, *rest: (litert._open_on_cpu(model, 1, False), None)
    )


@pytest.mark.parametrize(("weights", "limit"), [("int8", 0.1), ("float32", 0.05)])
def test_int8_may_be_a_tenth_of_a_decibel_off_and_the_gpu_is_not_held_to_its_cpu(
    network, files, gpu, weights, limit
):
    from dss_cli.export.diff import inference_diff

    checks = {c.name: c for c in inference_diff(network, files[weights], files["float32"], weights)}
    assert [check for check in checks.values() if not check.passed] == []
    decibels = [check for name, check in checks.items() if name.endswith("SI-SDR against Keras, dB")]
    assert [check.limit for check in decibels] == [limit] * 3
    exact = [check.limit for name, check in checks.items() if "float32 weights against Keras" in name]
    assert exact == [1e-3] * 3
    assert any(n.startswith("CPU, ") and n.endswith("threads: against one CPU thread") for n in checks)
    assert ("GPU: against one CPU thread" in checks) == (weights == "float32")


def test_an_export_keeps_int8_to_its_own_limit(network, files, no_gpu):
    from dss_cli.cli.export import Weights
    from dss_cli.export.convert import WEIGHTS
    from dss_cli.export.pipeline import export_network

    data, card, checks = export_network(network, tiny.SIGNAL, "small", "small", Weights.int8.value)
    assert data == files["int8"].path.read_bytes()
    assert all(check.passed for check in checks)
    limits = {check["name"]: check["limit"] for check in card["checks"]}
    assert limits["CPU, 1 thread: SI-SDR against Keras, dB"] == 0.1
    assert {choice.value for choice in Weights} == set(WEIGHTS)
