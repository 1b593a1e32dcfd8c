"""Measure responses, and check the responses of protocol 1.

The checks do not trust the simulator: the direct path is found in the samples and compared with the
geometry, and the reverberation time is measured from the decay (Schroeder 1965).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..constants import SAMPLE_RATE, SPEED_OF_SOUND
from .image_sources import LEAD
from .octaves import AIR, BANDS

if TYPE_CHECKING:
    from .rooms_protocol1 import Place

DIRECT_TOLERANCE = 0.02  # relative tolerance of delay and level of the direct path
RT60_TOLERANCE = 0.25
RT60_LEAST = 0.08  # least tolerance in seconds: very dry rooms decay within a few reflections
MIDDLE = (354.0, 2828.0)  # Hz: octaves from 500 Hz to 2 kHz, for which reverberation times are stated
SPREAD = 24  # reflections within these samples after the direct path are fitted too
DIRECT_WINDOW = (0.001, 0.0025)  # seconds before and after the onset that count as direct sound


@dataclass(frozen=True)
class Response:
    """One response with its facts.

    Attributes:
        samples: float32 at 16 kHz.
        facts: facts for JSON: `distance_m`, `drr_db` and more.
    """

    samples: NDArray[np.float32]
    facts: dict[str, Any]


def check_place(place: Place) -> tuple[list[Response], float | None, list[str]]:
    """Measure and check the responses of a place of protocol 1.

    Returns:
        The responses with their facts, the measured reverberation time in seconds (None outdoors), and one
        line for each failed check.
    """
    faults: list[str] = []
    responses = []
    decays = []
    for i, samples in enumerate(place.responses):
        distance = float(place.distances[i])
        delay = distance * SAMPLE_RATE / SPEED_OF_SOUND
        level = float(place.gains[i]) * through_air(distance) / distance
        found_delay, found_level, rest = direct_path(samples, delay + LEAD, place.reflections[i] + LEAD)
        found_delay -= LEAD
        drr = direct_to_reverberant(samples - rest, rest)
        for what, found, expected in (("delay", found_delay, delay), ("level", found_level, level)):
            if not abs(found / expected - 1) <= DIRECT_TOLERANCE:
                faults.append(f"talker {i}: {what} of the direct path {found:.4g} for {expected:.4g}")
        if not np.isfinite(drr):
            faults.append(f"talker {i}: no reverberation")
        decays.append(rest)
        responses.append(
            Response(
                samples,
                {
                    "distance_m": distance,
                    "drr_db": drr,
                    "position": place.positions[i].tolist(),
                    "directivity": float(place.gains[i]),
                    "direct_delay_s": found_delay / SAMPLE_RATE,
                    "direct_level": found_level,
                },
            )
        )
    if place.environment != "indoor":
        return responses, None, faults
    measured = reverberation_time(decays)
    if not abs(measured / place.rt60 - 1) <= RT60_TOLERANCE:
        faults.append(f"reverberates for {measured:.3g} s, not {place.rt60:.3g} s")
    return responses, measured, faults


def direct_path(
    samples: NDArray[np.float32], expected: float, reflections: NDArray[np.float64]
) -> tuple[float, float, NDArray[np.float64]]:
    """Fit delay and level of the direct path of a response by least squares.

    A band-limited pulse and its derivative are fitted around the expected delay. Early reflections overlap
    the direct path, so they are fitted together with it.

    Args:
        samples: the response.
        expected: expected delay of the direct path in samples.
        reflections: delays of the reflections in samples.

    Returns:
        Delay in samples (NaN without a direct path), level (1 for a talker at 1 m straight ahead), and the
        response without the direct path.
    """
    first = max(0, int(expected) - LEAD)
    last = min(len(samples), int(expected) + SPREAD)
    time = np.arange(first, last)
    near = reflections[reflections < expected + SPREAD + LEAD]
    slope = (_pulse(time - expected - 0.01) - _pulse(time - expected + 0.01)) / 0.02
    drift = (time - expected) / LEAD  # the simulator's 10 Hz high-pass adds a drift
    pulses = [_pulse(time - expected), slope, *(_pulse(time - r) for r in near)]
    columns = np.stack([*pulses, np.ones(len(time)), drift], axis=1)
    solution = np.linalg.lstsq(columns, samples[first:last].astype(np.float64), rcond=1e-6)[0]
    level = float(solution[0])
    if not level:
        return np.nan, 0.0, samples.astype(np.float64)
    delay = expected + float(solution[1]) / level
    rest = samples.astype(np.float64)
    everywhere = np.arange(max(0, int(delay) - LEAD), min(len(samples), int(delay) + LEAD + 2))
    rest[everywhere] -= level * _pulse(everywhere - delay)
    return delay, level, rest


def _pulse(time: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the pulse of a fractional delay: a Hann-windowed sinc, 0 beyond LEAD samples."""
    return np.sinc(time) * np.where(np.abs(time) <= LEAD, 0.5 + 0.5 * np.cos(np.pi * time / LEAD), 0.0)


