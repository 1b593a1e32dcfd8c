"""Decode formats that libsndfile cannot read, or cannot read to their end, with FFmpeg through PyAV.

PyAV is part of the optional extra `formats`. Encoder delay and padding are removed if the container
states them.
"""

from __future__ import annotations

import io
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import DssError, UsageError
from .blocks import BlockBuffer, at_one_rate
from .layouts import mask_of
from .mpeg import DECODER_DELAY, InfoFrame, info_frame_within

if TYPE_CHECKING:
    from av import AudioFrame

Floats = NDArray[np.float32]

_log = logging.getLogger(__name__)

INSTALL = "`pip install 'dss-cli[formats]'`"
# Self-contained containers. Playlists and scripts (HLS, concat, DASH, SDP) are excluded, because they make
# FFmpeg open other files or network addresses.
_CONTAINERS = (
    *("mp3", "aac", "loas", "mov", "matroska", "asf", "ogg", "flac", "avi", "flv", "mpegts", "mpeg"),
    *("wav", "w64", "aiff", "caf", "au", "ac3", "eac3", "dts", "amr", "amrnb", "amrwb", "wv", "ape"),
    *("tta", "tak", "mpc", "mpc8", "dsf", "rm", "3gp", "oma", "gsm", "voc", "nut", "ivf", "mp2", "truehd"),
)
_OPTIONS = {"format_whitelist": ",".join(_CONTAINERS), "protocol_whitelist": "none"}
_LONGEST_PADDING = 8192  # samples behind the stated length that count as padding; more samples are sound
_NAMES = {"mp3": "MPEG_LAYER_III", "mp3float": "MPEG_LAYER_III", "vorbis": "VORBIS", "opus": "OPUS"}
_PLAIN = {"u8": "PCM_U8", "s16": "PCM_16", "s32": "PCM_24", "flt": "FLOAT", "dbl": "DOUBLE"}
_LOSSLESS = {"flac", "alac", "wavpack", "tta", "ape", "tak", "mlp", "truehd"}
_SCALES = {"u8": 1 / 128, "s16": 1 / (1 << 15), "s32": 1 / (1 << 31), "s64": 1 / (1 << 63)}


class Undecodable(Exception):
    """Decoder failure in the middle of a recording; the text is the reason."""


def available() -> bool:
    """Return whether the extra `formats` is installed."""
    return find_spec("av") is not None


class FFmpegSound(BlockBuffer):
    """Decoded samples of one audio track of a file.

    Args:
        file: the recording, open and seekable.
        name: name of the recording, for messages.
        track: number of the audio track, from 1.
        stack: exit stack that closes the container.
        info: info frame of an MP3, None if there is none.

    Attributes:
        samplerate, channels: rate in Hz and channels of the track; later rates are converted to the first.
        format: FFmpeg's name of the container, in capitals.
        subtype: libsndfile's name of the encoding if it has one, else FFmpeg's name in capitals.
        frames: None, because the stated length is not relied on.
        estimate: length in frames by the container, for a progress bar; None if unknown.
        mask: channel mask (see `layouts`), None if unknown.
        tracks: number of audio tracks.

    Raises:
        DssError: FFmpeg cannot read the file, or the file has no audio.
        UsageError: there is no track of that number.
        Undecodable: FFmpeg cannot continue; raised by `read`.
    """

    def __init__(
        self, file: BinaryIO, name: str, track: int, stack: ExitStack, info: InfoFrame | None = None
    ) -> None:
        import av

        self._av = av
        self._name = name
        self._info = info
        try:
            container = stack.enter_context(
                av.open(_Reader(file), options=dict(_OPTIONS), metadata_errors="replace")  # type: ignore[call-overload,unused-ignore]
            )
        except (av.error.FFmpegError, ValueError) as error:
            raise DssError(f"{name}: FFmpeg: {_reason(error)}") from error
        streams = container.streams.audio
        self.tracks = len(streams)
        if not streams:
            raise DssError(f"{name}: there is no audio in it")
        if track > self.tracks:
            raise UsageError(f"{name}: there is no audio track {track}; it has {self.tracks}")
        stream = streams[track - 1]
        context = stream.codec_context
        if context is None:
            raise DssError(f"{name}: nothing is known that decodes its audio track {track}")
        self.format: str = container.format.name.split(",")[0].upper()
        self.subtype = _subtype(context.name, context.format.name if context.format else "")
        self.frames: int | None = None
        self.bad_packets = 0
        self._packets, self._packets_declared = 0, stream.frames
        decoded = self._frames(container, stream)
        try:
            first = next(decoded)  # HE-AAC headers may state half the rate, or one channel of two
        except (StopIteration, Undecodable) as error:
            raise DssError(f"{name}: no audio could be decoded (0 frames); is it truncated?") from error
        self.samplerate, self.channels = first[1], first[0].shape[1]
        mask = mask_of([speaker.name for speaker in context.layout.channels])
        self.mask = mask if mask is not None and mask.bit_count() == self.channels else None
        self.estimate: int | None = self._estimated_length(container)
        self._stated = _stated_length(container, stream, self.samplerate)
        pieces = at_one_rate(chain([first], decoded), self.samplerate, self.channels, name)
        super().__init__(self._trimmed(pieces), self.channels)

    def _estimated_length(self, container: Any) -> int | None:
        if not container.duration or container.duration < 0:
            return None
        return int(container.duration / self._av.time_base * self.samplerate)

    def complaints(self, delivered: int) -> list[str]:
        """Return messages about missing or damaged parts, after all `delivered` frames were read."""
        if self._packets_declared > self._packets:
            return [f"truncated: {self._packets} of the {self._packets_declared} packets it declares"]
        stated = self._info.length if self._info else self._stated
        slack = 0 if self._info else _LONGEST_PADDING
        if stated is not None and delivered + slack < stated:
            return [f"truncated: {delivered} of the {stated} frames it declares"]
        if self.bad_packets:
            return [f"damaged: {self.bad_packets} of its {self._packets} packets cannot be decoded"]
        return []

    def _frames(self, container: Any, stream: Any) -> Iterator[tuple[Floats, int]]:
        """Yield samples and rate of each decoded frame; count the packets that cannot be decoded."""
        link = _Mp3Link(self._info) if self.subtype == "MPEG_LAYER_III" else None
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except self._av.error.FFmpegError as error:
                raise Undecodable(_reason(error)) from error
            except IndexError:  # of a track that began on the way (MPEG-TS), unknown to PyAV
                packets = container.demux(stream)
                continue
            if packet is None:
                return
            self._packets += packet.size > 0
            self.bad_packets += packet.is_corrupt
            if link is not None and link.begins_with(packet):
                continue
            try:
                frames = packet.decode()
            except self._av.error.EOFError:
                return
            except self._av.error.FFmpegError as error:
                _log.info("%s: a packet that cannot be decoded: %s", self._name, _reason(error))
                self.bad_packets += 1
                continue
            for frame in frames:
                samples = _samples(frame)
                if link is not None:
                    samples = link.cut(samples)
                if len(samples):
                    yield samples, frame.sample_rate

    def _trimmed(self, blocks: Iterator[Floats]) -> Iterator[Floats]:
        """Remove the padding behind the stated length, unless it is longer than any padding."""
        if self._stated is None:
            yield from blocks
            return
        left, held, behind = self._stated, deque[Floats](), 0
        for block in blocks:
            if left:
                if len(now := block[:left]):
                    yield now
                left, block = left - len(now), block[len(now) :]
            if len(block):
                held.append(block)
                behind += len(block)
                if behind > _LONGEST_PADDING:
                    yield from held
                    yield from blocks
                    return


