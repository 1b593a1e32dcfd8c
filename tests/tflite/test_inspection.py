"""Model files read without TensorFlow or a GPU: the GPU rules, cost, damage, and `dss inspect`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.errors import DssError
from dss_cli.runtime.registry import list_models
from dss_cli.tflite.gpu_rules import graph_violations
from dss_cli.tflite.graph import multiply_accumulates, operator_macs, parameters, read_graph
from dss_cli.tflite.inspection import inspect_model
from tests.helpers import tiny

CONTENT = tiny.pack(tiny.graph())


def kind(model, name):
    code = model.operatorCodes[0]
    code.builtinCode = getattr(schema.BuiltinOperator, name)


def reshape(model):
    kind(model, "RESHAPE")


def unknown_to_gpus(model):
    kind(model, "CUMSUM")


def custom(model):
    kind(model, "CUSTOM")
    model.operatorCodes[0].customCode = b"Magic"


def without_outputs(model):
    kind(model, "ASSIGN_VARIABLE")
    model.subgraphs[0].operators[1].outputs = []


def rank_five(model):
    model.subgraphs[0].tensors[5].shape = [1, 6, 256, 2, 1]


def rank_five_constant(model):
    model.subgraphs[0].tensors[2].shape = [2, 1, 1, 3, 1]


def batch_of_two(model):
    model.subgraphs[0].tensors[4].shape = [2, 3, 256, 2]


def open_length(model):
    model.subgraphs[0].tensors[4].shapeSignature = [1, -1, 256, 2]


def second_subgraph(model):
    model.subgraphs.append(tiny.graph().subgraphs[0])


BROKEN = [
    (
        reshape,
        "batch",
        [
            f"RESHAPE ({name}): may move data between the batch and other dimensions"
            for name in ("near", "far")
        ],
    ),
    (
        unknown_to_gpus,
        "operators",
        [f"CUMSUM ({name}): not an operator of the GPU" for name in ("near", "far")],
    ),
    (custom, "operators", [f"Magic ({name}): a custom operator" for name in ("near", "far")]),
    (
        without_outputs,
        "operators",
        [
            "ASSIGN_VARIABLE (near): not an operator of the GPU",
            "ASSIGN_VARIABLE: not an operator of the GPU",
        ],
    ),
    (rank_five, "operators", ["far: 5 dimensions (1, 6, 256, 2, 1), more than 4"]),
    (rank_five_constant, "operators", ["far_weights: 5 dimensions (2, 1, 1, 3, 1), more than 4"]),
    (batch_of_two, "batch", ["near: batch size in (2, 3, 256, 2) is not 1"]),
    (open_length, "batch", ["near: its shape (1, -1, 256, 2) is not fixed"]),
    (second_subgraph, "operators", ["2 subgraphs; the GPU takes one"]),
]


@pytest.fixture
def damaged(tmp_path):
    """`damaged(change)`: path of the tiny model after a change, without a card."""

    def write(change) -> Path:
        model = tiny.graph()
        change(model)
        path = tmp_path / f"{change.__name__}.tflite"
        path.write_bytes(tiny.pack(model))
        return path

    return write


def test_the_hand_made_graph_keeps_the_rules():
    assert graph_violations(read_graph(CONTENT)) == []


@pytest.mark.parametrize(
    ("change", "rule", "expected"), BROKEN, ids=lambda value: getattr(value, "__name__", "")
)
def test_each_broken_rule_is_named(damaged, change, rule, expected):
    found = graph_violations(read_graph(damaged(change).read_bytes()))
    assert [str(violation) for violation in found] == expected
    assert {violation.rule for violation in found} == {rule}


@pytest.mark.parametrize("model", list_models(), ids=lambda model: model.name)
def test_the_file_says_of_a_bundled_model_what_its_card_says(model):
    found = inspect_model(model.path)
    assert found.parameters == model.card["parameters"]
    assert found.macs_per_second == model.card["macs_per_second"]
    assert found.bytes == model.card["bytes"]
    assert (found.violations, found.warnings) == ([], [])
    states = list(model.state)
    assert states, "the bundled model carries context"
    signatures = [signature for graph in found.graph.all for signature in graph.signatures]
    separate = (["mixture", *states], ["near", "far", *states])
    shorter = {f"separate_{latency['frames']}" for latency in model.card["latencies"]}
    assert shorter, "the bundled model offers latencies"
    assert {s.key: (list(s.inputs), list(s.outputs)) for s in signatures} == {
        "separate": separate,
        "listen": (["mixture", *states], states),
        **dict.fromkeys(shorter, separate),
    }


def single(kind, shapes, output, options=None, contents=None):
    """Return a graph of one operator; `parameters` are the inputs (by number) with content."""
    contents = contents or {}
    model = tiny.graph()
    main = model.subgraphs[0]
    model.buffers = [schema.BufferT(), *(tiny.constant(values) for values in contents.values())]
    buffers = {number: place for place, number in enumerate(contents, start=1)}
    main.tensors = [tiny.tensor(f"in{i}", shape, buffers.get(i, 0)) for i, shape in enumerate(shapes)]
    main.tensors.append(tiny.tensor("out", output))
    main.inputs = [i for i in range(len(shapes)) if i not in contents]
    main.outputs = [len(shapes)]
    operator = tiny.convolution(list(range(len(shapes))), [len(shapes)])
    operator.builtinOptionsType, operator.builtinOptions = 0, None
    if options is not None:
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        operator.builtinOptions = options
    main.operators = [operator]
    model.signatureDefs = []
    code = model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
    return read_graph(tiny.pack(model))


def matmul(adjoint):
    options = schema.BatchMatMulOptionsT()
    options.adjX = adjoint
    return options


@pytest.mark.parametrize(
    ("kind", "shapes", "output", "options", "expected"),
    [
        ("CONV_2D", [(1, 6, 8, 3), (5, 3, 3, 3), (5,)], (1, 6, 4, 5), None, 6 * 4 * 5 * 27),
        ("DEPTHWISE_CONV_2D", [(1, 6, 8, 3), (1, 3, 5, 6), (6,)], (1, 6, 8, 6), None, 6 * 8 * 6 * 15),
        ("TRANSPOSE_CONV", [(4,), (5, 1, 4, 3), (1, 6, 8, 3)], (1, 6, 16, 5), None, 6 * 8 * 3 * 4 * 5),
        ("FULLY_CONNECTED", [(1, 7), (9, 7)], (1, 9), None, 63),
        ("BATCH_MATMUL", [(1, 6, 8, 3), (1, 6, 3, 2)], (1, 6, 8, 2), matmul(False), 6 * 8 * 2 * 3),
        ("BATCH_MATMUL", [(1, 6, 8, 3), (1, 6, 8, 2)], (1, 6, 3, 2), matmul(True), 6 * 3 * 2 * 8),
        ("MUL", [(1, 6, 8, 3), (1, 6, 8, 3)], (1, 6, 8, 3), None, 0),
    ],
)
def test_multiply_accumulates_of_one_operator(kind, shapes, output, options, expected):
    graph = single(kind, shapes, output, options)
    assert operator_macs(graph.operators[0]) == multiply_accumulates(graph) == expected


@pytest.mark.parametrize(
    ("kind", "shape", "values", "expected"),
    [
        ("CONV_2D", (2, 1, 1, 3), np.ones(6), 6),
        ("CONV_2D", (2, 1, 1, 3), np.zeros(6), 0),  # bias written by a converter
        ("PRELU", (1, 1, 1), np.ones(1), 1),
        ("MUL", (3,), np.ones(3), 3),  # scale of a norm
        ("MUL", (1,), np.ones(1), 0),
        ("MUL", (1, 1, 8, 3), np.ones(24), 0),  # table of a rotary embedding
    ],
)
def test_parameters_are_what_training_sets(kind, shape, values, expected):
    graph = single(kind, [(1, 6, 8, 3), shape], (1, 6, 8, 3), contents={1: values})
    assert parameters(graph) == expected


def test_the_tiny_model_is_counted_by_hand(tmp_path):
    found = inspect_model(tiny.write(tmp_path))
    assert found.parameters == 2 * 2 * 3  # the shared bias is zero
    assert found.macs == 2 * (6 * 256) * 2 * 3
    assert found.macs_per_second == round(found.macs / tiny.SIGNAL.chunk_seconds)
    assert found.storage == {"float32": {"numbers": 12 + 2, "bytes": 4 * 14}}
    assert found.kinds == [("CONV_2D", 2, found.macs)]


@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 255))
def test_damage_is_told_or_harmless(place, value):
    """Any damaged byte causes no exception other than ValueError."""
    data = CONTENT[:place] + bytes([value]) + CONTENT[place + 1 :]
    for content in (data, CONTENT[:place]):
        try:
            graph = read_graph(content)
            parameters(graph), multiply_accumulates(graph), graph_violations(graph)
        except ValueError as error:
            assert str(error).startswith(("not a TFLite file", "damaged: "))


def test_a_convolution_without_weights_is_damage(tmp_path, damaged):
    def weightless(model):
        model.subgraphs[0].operators[0].inputs = [0]

    with pytest.raises(DssError, match=r"weightless\.tflite: damaged: a CONV_2D without all of its tensors"):
        inspect_model(damaged(weightless))


# The command.


def test_a_clean_model_is_reported_and_ends_well(dss, tmp_path):
    path = tiny.write(tmp_path)
    status, out, err = dss("inspect", path, "--operators")
    assert (status, err) == (0, [])
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert f"file {path}, {path.stat().st_size:,} bytes" in lines
    assert "input mixture float32 (1, 6, 256, 3)" in lines
    assert "output far float32 (1, 6, 256, 2)" in lines
    assert "parameters 12" in lines
    assert "CONV_2D 2 18,432" in lines
    assert "CONV_2D float32 (1, 6, 256, 2) near" in lines
    assert lines[-1] == "GPU rules: kept"


def test_a_bundled_model_is_found_by_its_name(dss):
    status, out, err = dss("inspect", "lite")
    assert (status, err) == (0, [])
    assert "G per second of audio" in out


def test_violations_are_listed_and_end_badly(dss, damaged):
    path = damaged(reshape)
    status, out, err = dss("inspect", path)
    assert status == 1
    assert out.splitlines()[-3:] == [
        "GPU rules: broken",
        *(f"  {violation}" for violation in BROKEN[0][2]),
    ]
    assert err == [f"dss: error: {path}: 2 violations of the GPU rules: no GPU delegate runs the whole graph"]


def test_json_holds_everything_also_of_a_broken_graph(dss, damaged):
    path = damaged(rank_five)
    status, out, err = dss("inspect", path, "--json")
    assert (status, len(err)) == (1, 1)
    report = json.loads(out)
    assert report["violations"] == [
        {
            "rule": "operators",
            "tensor": "far",
            "operator": None,
            "reason": "5 dimensions (1, 6, 256, 2, 1), more than 4",
        }
    ]
    assert report["inputs"] == [{"name": "mixture", "dtype": "float32", "shape": [1, 6, 256, 3]}]
    assert [signature["key"] for signature in report["signatures"]] == ["separate"]
    assert [operator["kind"] for operator in report["operators"]] == ["CONV_2D", "CONV_2D"]
    assert (report["parameters"], report["macs_per_second"]) == (12, None)  # no card, no audio
    assert sum(operator["macs"] for operator in report["operators"]) == report["macs"]


def test_a_card_of_another_file_is_a_warning(dss, tmp_path):
    path = tiny.write(tmp_path)
    path.write_bytes(CONTENT + bytes(4))
    status, out, err = dss("inspect", path, "--json")
    (warning,) = json.loads(out)["warnings"]
    assert (status, err) == (0, [f"dss: warning: {warning}"])
    assert "where the card says" in warning


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not a TFLite file"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "not a TFLite file"),
        (CONTENT[: len(CONTENT) // 2], "damaged: not the graph of a TFLite file"),
    ],
)
def test_what_is_no_model_is_one_line(dss, tmp_path, content, told):
    path = tmp_path / "no.tflite"
    path.write_bytes(content)
    status, out, err = dss("inspect", path)
    assert (status, out, len(err)) == (1, "", 1)
    assert err[0].startswith(f"dss: error: {path}: {told}")


def test_models_that_do_not_exist_are_one_line(dss, here):
    status, out, err = dss("inspect", "nowhere.tflite")
    assert (status, out) == (1, "")
    assert err == ["dss: error: nowhere.tflite: the model cannot be read: No such file or directory"]
    status, out, err = dss("inspect", "nonesuch")
    assert (status, len(err)) == (2, 1)
    assert "no model called 'nonesuch'" in err[0]


def test_neither_tensorflow_nor_the_runtime_is_loaded(tmp_path):
    script = (
        "import sys\nfrom dss_cli.__main__ import main\nstatus = main(sys.argv[1:])\n"
        "heavy = {'tensorflow', 'keras', 'ai_edge_litert.compiled_model'} & set(sys.modules)\n"
        "sys.exit(status or ', '.join(heavy) or None)"
    )
    command = [sys.executable, "-c", script, "inspect", tiny.write(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
