"""Babble: a crowd too far away to tell its talkers apart, made of the speech that scenes are drawn from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from ..signal import SAMPLE_RATE
from .material import SPEECH_RMS, Material, joined

SECONDS = 20  # of a recording
TALKERS = (6, 20)  # in one, both included
SPREAD = 5.0  # standard deviation of a talker's level, in dB
RT60 = (0.3, 1.2)  # seconds
ALONE = 64  # recordings where there is no other noise


def babble(rng: np.random.Generator, speech: Material, samples: int) -> NDArray[np.float32]:
    """`samples` of a crowd: talkers at different levels, in a hall without any direct sound.

    The response of the hall is noise that decays (Moorer 1979): far beyond the critical distance a room
    gives no more than that. All talkers share one, as their places differ in nothing that could be heard.
    """
    most = min(TALKERS[1], len(speech.spans))
    crowd = rng.choice(len(speech.spans), rng.integers(min(TALKERS[0], most), most + 1), replace=False)
    total = np.zeros(samples, np.float32)
    for talker in crowd:
        voice = speech.take(int(talker), speech.draw_start(rng, int(talker)), samples)
        total += voice * np.float32(10 ** (rng.normal(0, SPREAD) / 20))
    rt60 = rng.uniform(*RT60)
    time = np.arange(int(rt60 * SAMPLE_RATE)) / SAMPLE_RATE
    hall = (rng.standard_normal(len(time)) * 10 ** (-3 * time / rt60)).astype(np.float32)
    heard = np.asarray(signal.oaconvolve(total, hall)[:samples], np.float32)
    return heard * np.float32(SPEECH_RMS / (np.sqrt(np.mean(heard**2)) + 1e-9))


def with_babble(noise: Material | None, speech: Material, share: float, seed: int) -> Material:
    """Noise of which `share` of the recordings, below 1, is babble of the speech: a function of the seed.

    Without other noise all of it is babble, `ALONE` recordings.
    """
    count = ALONE if noise is None else round(share / (1 - share) * len(noise.spans))
    if not count and noise:
        return noise
    crowds = joined(
        (f"babble {i + 1}", babble(np.random.default_rng([seed, i]), speech, SECONDS * SAMPLE_RATE))
        for i in range(count)
    )
    if noise is None:
        return crowds
    return Material(
        np.concatenate([noise.samples, crowds.samples]),
        np.concatenate([noise.spans, crowds.spans + len(noise.samples)]),
        np.concatenate([noise.names, crowds.names]),
        noise.notes,
    )
