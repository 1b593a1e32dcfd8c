"""Sounds for embedding into a page: compressed in memory, blockwise."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import soundfile as sf

from ..audio import Resampler
from ..constants import SAMPLE_RATE
from ..errors import DssError

Floats = npt.NDArray[np.float32]

TRACKS = {"mixture": "Recording", "near": "Near", "far": "Far"}  # titles of the tracks by name
_QUALITY = 0.5  # of libsndfile's variable bit rate, 0 (best) to 1: about 30 kbit/s for speech


def check_mp3() -> None:
    """Check that libsndfile encodes MP3, the compressed format that all browsers decode.

    Raises:
        DssError: this libsndfile is older than 1.1, or was built without MP3.
    """
    if "MP3" not in sf.available_formats():
        raise DssError(
            f"libsndfile {sf.__libsndfile_version__} writes no MP3, which the sound of a page needs; "
            "pip install --force-reinstall soundfile"
        )


class Compressor:
    """Encoder of one channel at 16 kHz into an MP3 in memory."""

    def __init__(self) -> None:
        self._file = io.BytesIO()
        self._sound = sf.SoundFile(
            self._file,
            "w",
            SAMPLE_RATE,
            1,
            format="MP3",
            subtype="MPEG_LAYER_III",
            bitrate_mode="VARIABLE",
            compression_level=_QUALITY,
        )

    def push(self, samples: Floats) -> None:
        """Add float32 samples `(frames,)`."""
        self._sound.write(samples)

    @property
    def size(self) -> int:
        """Number of bytes so far."""
        return self._file.getbuffer().nbytes

    def finish(self) -> bytes:
        """Return the file; this is the last call."""
        self._sound.close()
        return self._file.getvalue()


class Excerpt:
    """The first part of a recording and of its stems as three MP3s of equal length, within limits.

    All channels are averaged, and all rates converted to 16 kHz. Memory is that of the MP3s.

    Args:
        rate: sample rate of the blocks in Hz.
        channels: number of channels of the blocks.
        most_bytes: limit for the three MP3s together.
        most_seconds: limit for the length.

    Attributes:
        frames: frames of each MP3, at 16 kHz.
        peak: largest magnitude in the three tracks and in the sum of the stems.

    Raises:
        DssError: see `check_mp3`.
    """

    def __init__(self, rate: float, most_bytes: int, most_seconds: float) -> None:
        check_mp3()
        self.frames = 0
        self.peak = 0.0
        self._most_bytes = most_bytes
        self._most_frames = int(most_seconds * SAMPLE_RATE)
        self._tracks = [Compressor() for _ in TRACKS]
        self._resampler = Resampler(rate, SAMPLE_RATE, len(TRACKS))
        self._full = False

    def push(self, mixture: Floats, near: Floats, far: Floats) -> None:
        """Add a float32 block `(frames, channels)` of the recording and of each stem."""
        if not self._full:
            mono = [block.mean(axis=1, dtype=np.float32) for block in (mixture, near, far)]
            self._add(self._resampler.push(np.stack(mono, axis=1)))

    def finish(self) -> dict[str, bytes]:
        """Return the MP3 of each track; this is the last call."""
        if not self._full:
            self._add(self._resampler.flush())
        return {name: track.finish() for name, track in zip(TRACKS, self._tracks, strict=True)}

    def _add(self, block: Floats) -> None:
        block = block[: self._most_frames - self.frames]
        if not len(block):
            return
        self.frames += len(block)
        self.peak = max(self.peak, float(np.abs(block).max()), float(np.abs(block[:, 1] + block[:, 2]).max()))
        for samples, track in zip(block.T, self._tracks, strict=True):
            track.push(np.ascontiguousarray(samples))
        size = sum(track.size for track in self._tracks)
        self._full = self.frames >= self._most_frames or size >= self._most_bytes


def flac(samples: Floats, rate: int) -> bytes:
    """Return samples `(frames,)` as a 16-bit FLAC; samples beyond full scale are clipped."""
    buffer = io.BytesIO()
    sf.write(buffer, np.clip(samples, -1, 1), rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
