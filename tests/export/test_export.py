"""Export of a Keras network to a checked model file: conversion, GPU rules, inference-diff, card, command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from dss_cli.errors import DssError, UsageError
from dss_cli.export import diff
from dss_cli.export.analyzer import analyzer_violations, violations
from dss_cli.export.card import make_card, write_model
from dss_cli.export.convert import convert
from dss_cli.runtime import registry
from dss_cli.runtime.litert import LiteRTNetwork
from dss_cli.runtime.registry import Model
from dss_cli.tflite.gpu_rules import graph_violations
from dss_cli.tflite.graph import multiply_accumulates, read_graph
from tests.helpers import tiny

CONTENT = tiny.pack(tiny.graph())


@pytest.fixture(scope="module")
def tf():
    return pytest.importorskip("tensorflow", reason="export needs the extra `train`")


@pytest.fixture(scope="module")
def keras(tf):
    return pytest.importorskip("keras")


def small_network(keras, names=("near", "far"), seed=0):
    """Return two convolutions and a PReLU on chunks of six frames, with random weights."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    mixture = keras.Input((6, 256, 3), batch_size=1, name="mixture")
    hidden = layers.Conv2D(4, 3, padding="same", name="body")(mixture)
    hidden = layers.PReLU(shared_axes=[1, 2], name="bend")(hidden)
    outputs = {name: layers.Conv2D(2, 1, name=f"{name}_out")(hidden) for name in names}
    return randomised(keras.Model(mixture, outputs, name="small"), seed)


def randomised(network, seed=0):
    """Give a network random weights: a new one passes half the mixture, which hides faults of a delegate."""
    generator = np.random.default_rng(seed)
    network.set_weights([w + 0.2 * generator.standard_normal(w.shape) for w in network.get_weights()])
    return network


def saved(folder: Path, data: bytes, signal=tiny.SIGNAL) -> Model:
    path = folder / f"{len(list(folder.iterdir()))}.tflite"
    path.write_bytes(data)
    return Model("small", path, {}, signal)


@pytest.mark.parametrize("weights", ["float16", "float32"])
def test_the_file_computes_what_keras_does_under_its_signature(keras, tmp_path, weights):
    network = small_network(keras)
    model = saved(tmp_path, convert(network, weights))
    mixture = np.random.default_rng(1).standard_normal((1, 6, 256, 3)).astype(np.float32)
    found = LiteRTNetwork(model, "cpu").separate(mixture)  # checks signature, names and shapes
    expected = diff.KerasNetwork(network, tiny.SIGNAL).separate(mixture)
    assert diff.relative_error(expected, found) < (1e-6 if weights == "float32" else 1e-3)
    assert diff.relative_error(expected[::-1], found) > 0.1  # near and far are not swapped


def test_float16_weights_are_dequantised_to_float32(keras):
    model = schema.ModelT.InitFromPackedBuf(convert(small_network(keras)), 0)
    main = model.subgraphs[0]
    sources = {
        main.tensors[operator.inputs[0]].type
        for operator in main.operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.DEQUANTIZE
    }
    assert sources == {schema.TensorType.FLOAT16}
    ends = [main.tensors[i] for i in [*main.inputs, *main.outputs]]
    assert [tensor.name for tensor in ends] == [b"mixture", b"near", b"far"]
    assert {tensor.type for tensor in ends} == {schema.TensorType.FLOAT32}


def test_the_same_weights_give_the_same_bytes(keras):
    network = small_network(keras)
    first = convert(network)
    assert convert(network) == first
    assert convert(small_network(keras)) == first  # built again
    assert convert(small_network(keras, seed=1)) != first


def test_the_weights_stand_on_16_byte_boundaries(keras):
    data = np.frombuffer(convert(small_network(keras)), np.uint8)
    model = schema.Model.GetRootAs(data, 0)
    contents = (model.Buffers(i).DataAsNumpy() for i in range(model.BuffersLength()))
    starts = [
        content.__array_interface__["data"][0] - data.__array_interface__["data"][0]
        for content in contents
        if isinstance(content, np.ndarray)
    ]
    assert len(starts) >= 5 and {start % 16 for start in starts} == {0}


def test_what_cannot_be_exported_says_why(keras):
    with pytest.raises(DssError, match=r"\(mixture\) -> far, close|\(mixture\) -> close, far"):
        convert(small_network(keras, names=("close", "far")))
    with pytest.raises(UsageError, match="weights 'int4': choose one of float16, float32, int8"):
        convert(small_network(keras), "int4")


def converted(tf, function, *shapes):
    signature = [tf.TensorSpec(shape) for shape in shapes]
    concrete = tf.function(function, input_signature=signature).get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()


