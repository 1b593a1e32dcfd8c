"""Precision of a GPU: request, trial, and report of the effective precision."""

from __future__ import annotations

import numpy as np
import pytest

from dss_cli.errors import UsageError
from dss_cli.runtime import litert
from dss_cli.runtime.litert import LiteRTNetwork
from tests.helpers import tiny


class Gpu:
    """Stand-in for LiteRT's GPU accelerator on the CPU; rounds to float16 if permitted."""

    def __init__(self, monkeypatch, halves):
        self.halves, self.asked = halves, []
        monkeypatch.setattr(litert, "_open_on_gpu", self.open)
        monkeypatch.setattr(litert, "adapter_name", lambda: "Fake GPU")
        litert._trial_precision.cache_clear()

    def open(self, model, auto, precision, verbose):
        self.asked.append((model.name, precision))
        session = litert._open_on_cpu(model, 1, verbose)
        if self.halves and precision == "float16":
            separate = session.separate
            session.separate = lambda mixture, *state: [half(s) for s in separate(half(mixture), *state)]
        return session, None


def half(values):
    return values.astype(np.float16).astype(np.float32)


@pytest.fixture(autouse=True)
def no_trial_stays():
    yield
    litert._trial_precision.cache_clear()


def test_float32_is_not_tried(tmp_path, monkeypatch):
    gpu = Gpu(monkeypatch, halves=True)
    network = LiteRTNetwork(tiny.model(tmp_path), "gpu")
    assert (network.used, network.gpu_precision) == ("gpu", "float32")
    assert gpu.asked == [("tiny", "float32")]


@pytest.mark.parametrize("delegate", ["gpu", "auto"])
def test_a_gpu_that_computes_in_float16_is_told_by_its_rounding(tmp_path, monkeypatch, delegate):
    gpu, said = Gpu(monkeypatch, halves=True), []
    for _ in range(2):  # one trial per process
        network = LiteRTNetwork(tiny.model(tmp_path), delegate, warn=said.append, gpu_precision="float16")
        assert (network.used, network.gpu_precision, said) == ("gpu", "float16", [])
    assert gpu.asked == [("tiny", "float16"), ("probe", "float16"), ("tiny", "float16")]


def test_a_gpu_without_float16_is_not_said_to_have_it(tmp_path, monkeypatch):
    Gpu(monkeypatch, halves=False)
    said: list[str] = []
    network = LiteRTNetwork(tiny.model(tmp_path), "gpu", warn=said.append, gpu_precision="float16")
    assert network.gpu_precision == "float32"
    assert said == ["Fake GPU computes in float32: it has no float16 arithmetic"]


def test_the_cpu_has_no_gpus_precision(tmp_path, no_gpu):
    assert LiteRTNetwork(tiny.model(tmp_path), "cpu").gpu_precision is None
    fell_back = LiteRTNetwork(tiny.model(tmp_path), "gpu", gpu_precision="float16")
    assert (fell_back.used, fell_back.gpu_precision) == ("cpu", None)


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(UsageError, match="unknown precision 'int8': choose float32 or float16"):
        LiteRTNetwork(tiny.model(tmp_path), "gpu", gpu_precision="int8")
    with pytest.raises(UsageError, match="float16 arithmetic is the GPU's: the delegate cannot be cpu"):
        LiteRTNetwork(tiny.model(tmp_path), "cpu", gpu_precision="float16")


def test_separate_passes_it_on(dss, stub, recording):
    recording("a.wav")
    assert dss("separate", "a.wav", "--gpu-precision", "float16", "--quiet")[0] == 0
    ((_, options),) = stub.calls
    assert options["gpu_precision"] == "float16"
    assert dss("separate", "a.wav", "--gpu-precision", "float64")[0] == 2
