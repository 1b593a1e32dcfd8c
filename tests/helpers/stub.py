"""Networks that need no model."""

from __future__ import annotations

import time

import numpy as np

from dss_cli.constants import SignalConfig

SMALL = SignalConfig(frames=20)  # chunks of 0.16 s keep the tests fast


class Stub:
    """Stand-in for a loaded LiteRTNetwork: three quarters near, an eighth far.

    Each chunk takes `pause` seconds longer.
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
    """Network that passes the mixture to near with one gain per call and nothing to far; records chunks."""

    def __init__(self, signal=SMALL, gains=None):
        self.signal, self.overlap = signal, 0.25
        self.gains, self.seen = gains, []

    def separate(self, mixture):
        gain = 1.0 if self.gains is None else self.gains[len(self.seen) % len(self.gains)]
        self.seen.append(mixture.copy())
        spectrum = np.float32(gain**self.signal.exponent) * mixture[..., 1:]
        return spectrum, np.zeros_like(spectrum)


class Mixer:
    """Network whose output depends on the whole chunk and on each bin, which reveals misplaced frames."""

    def __init__(self, signal=SMALL, overlap=0.25, timings=()):
        self.signal, self.overlap, self.timings = signal, overlap, timings

    def separate(self, mixture):
        mean = mixture[..., 0].mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
        ramp = np.linspace(0, 1, mixture.shape[1], dtype=np.float32)[:, None, None]
        near = mixture[..., 1:] * ramp * mean[:, None, None, None]
        return near, mixture[..., 1:] - near


class Remembering:
    """Network whose near is the mixture times the share of loud chunks so far."""

    overlap = 0.25

    def __init__(self, signal=SMALL):
        self.signal, self.listened = signal, 0

    def begin(self):
        return [0, 0]

    def listen(self, mixture, state):
        self.listened += 1
        state[0] += float(mixture[..., 0].mean()) > 0.05
        state[1] += 1

    def separate(self, mixture, state=None, update=True):
        within = [0, 0] if state is None else state
        share = np.float32(within[0] / within[1] if within[1] else 0.5)
        if state is not None and update:
            self.listen(mixture, state)
            self.listened -= 1
        return share**0.3 * mixture[..., 1:], (1 - share) ** 0.3 * mixture[..., 1:]


def files(folder):
    """Return the relative paths of all files in a folder, including hidden files."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
