"""Files in formats that libsndfile does not write, encoded through PyAV in the test itself."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.synth import Floats, tone

av = pytest.importorskip("av", reason="the extra `formats` is not installed")

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
_QSCALE = 2  # FFmpeg's flag for a codec with a quality instead of a bit rate
_LAMBDA = 118  # FFmpeg's unit of that quality


def encode(
    target: Path | io.BytesIO,
    *tracks: Floats,
    rate: int = 48_000,
    codec: str = "aac",
    container: str | None = None,
    options: dict[str, str] | None = None,
    quality: int | None = None,
) -> None:
    """Write arrays (frames, channels), each as one track; a quality makes the bit rate variable."""
    file = target if isinstance(target, io.BytesIO) else str(target)
    with av.open(file, "w", format=container, options=options or {}) as output:
        streams = [
            output.add_stream(codec, rate=rate, layout=_LAYOUTS[track.shape[1]], bit_rate=128_000)
            for track in tracks
        ]
        if quality is not None:
            streams[0].codec_context.flags |= _QSCALE
            streams[0].codec_context.global_quality = quality * _LAMBDA
        output.start_encoding()
        for stream, track in zip(streams, tracks, strict=True):
            context = stream.codec_context
            adapted = av.AudioResampler(context.format.name, context.layout, rate, context.frame_size or 1024)
            frame = av.AudioFrame.from_ndarray(track.reshape(1, -1), "flt", _LAYOUTS[track.shape[1]])
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
            for ready in (*adapted.resample(frame), *adapted.resample(None), None):
                output.mux(stream.encode(ready))


def piped_mp3(samples: Floats, rate: int = 16_000) -> bytes:
    """Return an MP3 of variable rate without a Xing header, as FFmpeg writes it to a pipe."""
    pipe = io.BytesIO()
    options = {"write_xing": "0", "id3v2_version": "0"}
    encode(pipe, samples, rate=rate, codec="libmp3lame", container="mp3", options=options, quality=4)
    return pipe.getvalue()


def crescendo(seconds: float, rate: int, channels: int = 1) -> Floats:
    """Return a tone with hiss of growing level, so that a variable bit rate grows, too."""
    samples = tone(int(seconds * rate), rate, channels=channels, peak=0.2)
    generator = np.random.default_rng(1)
    hiss = generator.uniform(-0.4, 0.4, samples.shape) * np.linspace(0, 1, len(samples))[:, np.newaxis] ** 4
    return (samples + hiss).astype(np.float32)
