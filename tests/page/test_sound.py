"""Compressed sound: aligned, of equal length, within the limits."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile as sf

from dss_cli.constants import SAMPLE_RATE as RATE
from dss_cli.errors import DssError
from dss_cli.page import sound
from dss_cli.page.sound import SEGMENT, Excerpt, flac
from tests.helpers.synth import noise, tone


def compressed(near, far, rate=RATE, size=5000, most_bytes=10**8, most_seconds=60.0, segment=11_111):
    excerpt = Excerpt(rate, most_bytes, most_seconds, segment)
    for at in range(0, len(near), size):
        blocks = near[at : at + size], far[at : at + size]
        excerpt.push(blocks[0] + blocks[1], *blocks)
    return excerpt, excerpt.finish()


def joined(parts, excerpt):
    """Return the samples of a track from its segments, as a page joins them."""
    decoded = [sf.read(io.BytesIO(part), dtype="float32") for part in parts]
    assert {rate for _, rate in decoded} == {RATE}
    assert all(len(samples) == excerpt.segment + 2 * excerpt.lead for samples, _ in decoded[:-1])
    return np.concatenate([samples[excerpt.lead : len(samples) - excerpt.lead] for samples, _ in decoded])


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2), (8000, 1)])
def test_the_tracks_are_the_recording_to_the_sample(rate, channels):
    near, far = tone(2 * rate, rate, 500.0, channels), tone(2 * rate, rate, 1700.0, channels, peak=0.2)
    excerpt, tracks = compressed(near, far, rate)
    expected = {"near": near, "far": far, "mixture": near + far}
    times = np.arange(excerpt.frames) / RATE
    for name, parts in tracks.items():
        samples = joined(parts, excerpt)
        assert len(samples) == excerpt.frames == pytest.approx(2 * RATE, abs=2)
        mono = np.interp(times, np.arange(2 * rate) / rate, expected[name].mean(axis=1))
        middle = slice(RATE // 4, -RATE // 4)
        assert np.corrcoef(samples[middle], mono[middle])[0, 1] > 0.97, name
    assert excerpt.peak == pytest.approx(np.abs((near + far).mean(axis=1)).max(), rel=0.05)


def test_speech_like_noise_takes_a_megabyte_a_minute_at_most():
    seconds = 20
    bursts = noise(seconds * RATE, peak=0.3) * (np.sin(np.arange(seconds * RATE) / RATE)[:, None] > 0)
    bursts = np.cumsum(bursts - bursts.mean(), axis=0, dtype=np.float32) * np.float32(0.02)  # as speech: dull
    _, tracks = compressed(bursts, bursts * np.float32(0.1), segment=SEGMENT)
    assert size_of(tracks) * 4 / 3 < 1_000_000 * seconds / 60


def size_of(tracks):
    return sum(len(part) for parts in tracks.values() for part in parts)


def test_segments_join_without_a_seam():
    rumble = np.cumsum(noise(6 * RATE), axis=0, dtype=np.float32) * np.float32(0.01)
    excerpt, tracks = compressed(rumble, 0 * rumble)
    errors = (joined(tracks["near"], excerpt) - rumble[:, 0]) ** 2
    seams = range(excerpt.segment, len(errors), excerpt.segment)
    around = np.concatenate([errors[seam - 200 : seam + 200] for seam in seams])
    assert 10 * np.log10(around.mean() / errors.mean()) < 2  # with a lead of one frame: 4.7


def test_both_limits_hold_and_the_tracks_stay_equally_long():
    near = noise(10 * RATE)
    full, _ = compressed(near, near)
    timed, tracks = compressed(near, near, most_seconds=2.5)
    assert timed.frames == 2.5 * RATE
    assert {len(joined(parts, timed)) for parts in tracks.values()} == {timed.frames}
    small, tracks = compressed(near, near, most_bytes=50_000)
    assert 0 < small.frames < full.frames
    assert {len(joined(parts, small)) for parts in tracks.values()} == {small.frames}
    assert size_of(tracks) < 65_000


def test_nothing_is_no_error():
    nothing = np.zeros((0, 1), np.float32)
    excerpt = Excerpt(RATE, 1000, 1.0)
    excerpt.push(nothing, nothing, nothing)
    assert excerpt.finish() == {"mixture": [], "near": [], "far": []}
    assert (excerpt.frames, excerpt.peak) == (0, 0)


def test_a_libsndfile_without_mp3_is_named(monkeypatch):
    monkeypatch.setattr(sound.sf, "available_formats", lambda: {"WAV": "WAV"})
    with pytest.raises(DssError, match=r"libsndfile .* writes no MP3.*pip install"):
        Excerpt(RATE, 1000, 1.0)


def test_flac_keeps_sixteen_bits_and_cuts_what_is_beyond_full_scale():
    samples = noise(1000, peak=0.9)[:, 0]
    samples[0] = 3.0
    read, rate = sf.read(io.BytesIO(flac(samples, 22_050)))
    assert rate == 22_050
    assert np.abs(read - np.clip(samples, -1, 1)).max() <= 2**-15
