"""Helpers for the tests of a live signal: a network without cost, and a tone."""

from __future__ import annotations

import numpy as np

from dss_cli.runtime.timing import Timing
from tests.helpers.stub import SMALL

TIMING = Timing(10, 3, 2, 1)
LATENCY = TIMING.seconds(SMALL)


class Sharing:
    """Three quarters of the mixture for near, an eighth for far, in chunks of any length."""

    signal, overlap, timings = SMALL, 0.25, (TIMING,)

    def separate(self, mixture):
        spectrum = mixture[..., 1:]
        return np.float32(0.75**0.3) * spectrum, np.float32(0.125**0.3) * spectrum


def tone(rate, seconds=1.0, hertz=440.0):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)
