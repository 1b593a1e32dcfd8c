"""Draw the picture of the README: spectrograms of the example and of its two stems.

    python examples/plot_example.py STEMS_DIRECTORY docs/images/two_talkers.png

The bars above the mixture show the sentences of the talkers, from examples/two_talkers.json.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

EXAMPLE = Path(__file__).with_name("two_talkers.flac")
WINDOW, HOP = 512, 256  # samples
QUIETEST, LOUDEST = -65.0, -10.0  # ends of the colour scale in dB re the loudest cell of the mixture
PALETTE = 96  # colours of the PNG file
COLOURS = {"near": "#e07a1f", "far": "#2b6cb0"}


def spectrogram(path: Path) -> tuple[npt.NDArray[np.float64], float, float]:
    """Return levels in dB, (bins, frames), the duration in seconds and the Nyquist frequency in kHz."""
    samples, rate = soundfile.read(path)
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=-1)) ** 2
    return 10 * np.log10(power.T + 1e-12), len(samples) / rate, rate / 2000


def draw_talkers(axes: Axes) -> None:
    """Draw one line of bars per talker for the times of speech."""
    about = json.loads(EXAMPLE.with_suffix(".json").read_text(encoding="utf-8"))
    for row, (name, talker) in enumerate(about["talkers"].items()):
        bars = [(said["start"], said["end"] - said["start"]) for said in talker["sentences"]]
        axes.broken_barh(bars, (-row - 0.35, 0.7), color=COLOURS[name])
    labels = [f"{name}, {talker['distance']:g} m" for name, talker in about["talkers"].items()]
    axes.set_yticks([0, -1], labels)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def draw(stems: Path, picture: Path) -> None:
    """Draw the mixture and both stems in one figure, with a common scale of levels."""
    figure = Figure(figsize=(9, 7), dpi=110, layout="constrained")
    talkers, *panels = figure.subplots(4, 1, sharex=True, height_ratios=[0.35, 1, 1, 1])
    draw_talkers(talkers)
    sources = {
        "mixture": EXAMPLE,
        "near stem": stems / f"{EXAMPLE.stem}.near.flac",
        "far stem": stems / f"{EXAMPLE.stem}.far.flac",
    }
    loudest = spectrogram(EXAMPLE)[0].max()
    for axes, (title, path) in zip(panels, sources.items(), strict=True):
        levels, seconds, nyquist = spectrogram(path)
        mesh = axes.imshow(
            levels - loudest,
            origin="lower",
            aspect="auto",
            extent=(0, seconds, 0, nyquist),
            cmap="magma",
            vmin=QUIETEST,
            vmax=LOUDEST,
        )
        axes.set_title(title, loc="left", fontsize="medium")
        axes.set_ylabel("kHz")
    panels[-1].set_xlabel("seconds")
    figure.colorbar(mesh, ax=panels, label="dB re the mixture's loudest", pad=0.01)
    pixels = io.BytesIO()
    figure.savefig(pixels, format="png")
    # A palette reduces the file to a third, without a visible difference.
    image = Image.open(pixels).convert("RGB")
    image.quantize(PALETTE, method=Image.Quantize.MEDIANCUT).save(picture, optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the spectrograms of the example.")
    parser.add_argument("stems", type=Path, metavar="STEMS_DIRECTORY")
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    draw(arguments.stems, arguments.picture)