def through_air(distance: float) -> float:
    """Return the share of a pulse's amplitude left by air after `distance` metres, a mean over the band."""
    edges = np.minimum(np.array([0, *(BANDS * np.sqrt(2))]), SAMPLE_RATE / 2)
    return float(np.diff(edges) @ np.exp(-0.5 * AIR * distance) / edges[-1])


def direct_to_reverberant(direct: NDArray[np.floating], rest: NDArray[np.floating]) -> float:
    """Return the ratio of the energies in dB; infinite without reverberation."""
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(np.sum(np.square(direct)) / np.sum(np.square(rest))))


def onset(samples: NDArray[np.floating]) -> int:
    """Return the index of the first sample within 10 dB of the largest one."""
    magnitude = np.abs(samples)
    return int(np.argmax(magnitude > magnitude.max() * 10 ** (-10 / 20)))


def split_at_onset(
    samples: NDArray[np.floating], start: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Split a response into direct sound (DIRECT_WINDOW around the onset) and the rest."""
    before, after = (round(s * SAMPLE_RATE) for s in DIRECT_WINDOW)
    window = slice(max(0, start - before), start + after)
    rest = samples.copy()
    rest[window] = 0
    return samples[window], rest


def reverberation_time(decays: list[NDArray[np.float64]], band: tuple[float, float] = MIDDLE) -> float:
    """Return the RT60 in seconds in a band, from -5 to -25 dB of the mean backward-integrated decay.

    Args:
        decays: responses without their direct path, which is not part of the decay.
        band: edges of the band in Hz; by default the middle octaves.

    Source: M. R. Schroeder, New method of measuring reverberation time, JASA 37 (1965); ISO 3382-2.
    """
    length = max(map(len, decays))
    energy = np.zeros(length)
    for decay in decays:
        heard = _band_pass(decay, band)
        energy[: len(heard)] += heard**2 / np.sum(heard**2)
    decibels = 10 * np.log10(np.cumsum(energy[::-1])[::-1] / energy.sum() + 1e-30)
    begin, end = (int(np.argmax(decibels < limit)) for limit in (-5, -25))
    if end - begin < 2:
        return float("nan")
    slope = np.polyfit(np.arange(begin, end), decibels[begin:end], 1)[0]
    return float(-60 / slope / SAMPLE_RATE)


def _band_pass(samples: NDArray[np.float64], band: tuple[float, float]) -> NDArray[np.float64]:
    """Apply a zero-phase band-pass in the frequency domain, with edges of a sixth of an octave."""
    size = len(samples) + SAMPLE_RATE // 10
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 1.0))
    low, high = np.log2(band)
    gain = 1 / (1 + np.exp(-24 * (octaves - low))) / (1 + np.exp(24 * (octaves - high)))
    return np.fft.irfft(np.fft.rfft(samples, size) * gain, size)[: len(samples)]
