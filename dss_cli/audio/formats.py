"""Choose container, encoding and rate of an output file from its name and from the input."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from ..errors import UsageError
from .layouts import keeps_mask

# Extensions that are not libsndfile's own names.
_ALIASES = {"aif": "AIFF", "aifc": "AIFF", "oga": "OGG", "opus": "OGG", "wave": "WAV", "snd": "AU"}
_UNWRITABLE = {"RAW", "SD2"}  # without a header; with a header in a resource fork

# Plain encodings in order of precision. The nearest one is the next finer one, else the next coarser one.
_LADDER = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
_BYTES = dict(zip(_LADDER, (1, 1, 2, 3, 4, 4, 8), strict=True)) | {"ULAW": 1, "ALAW": 1}
_LOSSLESS_TWINS = {
    "ALAC_16": "PCM_16",
    "ALAC_20": "PCM_24",
    "ALAC_24": "PCM_24",
    "ALAC_32": "PCM_32",
}
# Encodings that keep the number of frames and lose no quality in further generations, unlike block codecs.
_KEPT = {*_BYTES, *_LOSSLESS_TWINS, "VORBIS", "OPUS"}
_AGEING = {*("IMA_ADPCM", "MS_ADPCM", "VOX_ADPCM", "GSM610"), *("G721_32", "G723_24", "G723_40")}
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24} | {
    "ALAC_16": 16,
    "ALAC_20": 20,
    "ALAC_24": 24,
}
FLOATING = {"FLOAT", "DOUBLE"}  # encodings that hold any amplitude
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 192000)

SIZE_LIMIT = 0xFFFFFFFF  # bytes that a 32-bit size field can count
_HEADER_ROOM = 1 << 16  # bytes, more than any header libsndfile writes
_WIDE_TWINS = {"WAV": "RF64", "WAVEX": "RF64"}
_NARROW = {"WAV", "WAVEX", "AIFF", "AU"}  # 32-bit size fields


@dataclass(frozen=True)
class OutputFormat:
    """Container and encoding (libsndfile's names), rate in Hz, channels and channel mask (see `layouts`)."""

    container: str
    subtype: str
    rate: int
    channels: int
    mask: int | None = None

    @property
    def floating(self) -> bool:
        """True for encodings that store samples beyond full scale."""
        return self.subtype in FLOATING

    def size(self, frames: int) -> int:
        """Return the size of `frames` frames in bytes; for compressed encodings an upper bound."""
        return frames * self.channels * _BYTES.get(self.subtype, 4)

    def for_length(
        self, frames: int, name: str, warn: Callable[[str], None] = lambda message: None
    ) -> OutputFormat:
        """Return this format, or its 64-bit variant if `frames` frames do not fit.

        Raises:
            UsageError: the frames do not fit, and the container has no 64-bit variant.
        """
        if self.container not in _NARROW or self.size(frames) + _HEADER_ROOM <= SIZE_LIMIT:
            return self
        twin = _WIDE_TWINS.get(self.container)
        if twin is None or not sf.check_format(twin, self.subtype):
            raise UsageError(
                f"{name}: {frames} frames do not fit into the 4 GiB of {self.container} "
                f"{self.subtype}; use the extension .w64, .caf or .flac"
            )
        warn(f"{name}: more than 4 GiB; written as {twin}, not as {self.container}")
        return replace(self, container=twin)


def rounded(block: NDArray[np.float32], subtype: str) -> NDArray[np.float32]:
    """Return a block rounded to the nearest values of an integer encoding; libsndfile would round down."""
    bits = _BITS.get(subtype)
    if bits is None:
        return block
    scale = np.float32(1 << (bits - 1))
    nearest: NDArray[np.float32] = np.rint(block * scale) / scale
    return nearest


def choose_format(
    path: Path,
    *,
    rate: int,
    channels: int,
    source_subtype: str,
    subtype: str | None = None,
    mask: int | None = None,
    warn: Callable[[str], None] = lambda message: None,
) -> OutputFormat:
    """Choose the format of an output: as requested, else as the input, else the nearest one with a warning.

    Args:
        path: path of the output; its extension selects the container.
        rate: rate of the input in Hz; kept if the container allows.
        channels: number of channels of the output.
        source_subtype: encoding of the input; kept if the container allows.
        subtype: requested encoding, libsndfile's name in upper or lower case.
        mask: channel mask; kept if the container can store it.
        warn: receives a line, without the file's name, for each property that cannot be kept.

    Raises:
        UsageError: the container or encoding does not exist, or cannot store that many channels.
    """
    extension = path.suffix[1:].lower()
    container = _ALIASES.get(extension, extension.upper())
    if container in _UNWRITABLE or container not in sf.available_formats():
        raise UsageError(
            f"{path}: no writable audio format has the extension '{path.suffix}'; "
            "use .wav, .flac, .ogg, .opus, .mp3, .aiff, .caf, .w64 or .rf64"
        )
    if subtype is not None:
        chosen = subtype.upper()
        known = [known for known in sf.available_subtypes(container) if known in _KEPT] or [
            sf.default_subtype(container)
        ]
        if chosen not in known:
            raise UsageError(f"{path}: {container} has no encoding '{subtype}'; it has {', '.join(known)}")
    elif extension == "opus":
        chosen = "OPUS"
    else:
        chosen = _nearest_subtype(container, source_subtype)
        if chosen in _LADDER and source_subtype in _LADDER and chosen != source_subtype:
            warn(f"{container} cannot store {source_subtype}: written as {chosen}")
        elif source_subtype in _AGEING and source_subtype in sf.available_subtypes(container):
            warn(f"{source_subtype} would lose quality when written again: written as {chosen}")
    if channels > 2 and mask is not None:
        if container == "WAV" and sf.check_format("WAVEX", chosen):
            container = "WAVEX"
        if not keeps_mask(container, channels, mask):
            warn(f"{container} does not say which loudspeaker each of {channels} channels is for")
    for candidate in _nearest_rates(rate):
        if _can_write(container, chosen, candidate, channels):
            if candidate != rate:
                warn(f"{container} {chosen} cannot store {rate} Hz: written at {candidate} Hz")
            return OutputFormat(container, chosen, candidate, channels, mask)
    raise UsageError(
        f"{path}: {container} {chosen} cannot store {channels} channels; "
        "use .wav, or mix the channels to one (`--channels mix`)"
    )


def _nearest_subtype(container: str, source: str) -> str:
    available = sf.available_subtypes(container)
    if source in available and source in _KEPT:
        return source
    plain = _LOSSLESS_TWINS.get(source, source)
    place = _LADDER.index(plain if plain in _LADDER else "PCM_16")  # 16 bits suffice for lossy encodings
    for candidate in (*_LADDER[place:], *reversed(_LADDER[:place])):
        if candidate in available:
            return candidate
    default: str = sf.default_subtype(container)
    return default


def _nearest_rates(rate: int) -> list[int]:
    """Return `rate`, then the higher usual rates, ascending, then the lower ones, descending."""
    higher = [r for r in _RATES if r > rate]
    return [rate, *higher, *(r for r in reversed(_RATES) if r < rate)]


@functools.cache
def _can_write(container: str, subtype: str, rate: int, channels: int) -> bool:
    """Return whether libsndfile accepts the format, by a trial: its tables omit rates and channels."""
    try:
        sf.SoundFile(io.BytesIO(), "w", rate, channels, subtype, format=container).close()
    except sf.SoundFileError:
        return False
    return True
