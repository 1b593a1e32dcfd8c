"""Check the responses of a place of protocol 2 by measurements of the samples.

Delay and level of each direct path are fitted and compared with geometry and directivity. The reverberation
time is measured from the decay.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..constants import SAMPLE_RATE, SPEED_OF_SOUND
from .image_sources import LEAD, Images, pulses
from .octaves import AIR, band_weights
from .rir import (
    DIRECT_TOLERANCE,
    RT60_LEAST,
    RT60_TOLERANCE,
    SPREAD,
    Response,
    direct_to_reverberant,
    onset,
    reverberation_time,
    split_at_onset,
)
from .rooms import Room

Array = NDArray[np.float64]

SIZE = 4096  # length of pulses in samples
RINGING = 40.0  # time constant in samples of the slow columns of the fit: ringing of filters and high-pass


def rings_as_asked(room: Room, measured: float | None = None) -> bool:
    """Return whether the measured reverberation time is the requested one.

    The tolerance is RT60_TOLERANCE of the time, at least RT60_LEAST.

    Args:
        room: room to check.
        measured: result of `reverberation` in seconds, if known.
    """
    found = reverberation(room) if measured is None else measured
    return abs(found - room.rt60) <= max(RT60_TOLERANCE * room.rt60, RT60_LEAST)


def reverberation(room: Room) -> float:
    """Measure the reverberation time of a room in seconds, from its responses without direct sound."""
    return reverberation_time([split_at_onset(r, onset(r))[1].astype(float) for r in room.responses])


def check_room(room: Room) -> tuple[list[Response], float | None, list[str]]:
    """Measure and check the responses of a place of protocol 2.

    Returns:
        The responses with their facts, the measured reverberation time in seconds (None outdoors), and one
        line for each failed check.
    """
    faults: list[str] = []
    responses = []
    for i, samples in enumerate(room.responses):
        distance = float(room.distances[i])
        delay = distance * SAMPLE_RATE / SPEED_OF_SOUND
        gains = expected_gains(room, i)
        found_delay, share = fit_direct(samples, delay, gains, room.images[i])
        for what, found, expected in (("delay", found_delay, delay), ("level", share, 1.0)):
            if not abs(found / expected - 1) <= DIRECT_TOLERANCE:
                faults.append(
                    f"talker {i}: {what} of the direct path is {found / expected:.3g} times the expected"
                )
        direct, rest = split_at_onset(samples, onset(samples))
        towards = room.microphone.position - room.positions[i]
        facts = {
            "distance_m": distance,
            "drr_db": direct_to_reverberant(direct, rest),
            "position": room.positions[i].tolist(),
            "directivity": broadband(room.mouths[i].gains(towards[np.newaxis])[0]),
            "direct_delay_s": found_delay / SAMPLE_RATE,
            "direct_level": share * broadband(gains),
        }
        if not np.isfinite(facts["drr_db"]):
            faults.append(f"talker {i}: no reverberation")
        responses.append(Response(samples, facts))
    if room.environment != "indoor":
        return responses, None, faults
    measured = reverberation(room)
    if not rings_as_asked(room, measured):
        faults.append(f"reverberates for {measured:.3g} s, not {room.rt60:.3g} s")
    return responses, measured, faults


def expected_gains(room: Room, i: int) -> Array:
    """Return the amplitude (7,) per octave of the direct path of source i, from geometry and directivity."""
    towards = (room.microphone.position - room.positions[i])[np.newaxis]
    distance = float(room.distances[i])
    heard = float(room.microphone.gains(-towards)[0])
    gains = room.mouths[i].gains(towards)[0] * heard * np.exp(-AIR * distance / 2) / distance
    return np.asarray(gains)


def fit_direct(
    samples: NDArray[np.float32], delay: float, gains: Array, images: Images
) -> tuple[float, float]:
    """Fit the direct path of a response by least squares, together with early reflections.

    Args:
        samples: response, delayed by LEAD samples.
        delay: expected delay of the direct path in samples.
        gains: (7,) expected amplitude of the direct path per octave.
        images: images of the source; all after the first are reflections.

    Returns:
        Delay in samples, and level relative to the expected one.
    """
    first = max(0, int(delay))
    time = np.arange(first, min(len(samples), int(delay) + LEAD + SPREAD))
    near = np.flatnonzero(images.delays[1:] < delay + SPREAD + LEAD) + 1
    shift = time[0] - LEAD  # pulses are made around the middle of SIZE samples
    delays = np.r_[delay, delay - 0.01, delay + 0.01, images.delays[near]] - shift
    shapes = pulses(delays, np.vstack([gains, gains, gains, images.gains[near]]), SIZE)[:, LEAD:]
    shapes = shapes[:, : len(time)]
    slope = (shapes[2] - shapes[1]) / 0.02
    slow = (time - time[0]) / RINGING
    columns = np.stack([shapes[0], slope, *shapes[3:], np.ones(len(time)), slow], axis=1)
    scale = np.abs(columns).max(axis=0) + 1e-12
    solution = np.linalg.lstsq(columns / scale, samples[time].astype(np.float64), rcond=1e-6)[0] / scale
    share = float(solution[0])
    return (delay + float(solution[1]) / share if share else float("nan")), share


def broadband(gains: Array) -> float:
    """Return the mean of gains per octave over the band, which is the peak of a pulse with these gains."""
    hertz = np.linspace(0, SAMPLE_RATE / 2, 257)
    return float((gains @ band_weights(hertz)).mean())
