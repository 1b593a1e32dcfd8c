"""Stems in a notebook: spectrograms and players as HTML, without scripts and without other packages."""

from __future__ import annotations

import html

import numpy as np

from ..constants import SAMPLE_RATE
from ..errors import DssError
from .listening import clock
from .pictures import data_uri, loudest, spectrogram_uri
from .sound import TRACKS, Excerpt, Floats

MOST_SECONDS = 180  # a notebook keeps what it shows
_BLOCK = 1 << 16  # frames
_PICTURE = "display:block;width:100%;height:90px"


def stems_html(near: Floats, far: Floats, residual: Floats, rate: float) -> str:
    """Return recording, near and far with a spectrogram and a player each.

    The sound is that of the first three minutes, one channel at 16 kHz: about 0.8 MB a minute.

    Args:
        near, far, residual: float32 arrays `(frames,)` or `(frames, channels)`.
        rate: sample rate in Hz.
    """
    seconds = len(near) / rate
    facts = f"{clock(seconds)}, {rate:g} Hz"
    try:
        rows, held = _rows(near, far, residual, rate)
    except DssError as error:  # no MP3: the notebook says why there is nothing to hear
        return f"<p>Stems: {facts}. {html.escape(str(error))}</p>"
    if seconds - held >= 0.1:
        facts += f"; the first {clock(held)} can be heard and seen"
    return f'<div style="max-width:60rem"><p>Stems: {facts}</p>{rows}</div>'


def _rows(near: Floats, far: Floats, residual: Floats, rate: float) -> tuple[str, float]:
    """Return the rows of the table, and the seconds that they hold."""
    most = MOST_SECONDS * SAMPLE_RATE
    sounds = Excerpt(rate, most, MOST_SECONDS, segment=most, lead=0)
    frames = int(MOST_SECONDS * rate) + _BLOCK
    near, far, residual = (
        stem[:frames].reshape(min(frames, len(stem)), -1) for stem in (near, far, residual)
    )
    mixture = near + far + residual
    tracks = {"mixture": mixture, "near": near, "far": far}
    for at in range(0, len(near), _BLOCK):
        sounds.push(*(track[at : at + _BLOCK] for track in tracks.values()))
    compressed = sounds.finish()
    held = sounds.frames / SAMPLE_RATE
    seen = {
        name: track[: round(held * rate)].mean(axis=1, dtype=np.float32) for name, track in tracks.items()
    }
    full = loudest(seen["mixture"])
    rows = []
    for name, title in TRACKS.items():
        picture, audio = spectrogram_uri(seen[name], full), data_uri("audio/mpeg", *compressed[name])
        rows.append(
            f"<p><b>{title}</b></p>"
            f'<img alt="Spectrogram: {title.lower()}" style="{_PICTURE}" src="{picture}">'
            f'<audio controls style="width:100%" src="{audio}"></audio>'
        )
    return "".join(rows), held