class _Mp3Link:
    """Remove encoder delay and padding inside joined MP3 files; FFmpeg does so only for a single file.

    Args:
        first: info frame of the first file. FFmpeg removes the delay of that file, and its padding if no
            other file follows.
    """

    def __init__(self, first: InfoFrame | None) -> None:
        self._skip = 0
        self._left = first.length if first else None  # samples until the padding
        self._padding = _decoded_padding(first) if first else 0

    def begins_with(self, packet: Any) -> bool:
        """Return whether `packet` is the info frame of a further file; such a packet has no sound."""
        info = info_frame_within(bytes(packet)) if packet.size else None
        if info is None:
            return False
        self._skip = info.delay + DECODER_DELAY if info.delay else 0
        self._left, self._padding = info.length, _decoded_padding(info)
        return True

    def cut(self, samples: Floats) -> Floats:
        """Return the samples of a packet without delay and padding."""
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        samples = samples[skipped:]
        if self._left is None:
            return samples
        sound, behind = samples[: self._left], samples[self._left :]
        self._left -= len(sound)
        padding = min(self._padding, len(behind))
        self._padding -= padding
        return np.concatenate((sound, behind[padding:]))


def _decoded_padding(info: InfoFrame) -> int:
    """Return the padding samples that a decoder outputs; the rest remains in the decoder as its delay."""
    return max(0, info.padding - DECODER_DELAY)


class _Reader:
    """Minimal file object for PyAV, without a file name that could mislead FFmpeg about the format."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.seek(0)

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _stated_length(container: Any, stream: Any, rate: int) -> int | None:
    """Return the length in samples of an MP4 by its edit list or header; None for other containers."""
    if not container.format.name.startswith("mov") or not stream.duration or not stream.time_base:
        return None
    length: int = round(stream.duration * stream.time_base * rate)
    return length


def _subtype(codec: str, sample_format: str) -> str:
    kind = sample_format.removesuffix("p")
    if codec.startswith("pcm_s32"):
        return "PCM_32"
    if codec in _LOSSLESS or codec.startswith(("pcm_s", "pcm_u", "pcm_f")):
        return _PLAIN.get(kind, "PCM_24")
    return _NAMES.get(codec, codec.upper())


def _samples(frame: AudioFrame) -> Floats:
    """Return a decoded frame as float32 (frames, channels) with full scale at 1."""
    array = frame.to_ndarray()
    channels = frame.layout.nb_channels
    columns = array.T if frame.format.is_planar else array.reshape(-1, channels)
    kind = frame.format.name.removesuffix("p")
    scale = _SCALES.get(kind)
    if scale is None:
        return columns.astype(np.float32)
    offset = 128 if kind == "u8" else 0
    scaled: Floats = ((columns.astype(np.float64) - offset) * scale).astype(np.float32)
    return scaled


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error).strip(". ") or type(error).__name__