def test_slices_that_drop_a_dimension_break_the_rules(tf):
    data = converted(tf, lambda x: x[:, :, 0, :], (1, 6, 8, 3))
    (found,) = graph_violations(read_graph(data))
    assert str(found).startswith("STRIDED_SLICE (") and "number of dimensions" in found.reason
    assert graph_violations(read_graph(converted(tf, lambda x: x[:, :, :1, :], (1, 6, 8, 3)))) == []


def test_the_word_of_tensorflows_analyzer_counts(tf, monkeypatch):
    assert analyzer_violations(CONTENT) == []
    analyzer = tf.lite.experimental.Analyzer
    line = "GPU COMPATIBILITY WARNING: Not supported op FOO"
    monkeypatch.setattr(analyzer, "analyze", lambda **kwargs: print(f"Op#0 FOO\n{line}\n"))
    assert violations(CONTENT) == [f"TensorFlow's analyzer: {line}"]
    monkeypatch.setattr(analyzer, "analyze", lambda **kwargs: None)
    assert violations(CONTENT) == ["TensorFlow's analyzer does not call the graph compatible with the GPU"]


def test_multiply_accumulates_are_counted(tf):
    assert multiply_accumulates(read_graph(CONTENT)) == 2 * (6 * 256) * 2 * 3
    ones = tf.ones
    image = (1, 6, 8, 3)
    cases = {
        6 * 4 * 5 * (3 * 3 * 3): lambda x: tf.nn.conv2d(x, ones((3, 3, 3, 5)), (1, 2), "SAME"),
        6 * 8 * 6 * (3 * 5): lambda x: tf.nn.depthwise_conv2d(x, ones((3, 5, 3, 2)), (1, 1, 1, 1), "SAME"),
        6 * 8 * 3 * (1 * 4 * 5): lambda x: tf.nn.conv2d_transpose(
            x, ones((1, 4, 5, 3)), (1, 6, 16, 5), (1, 2), "SAME"
        ),
        6 * 3 * 3 * 8: lambda x: tf.matmul(x, x, transpose_a=True),
        6 * 8 * 8 * 3: lambda x: tf.matmul(x, x, transpose_b=True),
        0: lambda x: tf.nn.softmax(x) + x,
    }
    for count, function in cases.items():
        assert multiply_accumulates(read_graph(converted(tf, function, image))) == count


def test_relative_error_is_of_both_outputs_together():
    near, far = np.full((1, 2), 3.0, np.float32), np.full((1, 2), 4.0, np.float32)
    assert diff.relative_error((near, far), (near, far)) == 0
    assert diff.relative_error((near, far), (near, 0 * far)) == pytest.approx(0.8)
    assert diff.relative_error((near, far), (near, np.nan * far)) == float("inf")


def test_the_diff_passes_the_networks_own_file(keras, tmp_path):
    network = small_network(keras)
    bundled = saved(tmp_path, convert(network))
    exact = saved(tmp_path, convert(network, "float32"))
    checks = list(diff.inference_diff(network, bundled, exact))
    assert [check for check in checks if not check.passed] == []
    names = [check.name for check in checks]
    assert "CPU, 1 thread: float32 weights against Keras" in names
    assert "CPU, 1 thread: SI-SDR against Keras, dB" in names
    assert any(name.startswith("GPU") for name in names)
    measured = [c for c in checks if c.name == "CPU, 1 thread: SI-SDR against Keras, dB"]
    assert measured[0].value is not None and 0 < measured[0].value <= measured[0].limit == 0.05


def test_the_diff_fails_a_file_of_other_weights(keras, tmp_path):
    other = saved(tmp_path, convert(small_network(keras, seed=1), "float32"))
    checks = list(diff.inference_diff(small_network(keras), other, other))
    cpu = [check for check in checks if check.name.startswith("CPU, 1 thread")]
    assert len(cpu) == 2 and not any(check.passed for check in cpu)


def made_card(data=CONTENT, **sections):
    checks = [diff.Check("GPU rules", True, 0, 0)]
    return make_card(data, "tiny", "toy", tiny.SIGNAL, 12, 34, checks, sections)


def test_the_card_says_what_architecture_promises():
    card = made_card(scores={"near": 3.0})
    assert {name: card[name] for name in tiny.card(CONTENT)} == tiny.card(CONTENT)
    assert card["limits"] == {
        "near": [0.2, 0.8],
        "far": [1.2, 6.0],
        "far_outdoor": [1.2, 15.0],
    }
    assert (card["configuration"], card["parameters"], card["macs_per_second"]) == ("toy", 12, 34)
    assert (card["training"], card["scores"]) == ({}, {"near": 3.0})
    assert (card["overlap"], card["latency_seconds"]) == (0.25, (6 * 256 + 512 - 256) / 16_000)
    with pytest.raises(UsageError, match="unknown in a card: score; known are training, scores"):
        made_card(score={})


@pytest.fixture
def trained(tmp_path_factory):
    """File in place of trained weights."""
    path = tmp_path_factory.mktemp("trained") / "best.weights.h5"
    path.write_bytes(b"weights")
    return path


