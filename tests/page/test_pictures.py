"""Spectrograms as PNG, read back by another program."""

from __future__ import annotations

import base64
import io

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.page.pictures import loudest, png, spectrogram_uri
from tests.helpers.synth import noise, tone


def picture_of(samples):
    head, data = spectrogram_uri(samples, loudest(samples)).split(",", 1)
    assert head == "data:image/png;base64"
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(data, validate=True)))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
def test_a_png_is_read_back_by_another_program(height, width, seed):
    shades = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    read = matplotlib.image.imread(io.BytesIO(png(shades)), format="png")
    assert read.shape[:2] == (height, width)
    brightness = read[..., :3].sum(axis=2)
    order = np.argsort(shades, axis=None)
    assert (np.diff(brightness.ravel()[order]) >= -1e-6).all()  # a brighter shade never looks darker


def test_a_spectrogram_has_a_tone_where_it_belongs():
    picture = picture_of(tone(32_000, 16_000, 2000.0, peak=0.5)[:, 0])
    height, width = picture.shape[:2]
    brightness = picture[..., :3].sum(axis=2).mean(axis=1)
    assert width <= 400
    assert brightness.argmax() == pytest.approx(height * 3 / 4, abs=2)  # 2 of 8 kHz from the bottom
    assert brightness[height // 4] < 0.1 * brightness.max()


@pytest.mark.parametrize("frames", [1, 511, 512, 513, 200_000])
def test_a_spectrogram_of_any_length(frames):
    picture = picture_of(noise(frames)[:, 0])
    assert picture.shape[0] == 257 and 1 <= picture.shape[1] <= 400


def test_silence_is_black_and_no_error():
    assert picture_of(np.zeros(1000, np.float32))[..., :3].max() < 0.05
