"""`dss live -`: WAV and raw PCM through a pipe, with every sample at its position and without waiting."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from dss_cli.audio.containers import wav_stream_header
from dss_cli.errors import UsageError
from dss_cli.live import LiveSeparator
from dss_cli.live.pipe import raw_header, separate_pipe
from tests.helpers.live import LATENCY, Sharing, tone


class Trickling(io.RawIOBase):
    """Source that returns a few bytes at a time, like a pipe."""

    def __init__(self, data, sizes=(1, 7, 44, 3, 1000)):
        self.data, self.sizes, self.reads = data, sizes, 0

    def read(self, size=-1):
        size = min(size, self.sizes[self.reads % len(self.sizes)])
        self.reads += 1
        taken, self.data = self.data[:size], self.data[size:]
        return taken


class Target(io.BytesIO):
    pass


def start(rate):
    return LiveSeparator(Sharing(), rate, latency=LATENCY)


def wav(samples, rate, subtype="PCM_16", **options):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype, format="WAV", **options)
    return file.getvalue()


def separated(data, raw=None, sizes=(1, 7, 44, 3, 1000)):
    target = Target()
    report = separate_pipe(Trickling(data, sizes), target, start, raw)
    return target.getvalue(), report


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_each_sample_of_a_wav_stream_leaves_in_its_place(rate, subtype):
    samples = tone(rate, 0.5)
    out, report = separated(wav(samples, rate, subtype), sizes=(1000, 4096))
    found, found_rate = soundfile.read(io.BytesIO(out))
    assert (found_rate, found.shape) == (rate, samples.shape)
    atol = 1e-2 if subtype == "PCM_U8" else 2e-3
    inner = slice(rate // 20, -rate // 20)
    np.testing.assert_allclose(found[inner], 0.75 * samples[inner], atol=atol)
    assert (report.frames, report.rate, report.channels, report.encoding) == (len(samples), rate, 1, subtype)


@pytest.mark.parametrize("frames", [0, 1, 100, 3000])
def test_streams_shorter_than_the_latency_come_out_whole(frames):
    samples = tone(16_000)[:frames]
    data = wav_stream_header(16_000, 1, "PCM_16") + (samples * 32_767).astype("<i2").tobytes()
    out, report = separated(data)
    assert report.frames == frames
    assert out.startswith(b"RIFF") and len(out) == 44 + 2 * frames


@pytest.mark.parametrize(("encoding", "kind"), [("s16", "<i2"), ("s32", "<i4"), ("f32", "<f4")])
def test_raw_samples_go_in_and_come_out_without_a_header(encoding, kind):
    stereo = np.stack([tone(16_000), tone(16_000)], axis=1)
    scale = 1 if kind == "<f4" else np.iinfo(kind).max
    data = (stereo * scale).astype(kind).tobytes()
    out, report = separated(data, raw_header(encoding, 16_000, 2), sizes=(1001,))
    found = np.frombuffer(out, kind).reshape(-1, 2) / scale
    assert found.shape == stereo.shape and report.channels == 2
    np.testing.assert_allclose(found, 0.75 * stereo, atol=1e-3)


def test_samples_leave_while_others_are_still_to_come():
    """After the latency, each block is written before the next is read."""
    samples = tone(16_000)
    data = wav(samples, 16_000)
    target, seen = Target(), []

    class Watched(Trickling):
        def read(self, size=-1):
            seen.append((len(data) - len(self.data), len(target.getvalue())))
            return super().read(size)

    report = separate_pipe(Watched(data, (320,)), target, start)
    behind = max(came - left for came, left in seen)
    assert behind <= 2 * round(report.latency * 16_000) + 320 + 44


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a WAV stream"),
        (b"ID3\x04 and so on, an MP3 file", "not a WAV stream"),
        (b"RIFF\x00\x00", "not a WAV stream"),
        (wav(np.zeros(4000, np.float32), 16_000, "ULAW"), "PCM and float can be read live"),
    ],
    ids=["nothing", "MP3", "cut", "mu-law"],
)
def test_what_is_no_pcm_is_refused_with_the_way_out(data, message):
    with pytest.raises(UsageError, match=message):
        separated(data)


def test_a_frame_cut_in_the_middle_is_left_out():
    data = wav(tone(16_000), 16_000)[:-1]
    out, report = separated(data)
    assert report.frames == 15_999 and len(out) == 44 + 2 * 15_999
