"""Write the stems of one recording together: with one common gain, and complete at the same time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from ..errors import DssError
from ..utils.atomic_write import PendingFiles
from ..utils.descriptors import PIPE, standard_output
from .formats import OutputFormat, choose_format, rounded
from .layouts import write_mask
from .pipes import PipeWriter
from .reading import BLOCK
from .resampling import Resampler
from .targets import check_targets

_FULL_SCALE = 1.0 - 2.0**-15  # the largest positive sample of 16 bits


@dataclass(frozen=True)
class WriteReport:
    """Result of `StemGroup.commit`.

    Attributes:
        outputs: path or '-' by stem.
        frames: frames of each stem, at the rate of the blocks.
        gain: common factor of the stems in files (1.0: unchanged).
        clipped: samples beyond full scale; rescaled in files, clamped on standard output and pipes.
    """

    outputs: dict[str, str]
    frames: int
    gain: float
    clipped: int


class StemGroup:
    """Writers of the stems of one recording. Use the group as a context manager, and call `commit`.

    The common gain is known only at the end. Until then the samples are kept in unnamed float32 files in
    the target folders. Then each stem is written under a temporary name and flushed to the disk, and all
    stems are renamed together. If the context is left without `commit`, no file remains. A stem whose
    target is '-' (standard output), a FIFO or a device is written immediately, as a WAV of unknown length.
    Such a stem cannot be rescaled, so its samples are clamped.

    Args:
        targets: path or '-' by stem.
        rate: sample rate of the blocks in Hz.
        channels: number of channels of the blocks.
        source_subtype: encoding of the input, kept if the container allows.
        frames: number of frames if known, to choose RF64 or to refuse early.
        source: path of the input, which no output may be.
        subtype: encoding of all outputs, such as 'PCM_24' or 'FLOAT'; None: as the input.
        mask: channel mask (see `layouts`), None if unknown.
        overwrite: replace existing files.
        warn: receives one line for each property that cannot be kept, and for clipping.

    Raises:
        UsageError: as `check_targets` and `choose_format`, or standard output is a terminal.
        DssError: a file cannot be created or written, e.g. on a full disk.
    """

    def __init__(
        self,
        targets: Mapping[str, str | os.PathLike[str]],
        *,
        rate: int,
        channels: int,
        source_subtype: str,
        frames: int | None = None,
        source: str | os.PathLike[str] | None = None,
        subtype: str | None = None,
        mask: int | None = None,
        overwrite: bool = False,
        warn: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.rate = rate
        self.channels = channels
        self.frames = 0  # written so far to each stem
        self._warn = warn
        self._names = {stem: os.fspath(target) for stem, target in targets.items()}
        self._paths, streams = check_targets(targets, source, overwrite)
        self._formats = self._choose_formats(source_subtype, subtype, mask, frames or 0)
        self._peaks = dict.fromkeys(self._formats, 0.0)
        self._clipped = dict.fromkeys(self._formats, 0)
        self._pending = PendingFiles(overwrite)
        self._pipes: dict[str, PipeWriter] = {}
        self._spools: dict[str, IO[bytes]] = {}
        with ExitStack() as stack:
            stack.callback(self._pending.discard)
            for stem, path in self._paths.items():
                try:
                    spool = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115
                except OSError as error:
                    raise _write_error(self._names[stem], error) from error
                self._spools[stem] = stack.enter_context(spool)
            for stem, name in streams.items():
                self._pipes[stem] = PipeWriter(
                    self._open_stream(name, stack),
                    _called(name),
                    rate,
                    channels,
                    subtype,
                    source_subtype,
                    mask if channels > 2 else None,
                )
            self._stack = stack.pop_all()

    def __enter__(self) -> StemGroup:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self._stack.close()

    def write(self, blocks: Mapping[str, NDArray[np.float32]]) -> None:
        """Append one block to each stem: float32 (frames, channels), all with the same number of frames.

        Raises:
            DssError: the disk is full, or the reader of a pipe has closed it.
            ValueError: a stem is missing or unknown, or the blocks differ in length.
        """
        lengths = {len(block) for block in blocks.values()}
        if set(blocks) != set(self._names) or len(lengths) != 1:
            raise ValueError(f"one block of one length for each of {sorted(self._names)} expected")
        for stem, block in blocks.items():
            name = self._names[stem]
            try:
                if stem in self._pipes:
                    self._pipes[stem].write(block)
                    continue
                self._spools[stem].write(np.ascontiguousarray(block, np.float32).tobytes())
            except OSError as error:
                raise _write_error(name, error) from error
            if not self._formats[stem].floating and block.size:
                magnitude = np.abs(block)
                self._peaks[stem] = max(self._peaks[stem], float(magnitude.max()))
                self._clipped[stem] += int(np.count_nonzero(magnitude > 1.0))
        self.frames += lengths.pop()

    def commit(
        self,
        progress: Callable[[int, int], None] = lambda done, total: None,
        documents: Mapping[Path, Callable[[], bytes]] | None = None,
    ) -> WriteReport:
        """Write the files with their common gain, check their lengths, and rename them to their final names.

        Args:
            progress: called with (frames done, total frames) of all files together.
            documents: functions that return the contents of additional files, by checked path, called
                after the stems are written; the files appear together with the stems.

        Raises:
            DssError: a file cannot be written, or has a wrong length; then no file remains.
        """
        gain, clipped = 1.0, sum(self._clipped.values())
        if clipped:
            gain = _FULL_SCALE / max(self._peaks.values())
            self._warn(
                f"{clipped} samples would clip: all stems scaled by one gain, "
                f"{gain:.4f} ({20 * np.log10(gain):.2f} dB)"
            )
        done, total = 0, self.frames * len(self._paths)
        for stem, path in self._paths.items():
            name, spool = self._names[stem], self._spools[stem]
            layout = self._formats[stem]
            length = round(self.frames * layout.rate / self.rate)
            layout = layout.for_length(length, name, self._warn)
            temporary = self._pending.create(path)
            try:
                for frames in self._render(spool, temporary, layout, np.float32(gain)):
                    done += frames
                    progress(done, total)
                if layout.channels > 2 and layout.mask is not None:
                    write_mask(temporary, layout.mask)
                written = sf.info(_native(temporary)).frames
            except (OSError, sf.SoundFileError, AssertionError) as error:
                raise _write_error(name, error) from error
            if abs(written - length) > (layout.rate != self.rate):
                raise DssError(f"{name}: {written} frames written instead of {length}")
        for stem, pipe in self._pipes.items():
            clipped += self._finish_pipe(pipe, self._names[stem], gain)
        for path, content in (documents or {}).items():
            try:
                self._pending.create(path).write_bytes(content())
            except OSError as error:
                raise _write_error(str(path), error) from error
        self._pending.publish()
        return WriteReport(dict(self._names), self.frames, gain, clipped)

    def _open_stream(self, name: str, stack: ExitStack) -> BinaryIO:
        if name == PIPE:
            return stack.enter_context(standard_output())
        try:
            return stack.enter_context(Path(name).open("wb", buffering=0))
        except OSError as error:
            raise _write_error(name, error) from error

    def _finish_pipe(self, pipe: PipeWriter, name: str, gain: float) -> int:
        """Flush a pipe, warn about clamped samples and a missing gain, return the clamped samples' number."""
        try:
            pipe.flush()
        except OSError as error:
            raise _write_error(name, error) from error
        if pipe.clipped:
            self._warn(f"{_called(name)}: {pipe.clipped} samples clipped")
        if gain != 1.0:
            self._warn(f"{_called(name)}: written without the gain of the other stems")
        return pipe.clipped

    def _choose_formats(
        self, source_subtype: str, subtype: str | None, mask: int | None, frames: int
    ) -> dict[str, OutputFormat]:
        said: set[str] = set()

        def warn_once(message: str) -> None:
            if message not in said:
                said.add(message)
                self._warn(message)

        formats: dict[str, OutputFormat] = {}
        for stem, path in self._paths.items():
            layout = choose_format(
                path,
                rate=self.rate,
                channels=self.channels,
                source_subtype=source_subtype,
                subtype=subtype,
                mask=mask,
                warn=warn_once,
            )
            formats[stem] = layout.for_length(
                round(frames * layout.rate / self.rate), self._names[stem], warn_once
            )
        return formats

    def _render(self, spool: IO[bytes], path: Path, layout: OutputFormat, gain: np.float32) -> Iterator[int]:
        """Encode the spooled float32 samples into the final file; yield the frame count of each block."""
        spool.seek(0)
        resampler = Resampler(self.rate, layout.rate, self.channels)
        with sf.SoundFile(
            _native(path), "w", layout.rate, self.channels, layout.subtype, format=layout.container
        ) as sound:
            for block in self._spooled(spool):
                sound.write(rounded(resampler.push(block * gain), layout.subtype))
                yield len(block)
            sound.write(rounded(resampler.flush(), layout.subtype))

    def _spooled(self, spool: IO[bytes]) -> Iterator[NDArray[np.float32]]:
        while data := spool.read(BLOCK * self.channels * 4):
            yield np.frombuffer(data, np.float32).reshape(-1, self.channels)


def _native(path: Path) -> bytes | str:
    """Return a path in the form that soundfile accepts for names that are not valid UTF-8."""
    return os.fspath(path) if os.name == "nt" else os.fsencode(path)


def _called(name: str) -> str:
    return "standard output" if name == PIPE else name


def _write_error(name: str, error: BaseException) -> DssError:
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
    else:  # libsndfile does not report the system's reason
        reason = f"{getattr(error, 'error_string', 'short write')} Is the disk full?"
    return DssError(f"{_called(name)}: cannot be written: {reason}")
