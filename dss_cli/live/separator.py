"""Live separator for frameworks: frames of any rate in, as many samples out, with a constant delay."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from ..constants import RATES
from ..errors import UsageError
from ..separation.separator import DEFAULT_MODEL, load_model
from ..separation.streaming import StreamingSeparator, describe
from .interpolation import Interpolator

if TYPE_CHECKING:
    from ..runtime.network import Network
    from ..runtime.timing import Timing

Floats = npt.NDArray[np.float32]
Keep = Literal["near", "far", "both"]
KEEPS: tuple[Keep, ...] = get_args(Keep)

LATENCY = 0.25  # seconds, of the model; rate conversion adds its own delay
FADE_SECONDS = 0.02  # duration of the crossfade between two choices of talkers, which avoids clicks
_SCALE = {np.dtype(np.int16): 2.0**15, np.dtype(np.int32): 2.0**31}


class LiveStems(NamedTuple):
    """Near and far of a frame, float32 [n] each, as long as the frame."""

    near: Floats
    far: Floats


class LiveSeparator:
    """Separator of a live signal: each call takes a frame and returns a frame of the same length.

    The output is `latency` seconds behind the input and starts with silence. The first frames of a recording
    may be assigned to the wrong talkers, because the model has no context yet (docs/user/live.md).

    Most calls return at once; one in several takes as long as the network needs for a chunk.

    Args:
        model: model as in `load_model`, or a loaded network, which may be shared.
        rate: sample rate of the frames in Hz.
        latency: largest latency of the model in seconds.
        keep: talkers to keep: `near`, `far` or `both`.
        balance: with `both`, level of the far talkers relative to the near talkers in dB, in addition to
            their own levels.
        delegate, threads: as in `load_model`.
        warn: receives one line if the CPU replaces a GPU.

    Attributes:
        rate: sample rate of the frames in Hz.

    Raises:
        UsageError: the rate is outside 8 to 384 kHz, the model offers no latency that short, `keep` is
            unknown, or the balance is out of range.
        DssError: the model or the delegate cannot be used.
    """

    def __init__(
        self,
        model: str | Path | Network = DEFAULT_MODEL,
        rate: int = 16_000,
        latency: float = LATENCY,
        keep: Keep = "near",
        balance: float = 0.0,
        delegate: str = "auto",
        threads: int | None = 1,
        warn: Callable[[str], None] = warnings.warn,
    ) -> None:
        if not isinstance(rate, int) or rate not in RATES:
            raise UsageError(f"rate {rate!r} lies outside {RATES.start} to {RATES.stop - 1} Hz")
        if isinstance(model, str | Path):
            model = load_model(model, delegate, threads, warn=warn)
        self.network: Network = model
        self.rate = rate
        self._asked = latency
        self._mixer = Mixer(rate, keep, balance)
        self.reset()

    def reset(self) -> None:
        """Forget the context; the next frame starts a new recording."""
        inner = self.network.signal.sample_rate
        self._engine = StreamingSeparator(self.network, context="past", latency=self._asked)
        self._down: Interpolator | None = None
        self._up: tuple[Interpolator, ...] = ()
        if self.rate != inner:
            self._down = Interpolator(self.rate, inner)
            self._up = (Interpolator(inner, self.rate), Interpolator(inner, self.rate))
        silence = np.zeros(self.delay, np.float32)
        self._ready = [silence, silence]

    @property
    def delay(self) -> int:
        """Delay of the output in samples."""
        engine: int = self._engine.latency
        if self._down is None:
            return engine
        ratio = self.rate / self.network.signal.sample_rate
        reach = Interpolator(self.network.signal.sample_rate, self.rate).reach
        return math.ceil((engine + reach) * ratio) + self._down.reach

    @property
    def latency(self) -> float:
        """Delay of the output in seconds, with rate conversion but without computing time."""
        return self.delay / self.rate

    @property
    def timing(self) -> Timing:
        """Timing of the chunks."""
        return self._engine.timing

    @property
    def advance_seconds(self) -> float:
        """Seconds between chunks, each of which is computed in one call."""
        signal = self.network.signal
        return self.timing.advance * signal.hop / signal.sample_rate

    @property
    def keep(self) -> Keep:
        """Talkers in the output; can be set at any time, with a crossfade."""
        return self._mixer.keep

    @keep.setter
    def keep(self, keep: Keep) -> None:
        self._mixer.set(keep, self._mixer.balance)

    @property
    def balance(self) -> float:
        """Level of the far talkers relative to the near talkers in dB, for `both`; can be set at any time."""
        return self._mixer.balance

    @balance.setter
    def balance(self, balance: float) -> None:
        self._mixer.set(self._mixer.keep, balance)

    def push(self, frame: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Add a frame; return a frame of the same shape and type, `latency` seconds behind the input.

        Args:
            frame: `[n]` or `[n, channels]` of any n; floating point with full scale at 1, or int16 or int32.
                Several channels are averaged; all channels of the output are equal.

        Raises:
            UsageError: the shape or type is wrong.
            DssError: a sample is not finite.
        """
        mono = _mono(frame)
        kept = self._mixer.mix(*self.push_stems(mono))
        scale = _SCALE.get(frame.dtype)
        if scale is not None:
            bounds = np.iinfo(frame.dtype)
            kept = np.clip(np.rint(kept.astype(np.float64) * scale), bounds.min, bounds.max)
        if frame.ndim == 2:
            kept = np.repeat(kept[:, np.newaxis], frame.shape[1], axis=1)
        return kept.astype(frame.dtype)

    def push_stems(self, frame: Floats) -> LiveStems:
        """Add float32 samples `[n]`; return near and far of the same length, `latency` seconds behind.

        Raises:
            UsageError, DssError: as `push`.
        """
        inner = frame if self._down is None else self._down.push(frame)
        stems: tuple[Floats, ...] = self._engine.push(inner)
        if self._up:
            stems = tuple(up.push(stem) for up, stem in zip(self._up, stems, strict=True))
        taken = []
        for number, stem in enumerate(stems):
            waiting = np.concatenate((self._ready[number], stem))
            taken.append(waiting[: len(frame)])
            self._ready[number] = waiting[len(frame) :]
        return LiveStems(*taken)

    def flush(self) -> Floats:
        """Return the last `delay` samples of a recording, float32; the next frame starts a new recording.

        Without this call, the last `latency` seconds of a recording are lost.
        """
        rest = self.push(np.zeros(self.delay, np.float32))
        self.reset()
        return rest


