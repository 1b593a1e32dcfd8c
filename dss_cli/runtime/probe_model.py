"""The smallest model that separates, for trials of a delegate: probe.tflite, made by tools/probe_model.py.

near is `NEAR_GAIN` times the real and imaginary part of the mixture, far `FAR_GAIN` times: powers of two, so
that float32 (and a GPU) gives them exactly.
"""

from __future__ import annotations

from pathlib import Path

from ..constants import SignalConfig

SIGNAL = SignalConfig(hop=256, frames=6)
NEAR_GAIN, FAR_GAIN = 0.5, -0.25
FILE = Path(__file__).with_name("probe.tflite")
