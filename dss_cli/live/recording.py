"""Recording of `dss live` in growing WAV files, which are readable at any time, even after a kill."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from ..audio.containers import wav_stream_header
from ..errors import DssError, UsageError

Floats = NDArray[np.float32]

NAMES = ("mixture", "near", "far")
LARGEST = 1 << 31  # bytes of samples per file (18 hours at 16 kHz), after which the next file begins
_HEADER = 44
_FRAME = 2  # bytes: 16 bits, mono


class Recording:
    """Recorder of mixture, near and far in a folder, mono and aligned to the sample.

    The header of each file is correct after every block, so that no complete block is lost when the program
    ends.

    Args:
        folder: folder to create; it must not contain a recording.
        rate: sample rate in Hz.
        largest: bytes of samples per file.

    Raises:
        UsageError: the folder contains a recording.
        DssError: the folder cannot be written.
    """

    def __init__(self, folder: Path, rate: int, largest: int = LARGEST) -> None:
        self.folder, self.rate, self._largest = folder, rate, largest
        self.frames = 0
        self._part = 0
        self._files: dict[str, _GrowingWav] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DssError(f"{folder}: the folder cannot be created: {error.strerror}") from error
        if there := [name for name in NAMES if (folder / f"{name}.wav").exists()]:
            raise UsageError(f"{folder / there[0]}.wav: exists already; --record needs another folder")
        self._begin_part()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, blocks: Mapping[str, Floats]) -> None:
        """Append blocks of equal length, by name.

        Raises:
            DssError: the disk is full, or the folder is missing.
        """
        if self._files[NAMES[0]].bytes + _FRAME * len(blocks[NAMES[0]]) > self._largest:
            self._begin_part()
        for name in NAMES:
            self._files[name].write(blocks[name])
        self.frames += len(blocks[NAMES[0]])

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()

    def _begin_part(self) -> None:
        self.close()
        self._part += 1
        ending = ".wav" if self._part == 1 else f".{self._part}.wav"
        self._files = {name: _GrowingWav(self.folder / f"{name}{ending}", self.rate) for name in NAMES}


class _GrowingWav:
    """16-bit mono WAV file whose header is updated with each block."""

    def __init__(self, path: Path, rate: int) -> None:
        self.path, self.bytes = path, 0
        try:
            self._file = path.open("xb", buffering=0)
            self._file.write(wav_stream_header(rate, 1, "PCM_16"))
            self._set_sizes()
        except OSError as error:
            raise DssError(f"{path}: cannot be written: {error.strerror}") from error

    def write(self, block: Floats) -> None:
        data = np.clip(np.rint(block * 32_768.0), -32_768, 32_767).astype("<i2").tobytes()
        try:
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]
            self.bytes += len(data)
            self._set_sizes()
        except OSError as error:
            raise DssError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _set_sizes(self) -> None:
        for place, size in ((4, _HEADER - 8 + self.bytes), (_HEADER - 4, self.bytes)):
            self._file.seek(place)
            self._file.write(struct.pack("<I", size))
        self._file.seek(_HEADER + self.bytes)

    def close(self) -> None:
        self._file.close()
