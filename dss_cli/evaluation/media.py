"""Sound and its picture as data URIs, for a page that needs no other file."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
import soundfile as sf

Floats = npt.NDArray[np.float32]

WINDOW = 512
COLUMNS = 400  # of a spectrogram, at most
RANGE_DB = 70.0
_STOPS = (
    (0, 0, 4),
    (40, 17, 88),
    (114, 31, 129),
    (182, 54, 121),
    (241, 96, 93),
    (254, 175, 119),
    (252, 253, 191),
)


def wav_uri(samples: Floats, rate: int) -> str:
    """`(samples,)` as 16-bit WAV, which every browser plays; what lies beyond full scale is cut."""
    buffer = io.BytesIO()
    sf.write(buffer, np.clip(samples, -1, 1), rate, format="WAV", subtype="PCM_16")
    return _uri("audio/wav", buffer.getvalue())


def spectrogram_uri(samples: Floats, full: float) -> str:
    """The magnitudes of `(samples,)` as a PNG, low frequencies at the bottom.

    Args:
        samples: at any rate.
        full: magnitude of the brightest colour, as `loudest` gives it; the darkest lies 70 dB below.
    """
    decibels = 20 * np.log10(np.maximum(_magnitudes(samples) / full, 1e-9))
    shades = np.clip((decibels / RANGE_DB + 1) * 255, 0, 255).astype(np.uint8)
    return _uri("image/png", png(shades.T[::-1]))


def loudest(samples: Floats) -> float:
    """The greatest magnitude of a spectrogram."""
    return max(float(_magnitudes(samples).max()), 1e-9)


def png(shades: npt.NDArray[np.uint8]) -> bytes:
    """A `(height, width)` picture of 256 shades from black over red to pale yellow."""
    height, width = shades.shape
    steps = np.linspace(0, 1, len(_STOPS))
    palette = np.stack([np.interp(np.linspace(0, 1, 256), steps, c) for c in np.array(_STOPS).T], axis=1)
    lines = np.zeros((height, width + 1), np.uint8)  # each line begins with its filter, 0 for none
    lines[:, 1:] = shades
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", np.round(palette).astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content in chunks:
        data += (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )
    return data


def _magnitudes(samples: Floats) -> npt.NDArray[np.float64]:
    """`(frames, bins)` of windows that are never further apart than they are long, if that is enough."""
    padded = np.pad(samples, (0, max(0, WINDOW - len(samples)))).astype(np.float64)
    hop = max(WINDOW // 4, -(-len(padded) // COLUMNS))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::hop]
    return np.asarray(np.abs(np.fft.rfft(frames * np.hanning(WINDOW))))


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