class Mixer:
    """Mixer of near and far, with a crossfade after each change of the choice.

    Raises:
        UsageError: `keep` is unknown, or `balance` is outside -120 to 120 dB.
    """

    def __init__(self, rate: int, keep: Keep, balance: float) -> None:
        self._fade = max(1, round(FADE_SECONDS * rate))
        self.set(keep, balance)
        self._gains = self._wanted

    def set(self, keep: Keep, balance: float) -> None:
        """Set the talkers to keep and their balance.

        Raises:
            UsageError: see `Mixer`.
        """
        if keep not in KEEPS:
            raise UsageError(f"keep {keep!r}: choose one of {', '.join(KEEPS)}")
        if not -120.0 <= balance <= 120.0:
            raise UsageError(f"balance {balance!r} lies outside -120 to 120 dB")
        self.keep, self.balance = keep, balance
        far = 10 ** (min(0.0, balance) / 20), 10 ** (min(0.0, -balance) / 20)
        gains = {"near": (1.0, 0.0), "far": (0.0, 1.0), "both": (far[1], far[0])}[keep]
        self._wanted = np.array(gains, np.float32)

    def mix(self, near: Floats, far: Floats) -> Floats:
        """Return the sum of near and far `[n]`, weighted with the current gains."""
        if np.array_equal(self._gains, self._wanted):
            steady: Floats = near * self._gains[0] + far * self._gains[1]
            return steady
        change = (self._wanted - self._gains)[:, np.newaxis]
        steps = np.arange(1, len(near) + 1, dtype=np.float32) / np.float32(self._fade)
        moved = np.clip(steps, 0, np.abs(change).max()) / np.abs(change).max()
        gains = self._gains[:, np.newaxis] + change * moved
        if len(near):
            self._gains = self._wanted if moved[-1] >= 1 else gains[:, -1].copy()
        faded: Floats = near * gains[0] + far * gains[1]
        return faded


def _mono(frame: npt.NDArray[Any]) -> Floats:
    """Return a frame as one channel of float32.

    Raises:
        UsageError: the shape or type is wrong.
    """
    if not isinstance(frame, np.ndarray) or frame.ndim not in (1, 2):
        raise UsageError(f"a frame is an array of shape (n,) or (n, channels), not {describe(frame)}")
    scale = _SCALE.get(frame.dtype)
    if scale is None and not np.issubdtype(frame.dtype, np.floating):
        raise UsageError(f"a frame is floating point, int16 or int32, not {describe(frame)}")
    if frame.ndim == 2 and not frame.shape[1]:
        raise UsageError(f"a frame has at least one channel, not {describe(frame)}")
    samples = frame if frame.ndim == 1 else frame.mean(axis=1)
    mono: Floats = np.ascontiguousarray(samples, np.float32)
    return mono if scale is None else mono / np.float32(scale)
