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
SEGMENT = 20 * SAMPLE_RATE  # frames of one MP3
LEAD = 1152  # frames: two frames of an MP3
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


def mp3(samples: Floats) -> bytes:
    """Return float32 samples `(frames,)` at 16 kHz as an MP3."""
    buffer = io.BytesIO()
    sf.write(
        buffer,
        samples,
        SAMPLE_RATE,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="VARIABLE",
        compression_level=_QUALITY,
    )
    return buffer.getvalue()


class Excerpt:
    """The first part of a recording and of its stems as MP3s, within limits.

    All channels are averaged, and all rates converted to 16 kHz. Each track is a list of MP3s of `segment`
    frames, so that a page can play the first one while it decodes the others. Each MP3 contains `lead` more
    frames before and after its segment, because an encoder distorts the edges.

    Args:
        rate: sample rate of the blocks in Hz.
        most_bytes: limit for all MP3s together; the last segment may exceed it.
        most_seconds: limit for the length.
        segment, lead: lengths in frames at 16 kHz.

    Attributes:
        frames: frames of each track, at 16 kHz.
        peak: largest magnitude in the three tracks and in the sum of the stems.
        segment, lead: as given.
        tracks: MP3s of each track; complete after `finish`.

    Raises:
        DssError: see `check_mp3`.
    """

    def __init__(
        self, rate: float, most_bytes: int, most_seconds: float, segment: int = SEGMENT, lead: int = LEAD
    ) -> None:
        check_mp3()
        self.frames = 0
        self.peak = 0.0
        self.segment, self.lead = segment, lead
        self._room = most_bytes
        self._most_frames = int(most_seconds * SAMPLE_RATE)
        self.tracks: dict[str, list[bytes]] = {name: [] for name in TRACKS}
        self._resampler = Resampler(rate, SAMPLE_RATE, len(TRACKS))
        self._rest = np.zeros((lead, len(TRACKS)), np.float32)  # begins `lead` frames before the next segment
        self._full = False

    def push(self, mixture: Floats, near: Floats, far: Floats) -> None:
        """Add a float32 block `(frames, channels)` of the recording and of each stem."""
        if not self._full:
            mono = [block.mean(axis=1, dtype=np.float32) for block in (mixture, near, far)]
            self._add(self._resampler.push(np.stack(mono, axis=1)))

    def finish(self) -> dict[str, list[bytes]]:
        """Encode the rest, and return the MP3s of each track; this is the last call."""
        if not self._full:
            self._add(self._resampler.flush())
        if len(self._rest) > self.lead:
            self._encode(np.pad(self._rest, ((0, self.lead), (0, 0))))
        return self.tracks

    def _add(self, block: Floats) -> None:
        block = block[: self._most_frames - self.frames]
        if not len(block):
            return
        self.frames += len(block)
        self.peak = max(self.peak, float(np.abs(block).max()), float(np.abs(block[:, 1] + block[:, 2]).max()))
        self._full = self.frames == self._most_frames
        self._rest = np.concatenate((self._rest, block))
        whole = self.segment + 2 * self.lead
        while len(self._rest) >= whole:
            self._encode(self._rest[:whole])
            self._rest = self._rest[self.segment :]
            if self._room <= 0:
                self.frames -= len(self._rest) - self.lead
                self._rest = self._rest[: self.lead]
                self._full = True

    def _encode(self, samples: Floats) -> None:
        for name, track in zip(TRACKS, samples.T, strict=True):
            part = mp3(track)
            self.tracks[name].append(part)
            self._room -= len(part)


def flac(samples: Floats, rate: int) -> bytes:
    """Return samples `(frames,)` as a 16-bit FLAC; samples beyond full scale are clipped."""
    buffer = io.BytesIO()
    sf.write(buffer, np.clip(samples, -1, 1), rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
