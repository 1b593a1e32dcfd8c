"""One batch on two simulated devices gives the same step as on one.

A separate process is needed, because JAX counts devices once per process.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("scipy")

from dss_cli.errors import DssError  # noqa: E402
from dss_cli.training.distribution import data_parallel  # noqa: E402

STEPS = """
import json, sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from dss_cli.errors import DssError
from dss_cli.network import configuration
from dss_cli.simulation.rir_bank import Bank
from dss_cli.simulation.corpus import Material
from dss_cli.training import loop
from dss_cli.training.config import read_config
from dss_cli.training.data import Sources

small = replace(configuration("toy"), blocks=1, near_after=1, fine=0, zoom=None)
small = replace(small, signal=replace(small.signal, frames=8))
rng = np.random.default_rng(0)
samples = (3000 * np.cumsum(rng.standard_normal(60_000)) / 200).astype(np.int16)
speech = Material(samples, np.arange(0, 60_000, 10_000)[:, None] + [0, 10_000], np.array(list("abcdef")))
responses = (rng.standard_normal((2, 7, 400)) * np.exp(-np.arange(400) / 50)).astype(np.float16)
bank = Bank(responses, np.ones((2, 7), np.float32), np.array([False, True]), np.zeros(2, np.float32))
sources = Sources(speech, None, bank)
changes = ["training.batch=2", "training.mixing=device", "schedule.warmup=1", "schedule.hold=2",
           "schedule.steps=2", "curriculum.begins=[0, 0, 0, 999]"]
def settings(*others):
    return replace(read_config("toy", [*changes, *others]), network=small)
folder = Path(sys.argv[1])
told = {}
runs = {}
for devices in (None, 2):
    run = runs[devices] = loop.TrainingRun(settings(f"machine.devices={devices or 'false'}"), folder, sources)
    begun = run.network.get_weights()
    for step in range(2):
        run.advance(*run.batch(sources, step))
one, two = (run.network.get_weights() for run in runs.values())
told["moved"] = max(float(np.abs(a - b).max()) for a, b in zip(begun, two))
told["apart"] = max(float(np.abs(a - b).max()) for a, b in zip(one, two))
told["devices"] = len(runs[2].network.trainable_variables[0].value.sharding.device_set)
runs[2].save()
resumed = loop.TrainingRun(settings("machine.devices=2"), folder, sources)
told["resumed"] = resumed.step == 2 and all(map(np.array_equal, resumed.network.get_weights(), two))
for devices, batch in ((3, 3), (2, 3)):
    try:
        config = settings(f"machine.devices={devices}", f"training.batch={batch}")
        loop.TrainingRun(config, folder / "new", sources)
    except DssError as error:
        told[f"{devices} of {batch}"] = str(error)
print(json.dumps(told))
"""


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="Keras distributes under JAX only: pip install jax"
)
def test_two_devices_step_as_one_does(tmp_path):
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0",
    }
    done = subprocess.run(
        [sys.executable, "-c", STEPS, str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["devices"] == 2
    assert told["moved"] > 1e-4
    assert told["apart"] < 1e-5
    assert told["resumed"]
    assert told["3 of 3"] == "3 devices: 2 found (cpu:0, cpu:1)"
    assert told["2 of 3"] == "a batch of 3 scenes cannot be divided evenly between 2 devices"


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX is the backend that distributes")
def test_other_backends_are_refused():
    with pytest.raises(DssError, match=r"2 devices: Keras .* not with tensorflow; set KERAS_BACKEND=jax"):
        data_parallel(2, 4)
