"""Speech activity: intervals of speech in each stem, from the levels of both stems."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..constants import STEMS

Floats = npt.NDArray[np.float32]
Levels = npt.NDArray[np.float64]
Span = tuple[float, float]  # start and end, in seconds

FRAME = 0.02  # seconds per level
SMOOTHED = 5  # frames over which levels are averaged
ABOVE_FLOOR = 9.0  # dB: speech is at least this far above the noise floor
BELOW_LOUD = 30.0  # dB: speech is less than this below the loud parts of the recording
BELOW_OTHER = 12.0  # dB: a sound this far below the other stem is leakage
HYSTERESIS = 2.0  # dB by which the three thresholds fall during speech
FLOOR_SECONDS = 20.0  # seconds over which the noise floor is tracked
LOUD = 95  # percentile of the levels that defines the loud parts
SHORTEST_PAUSE = 0.3  # seconds; shorter pauses count as speech
SHORTEST_SPEECH = 0.15  # seconds; shorter sounds do not count as speech
_SILENT_DB = -100.0  # dB re full scale


@dataclass(frozen=True)
class Activity:
    """Intervals of speech in each stem.

    Attributes:
        seconds: duration of the recording.
        spans: intervals by stem, ordered, without overlap.
        levels: mean level of the channels during these intervals in dB re full scale, by stem; stems without
            speech are missing.
    """

    seconds: float
    spans: Mapping[str, tuple[Span, ...]]
    levels: Mapping[str, float] = field(default_factory=dict)

    def share(self, stem: str) -> float:
        """Return the share of the recording with speech in a stem, 0 to 1."""
        spoken = sum(end - begin for begin, end in self.spans[stem])
        return spoken / self.seconds if self.seconds else 0.0


class ActivityMeter:
    """Meter of speech activity that collects levels of near and far blockwise, 400 bytes per second of audio.

    A stem contains speech where its level over 0.1 s is at least 9 dB above the stem's noise floor (tracked
    over 20 s), less than 30 dB below the loud parts of the recording, and less than 12 dB below the other
    stem. During speech the thresholds are 2 dB lower. Pauses shorter than 0.3 s count as speech.

    Args:
        rate: sample rate of the blocks in Hz.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._frames = 0
        self._channels = 1
        self._energies = {stem: _Energies(rate) for stem in STEMS}

    def push(self, near: Floats, far: Floats) -> None:
        """Add a block of both stems, float32 `(frames, channels)` each."""
        self._frames += len(near)
        self._channels = near.shape[1]
        for stem, block in zip(STEMS, (near, far), strict=True):
            self._energies[stem].push(block)

    def finish(self) -> Activity:
        """Return the intervals of speech in all blocks."""
        energies = {stem: meter.finish() for stem, meter in self._energies.items()}
        spans = speech_spans({stem: smoothed(values) for stem, values in energies.items()})
        seconds = self._frames / self._rate
        return Activity(
            seconds,
            {
                stem: tuple((begin, min(end, seconds)) for begin, end in found)
                for stem, found in spans.items()
            },
            {
                stem: round(_mean_level(energies[stem] / self._channels, found), 1)
                for stem, found in spans.items()
                if found
            },
        )


class _Energies:
    """Mean energies of consecutive frames; a frame starts at the sample nearest to its time."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._means = array("f")
        self._rest = np.empty(0)
        self._begin = 0  # position of the rest, in samples

    def push(self, block: Floats) -> None:
        energies = np.einsum("ij,ij->i", block, block, dtype=np.float64)
        self._rest = np.concatenate((self._rest, energies))
        there = self._begin + len(self._rest)
        edges = self._edges(len(self._means), int(there / (FRAME * self._rate)))
        if len(edges) > 1:
            sums = np.add.reduceat(self._rest[: edges[-1] - self._begin], edges[:-1] - self._begin)
            self._means.extend((sums / np.diff(edges)).astype(np.float32).tolist())
            self._rest = self._rest[edges[-1] - self._begin :]
            self._begin = int(edges[-1])

    def finish(self) -> Levels:
        if len(self._rest):
            self._means.append(float(self._rest.mean()))
        return np.array(self._means, np.float64)

    def _edges(self, first: int, last: int) -> npt.NDArray[np.int64]:
        return np.round(np.arange(first, last + 1) * FRAME * self._rate).astype(np.int64)


def level_track(samples: Floats, rate: int) -> Levels:
    """Return the level of float32 `(frames, channels)` in dB, every 20 ms, over 0.1 s."""
    energies = _Energies(rate)
    energies.push(samples)
    return smoothed(energies.finish())


def smoothed(energies: npt.NDArray[np.float64]) -> Levels:
    """Return the levels in dB of energies averaged over five frames, `(frames,)`."""
    mean = np.convolve(energies, np.full(SMOOTHED, 1 / SMOOTHED), "same") if len(energies) else energies
    return np.asarray(10 * np.log10(np.maximum(mean[: len(energies)], 10 ** (_SILENT_DB / 10))))


def _mean_level(energies: Levels, spans: Iterable[Span]) -> float:
    """Return the level in dB of the mean energy within spans."""
    within = [energies[round(begin / FRAME) : round(end / FRAME)] for begin, end in spans]
    return float(10 * np.log10(max(np.concatenate(within).mean(), 10 ** (_SILENT_DB / 10))))


def speech_spans(levels: Mapping[str, Levels]) -> dict[str, tuple[Span, ...]]:
    """Return the intervals of speech from the levels of both stems in dB, `(frames,)` each."""
    if not any(map(len, levels.values())):
        return dict.fromkeys(levels, ())
    loud = max(float(np.percentile(level, LOUD)) for level in levels.values())
    spans = {}
    for stem, other in zip(STEMS, reversed(STEMS), strict=True):
        least = np.maximum(noise_floor(levels[stem]) + ABOVE_FLOOR, loud - BELOW_LOUD)
        spans[stem] = spans_above(levels[stem], np.maximum(least, levels[other] - BELOW_OTHER))
    return spans


def noise_floor(levels: Levels) -> Levels:
    """Return the noise floor at each frame: the lowest 10th percentile of a second within 10 s."""
    half = round(FLOOR_SECONDS / FRAME / 2)
    block = round(1 / FRAME)
    lowest = np.array([np.percentile(levels[at : at + block], 10) for at in range(0, len(levels), block)])
    reach = half // block
    padded = np.pad(lowest, reach, constant_values=np.inf)
    followed = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(axis=1)
    return np.asarray(np.repeat(followed, block)[: len(levels)])


def spans_above(levels: Levels, least: Levels) -> tuple[Span, ...]:
    """Return intervals in which levels reach `least`, with hysteresis, without short pauses and sounds."""
    begun, kept = levels >= least, levels >= least - HYSTERESIS
    runs = [(begin, end) for begin, end in _runs(kept) if begun[begin:end].any()]
    joined: list[tuple[int, int]] = []
    for begin, end in runs:
        if joined and (begin - joined[-1][1]) * FRAME < SHORTEST_PAUSE:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return tuple(
        (round(begin * FRAME, 3), round(end * FRAME, 3))
        for begin, end in joined
        if (end - begin) * FRAME >= SHORTEST_SPEECH
    )


def _runs(true: npt.NDArray[np.bool_]) -> Iterable[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], true, [False])).astype(np.int8)))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
