"""Trained weights scored without an export, and the option of the GPU's arithmetic."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.helpers import scenesets, tiny, toy_context


@pytest.fixture
def here_with_set(here):
    """A test set `set` and a model `tiny.tflite` in the current folder."""
    scenesets.write(here / "set", [scenesets.scene("a"), scenesets.scene("b", "near-only")])
    tiny.write(here)
    return here


@pytest.mark.slow
def test_keras_scores_the_weights_as_their_file_does(here_with_set, dss, capfd):
    pytest.importorskip("tensorflow", reason="Keras runs the weights")
    made = toy_context.network()
    made.separate.save_weights(here_with_set / "toy.weights.h5")
    (here_with_set / "toy.json").write_text('{"configuration": "toy"}')
    (here_with_set / "file").mkdir()
    toy_context.write(here_with_set / "file", made, "toy")
    capfd.readouterr()  # discard TensorFlow's message about its search for a GPU
    models = ("--model", "toy.weights.h5", "--model", "file/toy.tflite", "--delegate", "cpu")
    status, out, err = dss("evaluate", "set", *models, "--json")
    assert (status, err) == (0, [])
    weights, file = json.loads(out)["runs"]
    about = weights["system"]
    assert (about["name"], about["kind"], about["delegate"]) == ("toy.weights", "weights", "keras")
    assert about["configuration"] == "toy" and len(about["sha256"]) == 64
    assert (file["system"]["name"], file["system"]["gpu_precision"]) == ("toy", None)
    for one, other in zip(weights["scenes"], file["scenes"], strict=True):
        for figure in ("near_si_sdr", "far_si_sdr", "far_attenuation"):
            if one[figure] is not None:
                assert one[figure] == pytest.approx(other[figure], abs=1e-3)
    assert weights["scenes"][0]["near_si_sdr"] is not None


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (None, "x.json: No such file or directory; it must name the configuration of x.weights.h5"),
        ("{", "x.json: not a model card"),
        ("[]", "x.json: names no `configuration`"),
        ('{"configuration": 3}', "x.json: names no `configuration`"),
    ],
)
def test_weights_without_a_card_say_the_way_out(here_with_set, dss, card, message):
    (here_with_set / "x.weights.h5").write_bytes(b"weights")
    if card is not None:
        (here_with_set / "x.json").write_text(card)
    status, out, err = dss("evaluate", "set", "--model", "x.weights.h5")
    assert (status, out, len(err)) == (1, "", 1)
    assert message in err[0]
    assert err[0].endswith('`dss export` writes one; a file of {"configuration": "lite"} does as well')


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--model", "nowhere.weights.h5"], 1, "nowhere.weights.h5: no such file"),
        (["--model", "nowhere.weights.h5", "--write-card"], 2, "--write-card is for models; `dss export`"),
        (
            ["--model", "tiny.tflite", "--write-card", "--gpu-precision", "float16"],
            2,
            "from float32 arithmetic",
        ),
        (["--model", "tiny.tflite", "--delegate", "cpu", "--gpu-precision", "float16"], 2, "is the GPU's"),
    ],
)
def test_a_wrong_request_is_one_line(here_with_set, dss, arguments, status, message):
    got, out, err = dss("evaluate", "set", *arguments)
    assert (got, out, len(err)) == (status, "", 1)
    assert message in err[0]


def test_a_model_file_is_scored_without_keras(here_with_set):
    program = (
        "import sys\nfrom dss_cli.__main__ import main\n"
        "status = main(['evaluate', 'set', '--model', 'tiny.tflite', '--delegate', 'cpu', '--quiet'])\n"
        "print(status, {'keras', 'tensorflow'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "0 set()\n"
