"""Devices that level, clip and band-limit a recording; the parts of a scene still sum to the mixture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers import short_runs

pytest.importorskip("keras")

from dss_cli.simulation.recipe import Recipe
from dss_cli.simulation.recording_chain import (
    BANDS,
    BLOCK,
    Capture,
    automatic_gain,
    codec,
    device_gain,
    draw_capture,
    low_pass,
    soft_clip,
    trailing_sum,
)

sources = short_runs.sources
RATE = 16_000
TONE = np.sin(2 * np.pi * 440 * np.arange(4 * RATE) / RATE)


def test_a_device_that_does_nothing_changes_nothing():
    np.testing.assert_array_equal(device_gain(TONE, Capture(), np), 1)
    np.testing.assert_array_equal(low_pass(np.linspace(0, 8000, 9), 0.0, np), 1)


def test_a_band_ends_where_it_says():
    hertz = np.arange(8001.0)
    kept = low_pass(hertz, 3400.0, np)
    assert (kept[:3061] == 1).all() and (kept[3400:] == 0).all() and (np.diff(kept) <= 0).all()


@pytest.mark.parametrize("drive", [0.5, 4.0])
def test_clipping_bends_peaks_and_leaves_what_is_faint(drive):
    clipped = TONE * soft_clip(TONE, drive, np)
    assert np.abs(clipped).max() == pytest.approx(np.tanh(drive) / drive, rel=1e-6)
    faint = np.abs(TONE) < 0.01 / drive
    np.testing.assert_allclose(clipped[faint], TONE[faint], rtol=1e-4)


@pytest.mark.parametrize("levelling", [0.0, 0.5, 1.0])
def test_automatic_gain_takes_back_its_share_of_a_change_of_level(levelling):
    loud_then_faint = TONE * np.where(np.arange(len(TONE)) < 2 * RATE, 1.0, 0.1)
    heard = loud_then_faint * automatic_gain(loud_then_faint, levelling, RATE // 4, np)
    loud, faint = heard[RATE : 2 * RATE], heard[3 * RATE :]
    change = 10 * np.log10(np.mean(loud**2) / np.mean(faint**2))
    assert change == pytest.approx(20 * (1 - levelling), abs=0.5)


@pytest.mark.parametrize("length", [BLOCK, BLOCK + 1, 3 * BLOCK - 1, 9 * BLOCK])
@pytest.mark.parametrize("samples", [1, BLOCK, 5 * BLOCK + 7])
def test_a_trailing_sum_is_that_of_the_last_values_also_after_loud_ones(samples, length):
    values = np.random.default_rng(1).uniform(0.1, 1.0, (2, samples))
    values[:, : samples // 3] *= 1e8
    lengths = np.array([[length], [length + 5]])
    expected = [
        [row[max(0, i + 1 - n) : i + 1].sum() for i in range(samples)]
        for row, (n,) in zip(values, lengths, strict=True)
    ]
    np.testing.assert_allclose(trailing_sum(values, lengths, np), expected, rtol=1e-12)
    single = trailing_sum(values.astype(np.float32), lengths, np)
    np.testing.assert_allclose(single, expected, rtol=1e-4)


def test_the_order_of_the_two_matters():
    bursts = TONE * (np.arange(len(TONE)) // RATE % 2 * 0.9 + 0.1)
    capture = Capture(drive=4.0, levelling=0.8, memory=RATE // 4)
    one, other = (device_gain(bursts, replace(capture, clips_first=first), np) for first in (True, False))
    np.testing.assert_allclose(
        one, (first := soft_clip(bursts, 4.0, np)) * automatic_gain(bursts * first, 0.8, RATE // 4, np)
    )
    assert np.abs(one - other).max() > 0.1


@pytest.mark.parametrize("level", [1.0, 0.1, 0.01])
def test_the_codec_keeps_its_distance_whatever_the_level(level):
    tone = level * TONE
    coded = tone * codec(tone, True, np)
    assert len(np.unique(np.round(coded, 9))) <= 255, "8 bits"
    ratio = 10 * np.log10(np.sum(tone**2) / np.sum((coded - tone) ** 2))
    assert 30 < ratio < 40, "G.711 is known for some 38 dB, hardly less for faint speech"
    np.testing.assert_array_equal(codec(tone, False, np), 1)


def test_the_codec_comes_last_and_holds_full_scale():
    loud = 2 * TONE
    coded = loud * device_gain(loud, Capture(companded=True), np)
    assert np.abs(coded).max() == pytest.approx(1.0)


def test_drawn_devices_do_each_of_the_three_half_of_the_time():
    drawn = [draw_capture(np.random.default_rng(i)) for i in range(400)]
    for name in ("band", "drive", "levelling"):
        assert np.mean([getattr(c, name) > 0 for c in drawn]) == pytest.approx(0.5, abs=0.1)
    assert np.mean([c.companded for c in drawn]) == pytest.approx(0.25, abs=0.1)
    bands = [c.band for c in drawn if c.band]
    assert BANDS[0] <= min(bands) < 4000 and 7000 < max(bands) <= BANDS[1]
    assert draw_capture(np.random.default_rng(7)) == draw_capture(np.random.default_rng(7))


def test_a_captured_scene_still_adds_up_and_says_what_it_went_through(sources):
    plain = Recipe({"1N+1F": 1.0}, clean=0.0, free_gain=0.0)
    for seed in range(6):
        scene, other = (
            sources.scene(np.random.default_rng(seed), recipe, RATE)
            for recipe in (replace(plain, captured=1.0), plain)
        )
        assert scene.drawn["talkers"] == other.drawn["talkers"], "a device changes nothing else"
        np.testing.assert_allclose(scene.mixture, scene.near + scene.far + scene.noise, atol=1e-6)
        device = scene.drawn["device"]
        if band := device["band"]:
            power = np.abs(np.fft.rfft(scene.noise * np.hanning(RATE))) ** 2
            # The filters spread a little of the band beyond its limits.
            spread = device["drive"] or device["levelling"] or device["companded"]
            assert power[int(band) + 20 :].sum() < (1e-2 if spread else 1e-5) * power.sum()
        assert "device" not in other.drawn
