"""A network that needs no model, for command lines: three quarters near, an eighth far."""

from __future__ import annotations

import time

import numpy as np

from dss_cli.signal import SignalConfig


class Stub:
    """Looks like a loaded LiteRTNetwork; `pause` seconds a chunk slow it down."""

    asked, used = "auto", "cpu"
    fallback_reason: str | None = None
    signal = SignalConfig(frames=40)
    pause = 0.0

    def separate(self, mixture):
        time.sleep(self.pause)
        spectrum = mixture[..., 1:]
        return np.float32(0.75**0.3) * spectrum, np.float32(0.125**0.3) * spectrum


def files(folder):
    """Every file under a folder, hidden ones as well, by its path from there."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
