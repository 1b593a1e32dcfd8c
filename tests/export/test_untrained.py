"""`dss export --untrained`: a model for measuring the speed of a configuration before training."""

from __future__ import annotations

import json

import pytest

from dss_cli.errors import ExitCode
from dss_cli.runtime.registry import find_model

pytest.importorskip("tensorflow", reason="export needs the extra `train`")


@pytest.mark.slow
def test_an_untrained_model_runs_and_its_card_says_what_it_is(dss, tmp_path, no_gpu):
    status, out, err = dss("export", "--untrained", "--configuration", "toy", "-o", tmp_path, "--json")
    assert status == 0, err
    card = json.loads(out)["card"]
    assert card["name"] == "toy-untrained"
    assert card["training"] == {"untrained": True, "seed": 0}
    assert find_model(str(tmp_path / "toy-untrained.tflite")).card == card
    assert (tmp_path / "toy-untrained.weights.h5").exists()


@pytest.mark.parametrize("arguments", [[], ["lite.weights.h5", "--untrained"]])
def test_weights_or_none_must_be_asked_for(dss, tmp_path, arguments):
    status, _, err = dss("export", *arguments, "-o", tmp_path)
    assert status == ExitCode.USAGE
    assert err == ["dss: error: give either WEIGHTS, the file of trained weights, or --untrained"]
    assert not list(tmp_path.iterdir())
