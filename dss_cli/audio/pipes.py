"""Write WAV to a pipe: without seeking, without a known length, in one pass."""

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
    """Writer of float32 blocks as a WAV of unknown length; samples beyond full scale are clamped.

    The header is sent together with the first samples, because SoX takes a header alone for a complete file.

    Args:
        pipe: binary stream, open for writing.
        name: name of the stream, for messages.
        rate: sample rate in Hz.
        channels: number of channels of the blocks.
        subtype: requested encoding, None for the encoding of the input.
        source_subtype: encoding of the input; replaced by PCM_16 if a WAV stream cannot carry it.
        mask: channel mask (see `layouts`), None if unknown.
        raw: write samples without a header.

    Raises:
        UsageError: `pipe` is a terminal, or a WAV stream cannot carry the requested encoding.
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
        """Append a block of samples (frames, channels).

        Raises:
            OSError: the reader of the pipe has closed it.
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
        """Flush the pipe; send the header if there were no samples."""
        self._send(self._header)
        self._header = b""
        self._pipe.flush()

    def _send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._pipe.write(left) :]
