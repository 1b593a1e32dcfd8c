"""Signal constants of all models, files and figures of this project.

The runtime modules (STFT, LiteRT, separation) and the training modules (Keras network, export) share these
constants. This module imports only the standard library, so that neither side loads packages of the other.
"""

from __future__ import annotations

import reprlib
from dataclasses import asdict, dataclass
from typing import Any

from .errors import DssError

STEMS = ("near", "far")  # outputs of a model, in this order everywhere
SAMPLE_RATE = 16_000  # Hz
RATES = range(8_000, 384_001)  # Hz, of recordings
SPEED_OF_SOUND = 343.0  # metres per second, in air at 20 °C
WINDOW = 512  # samples: 32 ms, square-root Hann for analysis and synthesis
HOP = 128  # samples: 8 ms
BINS = WINDOW // 2  # the lowest 256 of 257; the Nyquist bin uses the mask of the bin below it
EXPONENT = 0.3  # power-law compression |X|^0.3 (Braun & Tashev 2020)
CHUNK_SECONDS = 3
OVERLAP = 0.25  # default overlap of consecutive chunks, as a share of a chunk
LONGEST_WINDOW = 16_384  # samples
LARGEST_CHUNK = 1 << 23  # samples of all windows of a chunk, a limit of memory
MAX_OVERLAP = 0.5  # with more, three chunks would share a frame


@dataclass(frozen=True)
class SignalConfig:
    """Signal constants of a model: sizes in samples, frames per chunk, compression.

    Each model card states them; the streaming engine uses the card, not the defaults.

    Raises:
        DssError: a value is invalid; the message names it.
    """

    sample_rate: int = SAMPLE_RATE
    window: int = WINDOW
    hop: int = HOP
    bins: int = BINS
    exponent: float = EXPONENT
    frames: int = SAMPLE_RATE * CHUNK_SECONDS // HOP  # frames of one chunk, the fixed length of the network

    def __post_init__(self) -> None:
        for name in ("sample_rate", "window", "hop", "bins", "frames"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
                raise DssError(f"signal constant {name}={reprlib.repr(value)} is not a positive integer")
        if not 8000 <= self.sample_rate <= 192_000:
            raise DssError(f"sample_rate={self.sample_rate} lies outside 8000 to 192000")
        if self.window > LONGEST_WINDOW or self.frames * self.window > LARGEST_CHUNK:
            raise DssError(
                f"window={self.window} and frames={self.frames} are more than {LONGEST_WINDOW} samples, or "
                f"{LARGEST_CHUNK} in a chunk"
            )
        if self.window % (2 * self.hop):
            raise DssError(
                f"hop={self.hop} does not divide half of window={self.window}: "
                "the square-root Hann windows would not sum to one"
            )
        if self.bins != self.window // 2:
            raise DssError(f"bins={self.bins} is not half of window={self.window}")
        if not 0.0 < self.exponent <= 1.0:
            raise DssError(f"exponent={reprlib.repr(self.exponent)} lies outside (0, 1]")

    @property
    def chunk_seconds(self) -> float:
        """Duration of the hops of one chunk in seconds."""
        return self.frames * self.hop / self.sample_rate

    def to_dict(self) -> dict[str, Any]:
        """Return the constants for a model card."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SignalConfig:
        """Read the constants of a model card.

        Raises:
            DssError: a constant is missing, unknown or out of range.
        """
        expected = set(cls.__dataclass_fields__)
        if set(values) != expected:
            odd = sorted(expected.symmetric_difference(values))
            raise DssError(f"signal constants missing or unknown: {', '.join(odd)[:200]}")
        return cls(**values)
