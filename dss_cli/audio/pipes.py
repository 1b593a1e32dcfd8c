"""A WAV on a pipe: no seeking back, no known length, no second pass."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from ..errors import UsageError
from .containers import wav_stream_header
from .formats import FLOATING, rounded

_SUBTYPES = ("PCM_16", "PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")


class PipeWriter:
    """Write float32 blocks as a WAV of unknown length; samples beyond full scale are clamped.

    The header goes out together with the first samples: SoX, for one, takes a header alone for a whole file.

    Args:
        pipe: a binary stream, open for writing.
        name: the stream as messages call it.
        rate: in Hz.
        channels: of the blocks.
        subtype: the encoding asked for, None for the input's.
        source_subtype: the input's encoding; PCM_16 where a WAV stream cannot carry it.
        mask: which loudspeaker each channel is for, None where that is not said.
        raw: samples alone, without a header.

    Raises:
        UsageError: `pipe` is a terminal, or a WAV stream has no such encoding.
    """

    def __init__(
        self,
        pipe: BinaryIO,
        name: str,
        rate: int,
        channels: int,
        subtype: str | None,
        source_subtype: str,
        mask: int | None = None,
        raw: bool = False,
    ) -> None:
        if pipe.isatty():
            raise UsageError(f"{name} is a terminal; redirect it, or name a file")
        if subtype is not None and subtype.upper() not in _SUBTYPES:
            raise UsageError(f"{name} carries {', '.join(_SUBTYPES)}, not '{subtype}'")
        wanted = (subtype or source_subtype).upper()
        self.subtype = wanted if wanted in _SUBTYPES else _SUBTYPES[0]
        self.clipped = 0
        self._pipe = pipe
        self._rate = rate
        self._header = b"" if raw else wav_stream_header(rate, channels, self.subtype, mask)

    def write(self, block: NDArray[np.float32]) -> None:
        """Append (frames, channels) samples.

        Raises:
            OSError: the pipe's reader has gone.
        """
        if not len(block):
            return
        if self.subtype not in FLOATING:
            self.clipped += int(np.count_nonzero(np.abs(block) > 1.0))
        encoded = io.BytesIO()
        sf.write(encoded, rounded(block, self.subtype), self._rate, self.subtype, "LITTLE", "RAW")
        self._send(self._header + encoded.getvalue())
        self._header = b""

    def flush(self) -> None:
        """Send what is buffered (and the header, were there no samples)."""
        self._send(self._header)
        self._header = b""
        self._pipe.flush()

    def _send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._pipe.write(left) :]
