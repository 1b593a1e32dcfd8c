"""Stems in a notebook."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import soundfile as sf

from dss_cli import Separator, Stems
from dss_cli.page import notebook
from tests.helpers.stub import Stub
from tests.helpers.synth import noise


def separated(seconds, rate=16_000, channels=1):
    return Separator(Stub()).separate(noise(int(seconds * rate), channels), rate)


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2)])
def test_a_notebook_shows_and_plays_recording_near_and_far(rate, channels):
    shown = separated(1.0, rate, channels)._repr_html_()
    assert shown.count("<audio controls") == shown.count("<img alt=") == 3
    assert "0:01" in shown and "can be heard" not in shown
    for data in re.findall(r"data:audio/mpeg;base64,([^\"]+)", shown):
        info = sf.info(io.BytesIO(base64.b64decode(data)))
        assert (info.samplerate, info.channels) == (16_000, 1)
        assert info.duration == pytest.approx(1.0, abs=0.01)
    assert not re.search(r"<script|https?:", shown)


def test_what_is_shown_is_bounded_and_says_so(monkeypatch):
    monkeypatch.setattr(notebook, "MOST_SECONDS", 2)
    stems = Stems(*np.zeros((3, 16_000 * 300, 1), np.float32))
    stems.sample_rate = 16_000
    shown = stems._repr_html_()
    assert "5:00, 16000 Hz; the first 0:02 can be heard and seen" in shown
    assert len(shown) < 100_000


def test_a_minute_of_noise_takes_two_megabytes_at_most():
    assert len(separated(20.0)._repr_html_()) < 2_000_000 / 3


def test_stems_are_a_tuple_as_ever_and_blocks_of_a_stream_have_no_page():
    stems = Stems(*np.zeros((3, 10), np.float32))
    near, far, residual = stems
    assert near is stems.near and far is stems.far and residual is stems.residual
    assert stems._repr_html_() is None
    assert len(stems) == 3


def test_without_mp3_the_notebook_says_so(monkeypatch):
    stems = separated(0.5)
    monkeypatch.setattr("dss_cli.page.sound.sf.available_formats", lambda: {})
    assert "writes no MP3" in stems._repr_html_()
