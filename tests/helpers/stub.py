"""Networks that need no model."""

from __future__ import annotations

import time

import numpy as np

from dss_cli.constants import SignalConfig

SMALL = SignalConfig(frames=20)  # chunks of 0.16 s keep the tests fast


class Stub:
    """Looks like a loaded LiteRTNetwork: three quarters near, an eighth far.

    `pause` seconds a chunk slow it down.
    """

    asked, used = "auto", "cpu"
    fallback_reason: str | None = None
    gpu_precision: str | None = None
    signal = SignalConfig(frames=40)
    overlap = 0.25
    pause = 0.0

    def separate(self, mixture):
        time.sleep(self.pause)
        spectrum = mixture[..., 1:]
        return np.float32(0.75**0.3) * spectrum, np.float32(0.125**0.3) * spectrum


class Recorder:
    """Passes the mixture to near and nothing to far, multiplied by a gain per call."""

    def __init__(self, signal=SMALL, gains=None):
        self.signal, self.overlap = signal, 0.25
        self.gains, self.seen = gains, []

    def separate(self, mixture):
        gain = 1.0 if self.gains is None else self.gains[len(self.seen) % len(self.gains)]
        self.seen.append(mixture.copy())
        spectrum = np.float32(gain**self.signal.exponent) * mixture[..., 1:]
        return spectrum, np.zeros_like(spectrum)


class Mixer:
    """Its output depends on the whole chunk and on each bin: any misplaced frame shows."""

    def __init__(self, signal=SMALL, overlap=0.25):
        self.signal, self.overlap = signal, overlap

    def separate(self, mixture):
        mean = mixture[..., 0].mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
        ramp = np.linspace(0, 1, self.signal.frames, dtype=np.float32)[:, None, None]
        near = mixture[..., 1:] * ramp * mean[:, None, None, None]
        return near, mixture[..., 1:] - near


class Rememberer:
    """Carries context: near is the mixture weighted by how much of it was heard, so any lost state shows."""

    def __init__(self, signal=SMALL, overlap=0.25):
        self.signal, self.overlap = signal, overlap

    def begin(self):
        return {"heard": np.zeros((), np.float32), "chunks": 0}

    def listen(self, mixture, state):
        state["heard"] = state["heard"] * np.float32(0.9) + mixture[..., 0].mean()
        state["chunks"] += 1

    def separate(self, mixture, state=None, update=True):
        within = self.begin() if state is None else state if update else dict(state)
        self.listen(mixture, within)
        near = mixture[..., 1:] * np.float32(within["heard"] / (within["heard"] + within["chunks"]))
        return near, mixture[..., 1:] - near


def files(folder):
    """Every file under a folder, hidden ones as well, by its path from there."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
