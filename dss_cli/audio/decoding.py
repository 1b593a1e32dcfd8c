"""Decode what libsndfile does not read, or not to its end, by FFmpeg's libraries through PyAV.

PyAV is the optional extra `formats`. Samples come as the decoder gives them; encoder delay and padding
are cut where the container states them.
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
# Containers that hold their own sound. Playlists and scripts (HLS, concat, DASH, SDP) are left out, as
# they would have FFmpeg open other files or the network.
_CONTAINERS = (
    *("mp3", "aac", "loas", "mov", "matroska", "asf", "ogg", "flac", "avi", "flv", "mpegts", "mpeg"),
    *("wav", "w64", "aiff", "caf", "au", "ac3", "eac3", "dts", "amr", "amrnb", "amrwb", "wv", "ape"),
    *("tta", "tak", "mpc", "mpc8", "dsf", "rm", "3gp", "oma", "gsm", "voc", "nut", "ivf", "mp2", "truehd"),
)
_OPTIONS = {"format_whitelist": ",".join(_CONTAINERS), "protocol_whitelist": "none"}
_LONGEST_PADDING = 8192  # samples at the end that a stated length may cut; more is another recording
_NAMES = {"mp3": "MPEG_LAYER_III", "mp3float": "MPEG_LAYER_III", "vorbis": "VORBIS", "opus": "OPUS"}
_PLAIN = {"u8": "PCM_U8", "s16": "PCM_16", "s32": "PCM_24", "flt": "FLOAT", "dbl": "DOUBLE"}
_LOSSLESS = {"flac", "alac", "wavpack", "tta", "ape", "tak", "mlp", "truehd"}
_SCALES = {"u8": 1 / 128, "s16": 1 / (1 << 15), "s32": 1 / (1 << 31), "s64": 1 / (1 << 63)}


class Undecodable(Exception):
    """The decoder gave up in the middle; the text says why."""


def available() -> bool:
    """Whether the extra `formats` is installed."""
    return find_spec("av") is not None


class FFmpegSound(BlockBuffer):
    """One audio track of a file, decoded from its first sample to its last.

    Args:
        file: the recording, open and able to seek.
        name: the recording as messages call it.
        track: which of its audio tracks, from 1.
        stack: closes what is opened here.
        info: what the first frame of an MP3 states.

    Attributes:
        samplerate, channels: of the track; a rate that changes on the way is converted to the first.
        format: FFmpeg's name of the container, in capitals.
        subtype: libsndfile's name of the encoding where it has one, else FFmpeg's in capitals.
        frames: None: no length is relied on.
        estimate: the length as the container states or estimates it, for a progress bar; None without one.
        mask: which loudspeaker each channel is for (see `layouts`), None where that is not said.
        tracks: how many audio tracks there are.

    Raises:
        DssError: nothing that FFmpeg reads, or no audio in it.
        UsageError: no track of that number.
        Undecodable: FFmpeg cannot go on; raised by `read`.
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
            first = next(decoded)  # a header may not tell of twice the rate or a second channel (HE-AAC)
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
        """What was found missing or broken, once all is read; `delivered` frames came."""
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
        """Samples and rate of each decoded frame; packets that cannot be decoded are counted."""
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
        """Cut the padding behind the stated length, unless there is too much behind it to be padding."""
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
    """Cuts encoder delay and padding of MP3 files that were joined; FFmpeg does so for one alone.

    Args:
        first: what the first file states; FFmpeg cuts its delay, and its padding if nothing follows.
    """

    def __init__(self, first: InfoFrame | None) -> None:
        self._skip = 0
        self._left = first.length if first else None  # samples until the padding
        self._padding = _decoded_padding(first) if first else 0

    def begins_with(self, packet: Any) -> bool:
        """Whether `packet` is the info frame of a further file, without sound. FFmpeg keeps the first one."""
        info = info_frame_within(bytes(packet)) if packet.size else None
        if info is None:
            return False
        self._skip = info.delay + DECODER_DELAY if info.delay else 0
        self._left, self._padding = info.length, _decoded_padding(info)
        return True

    def cut(self, samples: Floats) -> Floats:
        """What is sound of the samples that a packet gave."""
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
    """Samples of padding that a decoder gives; the rest of it stays in the decoder as its delay."""
    return max(0, info.padding - DECODER_DELAY)


class _Reader:
    """What PyAV asks of a file; without a name, by which FFmpeg might take it for another format."""

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
    """Samples by the edit list or header of an MP4; other containers round or estimate it."""
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
    """Float32 (frames, channels), full scale at 1."""
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
