"""Arithmetic of a row: the effective precision, not the requested one."""

from __future__ import annotations

import ctypes.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dss_cli.benchmark.rows import BenchmarkRow, plan_rows
from dss_cli.benchmark.run import benchmark
from dss_cli.errors import UsageError
from tests.helpers import tiny

DRIVER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")


def test_the_gpus_rows_alone_are_asked_for_float16(tmp_path):
    so = tmp_path / "x.so"
    rows = plan_rows(["a"], "all", [1, 2], so, "float16")
    assert [(row.delegate, row.gpu_precision) for row in rows] == [
        ("cpu", "float32"),
        ("cpu", "float32"),
        ("gpu", "float16"),
        ("library", "float32"),
    ]
    assert rows[2].reference == rows[0]
    assert plan_rows(["a"], "auto", [1], gpu_precision="float16") == [
        BenchmarkRow("a", "auto", gpu_precision="float16")
    ]


def test_float16_without_a_gpus_row_is_refused():
    with pytest.raises(UsageError, match="float16 arithmetic is the GPU's"):
        benchmark(["lite"], "cpu", [1], gpu_precision="float16")


@pytest.mark.gpu
@pytest.mark.skipif(
    not DRIVER.exists() or ctypes.util.find_library("vulkan") is None,
    reason=f"no software Vulkan driver: {DRIVER} (Debian: chromium, libvulkan1)",
)
def test_a_driver_without_float16_is_found_out(tmp_path):
    """SwiftShader does not support shaderFloat16: its results equal float32 bit for bit."""
    variables = dict.fromkeys(("VK_DRIVER_FILES", "VK_ICD_FILENAMES"), str(DRIVER))
    command = [sys.executable, "-m", "dss_cli", "bench", "--model", tiny.write(tmp_path), "--quiet", "--json"]
    command += ["--delegate", "gpu", "--gpu-precision", "float16", "--duration", "1", "--repeat", "1"]
    done = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, timeout=300, check=True
    )
    result = json.loads(done.stdout)
    (row,) = result["rows"]
    assert row["delegate"]["precision"] == "float32"
    (warning,) = (text for text in result["warnings"] if "float16" in text)
    assert warning.endswith("GPU, software: SwiftShader computes in float32: it has no float16 arithmetic")
    assert f"dss: warning: {warning}" in done.stderr.splitlines()


def test_int8_weights_are_told_with_the_arithmetic_that_they_bring(tmp_path):
    pytest.importorskip("tensorflow", reason="the network is converted by TensorFlow")
    from keras import Input, Model, layers

    from dss_cli.export.convert import convert

    mixture = Input((tiny.SIGNAL.frames, tiny.SIGNAL.bins, 3), batch_size=1, name="mixture")
    hidden = layers.Conv2D(64, 3, padding="same")(mixture)
    network = Model(
        mixture, {name: layers.Conv2D(2, (1, 9), padding="same")(hidden) for name in ("near", "far")}
    )
    path = str(tiny.write(tmp_path, data=convert(network, "int8")))
    result = benchmark([path], "cpu", [1], duration=1, repeat=1)
    assert result["models"][path]["weights"] == "int8"
    assert result["rows"][0]["delegate"]["precision"] == "int8 products, else float32"
    assert np.isfinite(result["rows"][0]["rtf_network"]["median"])
