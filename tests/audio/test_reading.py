"""Reading recordings from files and pipes, and resampling them."""

from __future__ import annotations

import io
import os
import struct
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.audio import AudioReader, Resampler, StemGroup
from dss_cli.audio.containers import read_header
from dss_cli.errors import DssError
from dss_cli.utils.captured_output import captured_stderr
from tests.helpers.synth import noise, quantised, read, tone, write

READABLE = ["wav", "flac", "ogg", "opus", "mp3", "aiff", "caf", "w64", "rf64", "au"]
LOSSLESS = ["wav", "flac", "aiff", "caf", "w64", "rf64", "au"]


def read_all(source, size=1000, **options):
    """Return samples and warnings of a recording."""
    warnings: list[str] = []
    with AudioReader(source, warn=warnings.append, **options) as reader:
        samples = np.concatenate(list(reader.blocks(size)))
        assert reader.delivered == len(samples)
    return samples, warnings


def as_ffmpeg_pipes_it(path: Path, riff: int = 0xFFFFFFFF, data: int = 0xFFFFFFFF) -> bytes:
    """Return a plain WAV with a LIST chunk before the samples and unknown sizes."""
    wav = path.read_bytes()
    start = wav.index(b"data")
    info = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 13) + b"a maker 1.23\0\0"
    head = wav[:4] + struct.pack("<I", riff) + wav[8:start] + info
    return head + b"data" + struct.pack("<I", data) + wav[start + 8 :]


# Reading


@pytest.mark.parametrize("extension", READABLE)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_reads_whole_and_without_warning(tmp_path, extension, channels):
    samples = quantised(noise(20_011, channels))
    path = write(tmp_path / f"a.{extension}", samples)
    got, warnings = read_all(path)
    assert got.dtype == np.float32
    assert got.shape == samples.shape
    assert warnings == []
    if extension in LOSSLESS:
        np.testing.assert_array_equal(got, samples)


def test_properties_of_a_recording(tmp_path):
    path = write(tmp_path / "a.flac", noise(5000, 6), 96_000, "PCM_24")
    with AudioReader(path) as reader:
        assert (reader.samplerate, reader.channels, reader.frames) == (96_000, 6, 5000)
        assert (reader.format, reader.subtype) == ("FLAC", "PCM_24")
        assert [len(block) for block in reader.blocks(2000)] == [2000, 2000, 1000]


@pytest.mark.parametrize("rate", [8000, 44_100, 384_000])
def test_rates_within_the_range(tmp_path, rate):
    with AudioReader(write(tmp_path / "a.wav", noise(50), rate)) as reader:
        assert reader.samplerate == rate


@pytest.mark.parametrize("rate", [4000, 7999, 384_001, 400_000])
def test_rates_outside_are_refused_by_value(tmp_path, rate):
    path = write(tmp_path / "a.wav", noise(50), rate)
    with pytest.raises(DssError, match=rf"a\.wav: sample rate {rate} Hz"):
        AudioReader(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_samples_become_zero_and_are_counted(tmp_path, value):
    samples = noise(5000, 2)
    samples[[3, 1500, 4999], [0, 1, 1]] = value
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    got, warnings = read_all(path)
    np.testing.assert_array_equal(got, np.nan_to_num(samples, nan=0, posinf=0, neginf=0))
    assert warnings == [f"{path}: 3 samples are not finite (NaN or infinity); read as 0"]
    with pytest.raises(DssError, match="3 samples are not finite"):
        read_all(path, strict=True)


@pytest.mark.parametrize("extension", READABLE)
def test_standard_input_carries_every_format(tmp_path, feed, extension):
    path = write(tmp_path / f"a.{extension}", noise(30_000, 2))
    feed(path.read_bytes())
    got, warnings = read_all("-")
    np.testing.assert_array_equal(got, read_all(path)[0])
    assert warnings == []


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE", "ULAW"])
@pytest.mark.parametrize(("riff", "data"), [(0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF024, 0x7FFFF000), (0, 0)])
@pytest.mark.parametrize("piped", [True, False])
def test_wav_of_unknown_length(tmp_path, feed, subtype, riff, data, piped):
    path = write(tmp_path / "a.wav", noise(10_000, 2), subtype=subtype)
    expected = read(path)
    unknown = as_ffmpeg_pipes_it(path, riff, data)
    if subtype in ("FLOAT", "DOUBLE", "ULAW"):  # their fact chunk precedes the samples
        assert b"fact" in unknown
    path.write_bytes(unknown)
    if piped:
        feed(unknown)
    with AudioReader("-" if piped else path) as reader:
        assert reader.frames == (None if piped else 10_000)
        assert (reader.format, reader.subtype, reader.channels) == ("WAV", subtype, 2)
        np.testing.assert_array_equal(np.concatenate(list(reader.blocks(999))), expected)


def test_chunks_after_the_samples_of_a_piped_wav_are_not_audio(tmp_path, feed):
    path = write(tmp_path / "a.wav", noise(1000))
    feed(path.read_bytes() + b"LIST" + struct.pack("<I", 4000) + bytes(4000))
    assert len(read_all("-")[0]) == 1000


def test_a_piped_wav_that_stops_early_is_said(tmp_path, feed):
    data = write(tmp_path / "a.wav", noise(1000)).read_bytes()
    feed(data[: 44 + 800])
    got, warnings = read_all("-")
    assert len(got) == 400
    assert warnings == ["standard input: truncated: 400 of the 1000 frames it declares"]


def test_a_copy_of_a_pipe_is_said_at_info_level(tmp_path, feed, caplog):
    feed(write(tmp_path / "a.flac", noise(1000)).read_bytes())
    with caplog.at_level("INFO", logger="dss_cli"):
        read_all("-")
    assert "copied to a temporary file" in caplog.text


def test_a_named_pipe_is_read_like_standard_input(tmp_path):
    path = write(tmp_path / "a.wav", noise(1000))
    fifo = tmp_path / "fifo.wav"
    os.mkfifo(fifo)
    sender = threading.Thread(target=lambda: fifo.write_bytes(path.read_bytes()))
    sender.start()
    np.testing.assert_array_equal(read_all(fifo)[0], read(path))
    sender.join()


def test_devices_are_no_recordings(monkeypatch):
    with pytest.raises(DssError, match="/dev/zero: a device, which may never end, not a recording"):
        AudioReader("/dev/zero")
    with pytest.raises(DssError, match="/dev/null: the stream is empty"):
        AudioReader("/dev/null")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "rb", buffering=0) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with pytest.raises(DssError, match="standard input: a terminal, not a recording"):
            AudioReader("-")
    os.close(ours)


