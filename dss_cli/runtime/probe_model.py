"""Probe model, the smallest possible model, for trials of a delegate: probe.tflite, by tools/probe_model.py.

near is `NEAR_GAIN` times the real and imaginary parts of the mixture, far is `FAR_GAIN` times these parts.
Both gains are powers of two, so that float32 results are exact on any delegate.
"""

from __future__ import annotations

from pathlib import Path

from ..constants import SignalConfig

SIGNAL = SignalConfig(hop=256, frames=6)
NEAR_GAIN, FAR_GAIN = 0.5, -0.25
FILE = Path(__file__).with_name("probe.tflite")
