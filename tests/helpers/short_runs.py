"""Training runs of a few steps: their settings, the sources of their scenes, and steps without a graph."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
pytest.importorskip("pyroomacoustics")

from dss_cli.network import configuration  # noqa: E402
from dss_cli.simulation.corpus import Material  # noqa: E402
from dss_cli.simulation.rir_bank import simulate_bank  # noqa: E402
from dss_cli.training.config import read_config  # noqa: E402
from dss_cli.training.data import Sources  # noqa: E402


def toy_run(*changes, **parts):
    """Return the settings of a short run of the toy, changed as by `--set` and in whole parts."""
    return replace(read_config("toy", changes), **parts)


SETTINGS = toy_run(
    "training.batch=2",
    "training.save_every=3",
    "schedule.warmup=2",
    "schedule.hold=4",
    "schedule.steps=6",
    "curriculum.begins=[0, 2, 4, 999]",
)
SIGNAL = configuration("toy").signal


def voices(count=6, seconds=4, seed=0):
    """Return talkers with different pitches: harmonics with a slow syllable rhythm."""
    rng = np.random.default_rng(seed)
    t = np.arange(seconds * 16_000) / 16_000
    pieces = []
    for talker in range(count):
        pitch = 90 * 1.19**talker * (1 + 0.05 * np.sin(2 * np.pi * rng.uniform(0.5, 1.5) * t))
        phase = 2 * np.pi * np.cumsum(pitch) / 16_000
        tone = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in range(1, 20))
        rhythm = np.clip(np.sin(2 * np.pi * rng.uniform(2, 4) * t + rng.uniform(0, 6)) + 0.4, 0, 1)
        pieces.append(0.03 * tone * rhythm)
    length = len(t)
    spans = [[i * length, (i + 1) * length] for i in range(count)]
    samples = (np.concatenate(pieces) * 32767).astype(np.int16)
    return Material(samples, np.array(spans), np.array([f"v{i}" for i in range(count)]))


@pytest.fixture(scope="module")
def sources():
    hiss = (np.random.default_rng(1).standard_normal(32_000) * 500).astype(np.int16)
    noise = Material(hiss, np.array([[0, len(hiss)]]), np.array(["hiss"]))
    return Sources(voices(), noise, simulate_bank(5, 2, 2))


@contextmanager
def untraced():
    """Run a few steps eagerly: tracing a graph would take longer than the steps."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
