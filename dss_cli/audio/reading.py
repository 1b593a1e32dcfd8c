"""Read recordings block by block, and detect damage that libsndfile hides."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from ..constants import RATES
from ..errors import DssError
from ..utils.captured_output import captured_stderr
from ..utils.descriptors import PIPE
from .decoding import Undecodable
from .sources import open_source

BLOCK = 65_536  # frames
LARGEST = 1e10  # times full scale: above 32-bit integers in a float file, far below the float32 maximum
_SIZE_FIELD = 1 << 32  # bytes at which the 32-bit size of a WAV or AIFF wraps around to 0

# Messages about damage that libsndfile writes only to its log, for containers that we do not parse.
_LOGGED_DAMAGE = re.compile(
    r"^\s*(?:data|Data Size|riff)\s*:\s*\d+ \(should be \d+\)"
    r"|File ended unexpectedly|Junk after the last page|lacks an end-of-stream"
    r"|Seems to be a truncated file",
    re.MULTILINE,
)


class AudioReader:
    """Reader of a recording as float32 blocks at its own rate, in bounded memory.

    Use the reader as a context manager, and iterate `blocks()` once.

    Args:
        source: path, or '-' for standard input, where a WAV may have any length.
        track: number of the audio track, from 1.
        strict: raise an error on damage instead of a warning.
        warn: receives one line for each damage: fewer samples than declared (truncated), decoder
            errors, samples that are not finite (replaced by 0). It also receives a line about further
            audio tracks.

    Attributes:
        name: name of the source, for messages.
        samplerate: rate in Hz, 8000 to 384000.
        channels: number of channels.
        format: libsndfile's name of the container, e.g. 'WAV', or FFmpeg's in capitals.
        subtype: libsndfile's name of the encoding, e.g. 'PCM_16', or FFmpeg's in capitals.
        frames: exact number of frames, None if no header states it.
        estimate: number of frames, exact or estimated, for a progress bar; None if unknown.
        mask: channel mask (see `layouts`), None if unknown.
        delivered: number of frames read so far.

    Raises:
        DssError: the source is unreadable, empty or has no frame, its rate is out of range, or (with
            `strict`) it is damaged. `blocks()` raises it too, for damage that appears while reading.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        track: int = 1,
        strict: bool = False,
        warn: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.name = "standard input" if os.fspath(source) == PIPE else os.fspath(source)
        self.delivered = 0
        self._strict = strict
        self._warn = warn
        self._damaged = False
        self._broken = False  # the decoder has failed; another read would fail again
        with ExitStack() as stack:
            self._source = open_source(source, self.name, track, stack)
            self._sound = self._source.sound
            self.samplerate: int = self._sound.samplerate
            self.channels: int = self._sound.channels
            self.format = self._source.format
            self.subtype: str = self._sound.subtype
            self.frames = self._source.frames
            self.mask = self._source.mask
            self.estimate = self._source.estimate if self.frames is None else self.frames
            self._check_header()
            for note in self._source.notes:
                warn(f"{self.name}: {note}")
            self._stack = stack.pop_all()

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; further calls have no effect."""
        self._stack.close()

    def blocks(self, size: int = BLOCK) -> Iterator[NDArray[np.float32]]:
        """Yield float32 blocks (frames, channels) of `size` frames; the last block may be shorter.

        Raises:
            DssError: there is no frame, a sample lies beyond `LARGEST`, or (with `strict`) there is damage.
        """
        odd = 0  # samples that are not finite
        while len(block := self._read(size)):
            self.delivered += len(block)
            finite = np.isfinite(block)
            if not finite.all():
                odd += block.size - int(np.count_nonzero(finite))
                block[~finite] = 0.0
            self._refuse_absurd(block)
            yield block
        if not self.delivered:
            raise DssError(f"{self.name}: no audio could be decoded (0 frames); is it truncated?")
        if self.frames is not None and self.delivered < self.frames and not self._damaged:
            self._damage(f"truncated: {self.delivered} of the {self.frames} frames it declares")
        elif not self._damaged:
            for complaint in self._source.complaints(self.delivered):
                self._damage(complaint)
        if odd:
            plural = "samples are" if odd > 1 else "sample is"
            self._damage(f"{odd} {plural} not finite (NaN or infinity); read as 0")

    def _read(self, size: int) -> NDArray[np.float32]:
        """Return one block, shorter or empty at the end."""
        if self.frames is not None:
            size = min(size, self.frames - self.delivered)
        block = np.full((size, self.channels), np.nan, np.float32)
        if size == 0 or self._broken:
            return block[:0]
        # Only mpg123 inside libsndfile prints messages, for healthy files too.
        with captured_stderr() if self.format == "MP3" else nullcontext():
            try:
                return block[: len(self._sound.read(out=block))]
            except (sf.SoundFileError, Undecodable) as error:
                reason = getattr(error, "error_string", str(error)).strip(" .")
        # The exception hides the count of decoded samples; NaN marks where they end.
        self._broken = True
        missing = np.isnan(block).any(axis=1)
        count = int(missing.argmax()) if missing.any() else size
        if total := self.delivered + count:
            self._damage(f"damaged: nothing can be decoded after {total} frames ({reason})")
        return block[:count]

    def _refuse_absurd(self, block: NDArray[np.float32]) -> None:
        """Raise DssError for values that no recording has and that overflow a float32 spectrum."""
        if not block.size or max(float(block.max()), -float(block.min())) <= LARGEST:
            return
        row = int(np.abs(block).max(axis=1).argmax())
        seconds = (self.delivered - len(block) + row) / self.samplerate
        largest = np.abs(block[row]).max()
        raise DssError(
            f"{self.name}: a sample of {largest:.3g} at {seconds:.2f} s, where full scale is 1: "
            "not audio, or samples read with a wrong encoding"
        )

    def _check_header(self) -> None:
        if self.format == "RAW":
            raise DssError(f"{self.name}: no audio format recognised")
        if self.samplerate not in RATES:
            raise DssError(
                f"{self.name}: sample rate {self.samplerate} Hz lies outside "
                f"{RATES[0]} to {RATES[-1]} Hz; resample it first"
            )
        header, present = self._source.header, self._source.present
        declared = header.audio_bytes if header else None
        if present == 0 or (declared == 0 and self.frames == 0):
            raise DssError(f"{self.name}: a header without audio (0 frames)")
        if self.frames == 0:
            raise DssError(f"{self.name}: no audio in the file (0 frames); is it truncated?")
        if declared is not None and present is not None and present < declared:
            self._damage(f"truncated: {present} of the {declared} audio bytes it declares")
        elif declared is not None and present is not None and present - declared >= _SIZE_FIELD:
            self._damage(
                f"damaged: it declares {declared} audio bytes and holds {present}; written by a "
                "program that cannot count beyond 4 GiB?"
            )
        elif _LOGGED_DAMAGE.search(self._source.log):
            self._damage(f"truncated: the {self.format} stream ends before its end mark")

    def _damage(self, what: str) -> None:
        self._damaged = True
        if self._strict:
            raise DssError(f"{self.name}: {what} (refused by strict reading)")
        self._warn(f"{self.name}: {what}")
