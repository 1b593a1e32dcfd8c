"""Spectrograms as PNG, for places without scripts."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

WINDOW = 512
COLUMNS = 400  # most columns of a spectrogram
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


def spectrogram_uri(samples: Floats, full: float) -> str:
    """Return the spectrogram of samples as the data URI of a PNG, with low frequencies at the bottom.

    Args:
        samples: samples `(samples,)` at any rate.
        full: magnitude of the brightest colour, as from `loudest`; the darkest colour is 70 dB lower.
    """
    decibels = 20 * np.log10(np.maximum(_magnitudes(samples) / full, 1e-9))
    shades = np.clip((decibels / RANGE_DB + 1) * 255, 0, 255).astype(np.uint8)
    return data_uri("image/png", png(shades.T[::-1]))


def loudest(samples: Floats) -> float:
    """Return the largest magnitude of a spectrogram."""
    return max(float(_magnitudes(samples).max()), 1e-9)


def png(shades: npt.NDArray[np.uint8]) -> bytes:
    """Return a PNG of a `(height, width)` picture with 256 shades, from black through red to pale yellow."""
    height, width = shades.shape
    steps = np.linspace(0, 1, len(_STOPS))
    palette = np.stack([np.interp(np.linspace(0, 1, 256), steps, c) for c in np.array(_STOPS).T], axis=1)
    lines = np.zeros((height, width + 1), np.uint8)  # each line starts with its filter type, 0 for none
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


def data_uri(kind: str, data: bytes) -> str:
    """Return data as a URI that contains them."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _magnitudes(samples: Floats) -> npt.NDArray[np.float64]:
    """Return magnitudes `(frames, bins)` of windows with a hop that limits the number of frames."""
    padded = np.pad(samples, (0, max(0, WINDOW - len(samples)))).astype(np.float64)
    hop = max(WINDOW // 4, -(-len(padded) // COLUMNS))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::hop]
    return np.asarray(np.abs(np.fft.rfft(frames * np.hanning(WINDOW))))