def test_model_card_and_weights_are_written_together_and_found(tmp_path, trained):
    path = write_model(tmp_path, CONTENT, made_card(), trained)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tiny.json", "tiny.tflite", "tiny.weights.h5"]
    assert registry.find_model(path).card == made_card()
    assert (tmp_path / "tiny.weights.h5").read_bytes() == b"weights"


def test_weights_that_stand_there_already_are_left_alone(tmp_path, trained):
    weights = trained.rename(tmp_path / "tiny.weights.h5")
    assert registry.find_model(write_model(tmp_path, CONTENT, made_card(), weights)).card == made_card()
    assert weights.read_bytes() == b"weights"


@pytest.mark.parametrize("name", ["tiny.tflite", "tiny.json", "tiny.weights.h5"])
def test_nothing_is_replaced_unasked(tmp_path, trained, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(DssError, match=f"{name}: appeared while working"):
        write_model(tmp_path, CONTENT, made_card(), trained)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"
    write_model(tmp_path, CONTENT, made_card(), trained, overwrite=True)
    assert registry.find_model(tmp_path / "tiny.tflite").path.read_bytes() == CONTENT
    assert (tmp_path / "tiny.weights.h5").read_bytes() == b"weights"


def test_a_card_with_infinity_leaves_nothing_behind(tmp_path, trained):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_model(tmp_path, CONTENT, made_card(scores={"near": float("inf")}), trained)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_named(tmp_path, trained):
    (tmp_path / "file").write_text("")
    with pytest.raises(DssError, match="file: cannot be written"):
        write_model(tmp_path / "file", CONTENT, made_card(), trained)


@pytest.fixture(scope="module")
def toy_weights(keras, tmp_path_factory):
    network = pytest.importorskip("dss_cli.network")
    path = tmp_path_factory.mktemp("weights") / "toy.weights.h5"
    randomised(network.build("toy", batch=1)).save_weights(path)
    return path


@pytest.mark.slow
def test_the_command_writes_and_reports(toy_weights, tmp_path, capsys):
    from dss_cli.cli.export import export
    from dss_cli.network import CONFIGURATIONS, build

    log = tmp_path / "log.json"
    sections = {"training": {"hours": 1.5}, "scores": {"near": 3.5}}
    log.write_text(json.dumps(sections))
    export(toy_weights, configuration="toy", output=tmp_path / "new" / "out", training_log=log)
    model = registry.find_model(tmp_path / "new" / "out" / "toy.tflite")
    assert {name: model.card[name] for name in sections} == sections
    copy = model.path.with_name("toy.weights.h5")
    assert copy.read_bytes() == toy_weights.read_bytes()
    assert all(check["passed"] for check in model.card["checks"])
    assert LiteRTNetwork(model, "cpu").signal == model.signal == CONFIGURATIONS["toy"].signal
    assert model.card["parameters"] == build("toy", batch=1).count_params()
    assert model.card["macs_per_second"] > 1e6
    printed = capsys.readouterr()
    assert printed.err == ""
    rows = printed.out.splitlines()
    assert rows[0].split() == ["CHECK", "VALUE", "LIMIT", "RESULT", "NOTE"]
    assert len(rows) == 2 + len(model.card["checks"])
    assert rows[-1].startswith(f"{model.path}: {model.card['bytes']:,} bytes")
    with pytest.raises(UsageError, match=r"toy\.tflite: exists already; --overwrite replaces it"):
        export(toy_weights, configuration="toy", output=model.path.parent)


def test_the_command_writes_nothing_when_a_check_fails(toy_weights, tmp_path, capsys, monkeypatch, no_gpu):
    from dss_cli.cli.export import Weights, export

    monkeypatch.setattr(diff, "MAX_DECIBELS", -1.0)
    with pytest.raises(DssError, match="toy: not written, failed: CPU, 1 thread: SI-SDR") as caught:
        export(toy_weights, "toy", output=tmp_path / "out", stored=Weights.float32)
    assert caught.value.exit_code == 1
    assert "FAILED" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_the_command_refuses_what_it_cannot_use(toy_weights, tmp_path):
    from dss_cli.cli.export import export

    with pytest.raises(UsageError, match="letters, digits"):
        export(toy_weights, name="a/b", output=tmp_path)
    with pytest.raises(UsageError, match="nowhere: no such file"):
        export(tmp_path / "nowhere", output=tmp_path)
    log = tmp_path / "log.json"
    log.write_text("{")
    with pytest.raises(UsageError, match=r"log\.json: not JSON"):
        export(toy_weights, output=tmp_path, training_log=log)
    text = tmp_path / "text.weights.h5"
    text.write_text("no weights")
    with pytest.raises(DssError, match=r"text\.weights\.h5: not weights of configuration toy"):
        export(text, configuration="toy", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