def test_standard_input_that_is_a_file(tmp_path, monkeypatch):
    path = write(tmp_path / "a.flac", noise(1000))
    with path.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", file)
        np.testing.assert_array_equal(read_all("-")[0], read(path))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_a_stem_on_standard_output_comes_back_through_standard_input(tmp_path, feed, capsysbinary, subtype):
    samples = quantised(noise(5000, 2), 8)
    with StemGroup({"near": "-"}, rate=16_000, channels=2, source_subtype=subtype) as stems:
        for block in np.array_split(samples, 3):
            stems.write({"near": block})
        report = stems.commit()
    assert report.outputs == {"near": "-"}
    data = capsysbinary.readouterr().out
    assert data[4:8] == b"\xff" * 4
    feed(data)
    with AudioReader("-") as reader:
        assert (reader.samplerate, reader.subtype, reader.frames) == (16_000, subtype, None)
        np.testing.assert_array_equal(np.concatenate(list(reader.blocks())), samples)


@pytest.mark.parametrize(("order", "padding"), [("<", b""), ("<", b"LIST\x03\0\0\0abc\0"), (">", b"")])
def test_a_header_leaves_the_file_at_its_first_sample(order, padding):
    layout = struct.pack(order + "HHIIHH", 1, 2, 48_000, 192_000, 4, 16)
    file = io.BytesIO(
        (b"RIFF" if order == "<" else b"RIFX")
        + struct.pack(order + "I", 1000)
        + b"WAVEfmt "
        + struct.pack(order + "I", 16)
        + layout
        + padding
        + b"data"
        + struct.pack(order + "I", 40)
        + b"first"
    )
    header = read_header(file)
    assert header is not None
    assert (header.audio_bytes, header.rate, header.channels) == (40, 48_000, 2)
    assert (header.frame_bytes, header.subtype) == (4, "PCM_16")
    assert header.little_endian == (order == "<")
    assert file.read() == b"first"


@given(st.binary(max_size=200), st.sampled_from([b"RIFF", b"RF64", b"FORM", b"RIFX", b""]))
def test_no_header_however_odd_breaks_the_parser(data, magic):
    kind = b"AIFF" if magic == b"FORM" else b"WAVE"
    read_header(io.BytesIO(magic + data[:4] + kind + data[4:] if magic else data))


def test_captured_stderr_takes_c_prints_and_gives_the_descriptor_back(capfd):
    with captured_stderr() as lines:
        os.write(2, b"from C\n")
    assert lines == ["from C"]
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


# Resampling


def converted(samples, source, target, cuts=()):
    resampler = Resampler(source, target, samples.shape[1])
    blocks = [resampler.push(block) for block in np.split(samples, sorted(cuts))]
    return np.concatenate([*blocks, resampler.flush()])


@given(
    st.sampled_from([8000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000]),
    st.booleans(),
    st.lists(st.integers(0, 20_000), max_size=12),
)
def test_any_partition_resamples_to_the_same_bits(rate, up, cuts):
    rates = (16_000, rate) if up else (rate, 16_000)
    samples = noise(20_000, 2)
    np.testing.assert_array_equal(converted(samples, *rates, cuts), converted(samples, *rates))


def test_equal_rates_pass_untouched():
    samples = noise(1000, 2)
    np.testing.assert_array_equal(converted(samples, 16_000, 16_000, [10]), samples)


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_resampling_is_aligned_to_the_sample(rate):
    frames = rate // 2
    got = converted(tone(frames, rate), rate, 16_000)
    assert len(got) == 8000
    inner = slice(1000, -1000)  # the filter rings at the edges
    np.testing.assert_allclose(got[inner], tone(8000, 16_000)[inner], rtol=0, atol=1e-4)
