"""Formats that libsndfile reads incompletely or not at all: no part is lost without a message."""

from __future__ import annotations

import io
import struct
import sys

import numpy as np
import pytest
import soundfile as sf

from dss_cli.audio import AudioReader, decoding
from dss_cli.errors import DssError, UsageError
from dss_cli.separation.files import separate_file
from tests.helpers import media
from tests.helpers.stub import SMALL
from tests.helpers.synth import cut, noise, quantised, tone, write

SECONDS = 5


@pytest.fixture
def no_extra(monkeypatch):
    """Hide the extra `formats`."""
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr(decoding, "available", lambda: False)


def read_all(source, **options):
    """Return samples, rate and warnings of a recording."""
    warnings: list[str] = []
    with AudioReader(source, warn=warnings.append, **options) as reader:
        return np.concatenate(list(reader.blocks())), reader.samplerate, warnings


def lag(samples, reference):
    """Return the delay of the first signal in samples."""
    size = 2 * len(reference)
    product = np.fft.rfft(samples, size) * np.conj(np.fft.rfft(reference, size))
    place = int(np.argmax(np.fft.irfft(product)))
    return place if place < size // 2 else place - size


def chained(path, first, second):
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path


# With the extra.


@pytest.mark.parametrize("piped", [True, False])
def test_an_mp3_of_variable_rate_from_a_pipe_is_read_to_its_end(tmp_path, feed, piped):
    data = media.piped_mp3(media.crescendo(SECONDS, 16_000))
    path = tmp_path / "a.mp3"
    path.write_bytes(data)
    assert sf.info(path).frames < 2 * 16_000  # end of the file according to libsndfile
    if piped:
        feed(data)
    samples, rate, warnings = read_all("-" if piped else path)
    assert 0 <= len(samples) - SECONDS * rate <= 2 * 1152  # no header gives delay and padding
    assert warnings == []


@pytest.mark.parametrize("options", [{}, {"write_xing": "0"}])
def test_a_healthy_mp3_of_constant_rate_is_not_called_truncated(tmp_path, options):
    media.encode(
        tmp_path / "a.mp3", noise(44_100, peak=0.1), rate=44_100, codec="libmp3lame", options=options
    )
    samples, _, warnings = read_all(tmp_path / "a.mp3", strict=True)
    assert len(samples) == 44_100 if not options else len(samples) > 44_100
    assert warnings == []


def test_a_healthy_mp3_of_constant_rate_is_whole_without_the_extra(tmp_path, no_extra):
    options = {"write_xing": "0"}
    media.encode(
        tmp_path / "a.mp3", noise(44_100, peak=0.1), rate=44_100, codec="libmp3lame", options=options
    )
    samples, _, warnings = read_all(tmp_path / "a.mp3", strict=True)
    assert len(samples) > 44_100
    assert warnings == []


@pytest.mark.parametrize("extension", ["ogg", "opus", "mp3"])
@pytest.mark.parametrize("count", [2, 5])
def test_chained_recordings_are_read_to_the_last_and_are_as_long_as_their_sum(tmp_path, extension, count):
    path = write(tmp_path / f"a.{extension}", tone(30_000, 48_000, 330), 48_000)
    alone = read_all(path)[0]
    assert len(alone) == 30_000
    path.write_bytes(path.read_bytes() * count)
    samples, _, warnings = read_all(path, strict=True)
    assert len(samples) == count * 30_000
    assert warnings == []
    inner = slice(2000, -2000)
    for number in range(count):
        link = samples[number * 30_000 : (number + 1) * 30_000]
        np.testing.assert_allclose(link[inner], alone[inner], rtol=0, atol=2e-2)


@pytest.mark.parametrize("extension", ["ogg", "opus"])
def test_chained_ogg_needs_no_extra(tmp_path, no_extra, extension):
    path = write(tmp_path / f"a.{extension}", noise(30_000), 16_000)
    chained(path, path, path)
    assert len(read_all(path, strict=True)[0]) == 60_000


def test_a_link_of_another_rate_is_converted_to_the_first(tmp_path):
    first = write(tmp_path / "a.ogg", tone(16_000, 16_000), 16_000)
    second = write(tmp_path / "b.ogg", tone(44_100, 44_100), 44_100)
    samples, rate, _ = read_all(chained(tmp_path / "c.ogg", first, second))
    assert (len(samples), rate) == (32_000, 16_000)
    np.testing.assert_allclose(samples[17_000:31_000], tone(16_000, 16_000)[1000:15_000], rtol=0, atol=2e-2)


def test_a_link_with_other_channels_is_refused_by_name(tmp_path):
    first = write(tmp_path / "a.ogg", noise(16_000))
    second = write(tmp_path / "b.ogg", noise(16_000, 2))
    with pytest.raises(DssError, match=r"c\.ogg: the number of channels changes from 1 to 2; .* ffmpeg"):
        read_all(chained(tmp_path / "c.ogg", first, second))


def test_a_cut_link_in_the_middle_is_said_and_the_rest_is_read(tmp_path):
    whole = write(tmp_path / "a.ogg", noise(200_000), 48_000)
    half = cut(write(tmp_path / "b.ogg", noise(200_000), 48_000), 60)
    samples, _, warnings = read_all(chained(tmp_path / "c.ogg", half, whole))
    assert len(samples) > 200_000
    assert len(warnings) == 1
    with pytest.raises(DssError, match="strict"):
        read_all(tmp_path / "c.ogg", strict=True)


STATED = {
    "m4a": "aac",
    "mp4": "aac",
    "alac.m4a": "alac",
    "mp3": "libmp3lame",
    "webm": "libopus",
    "opus": "libopus",
}
ROUGH = {"aac": ("aac", "adts"), "wma": ("wmav2", "asf"), "mkv": ("aac", None), "ts": ("aac", "mpegts")}


@pytest.mark.parametrize(("extension", "codec"), STATED.items())
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_is_as_long_as_its_container_states_and_not_late(tmp_path, extension, codec, channels):
    samples = media.crescendo(SECONDS, 48_000, channels)
    path = tmp_path / f"a.{extension}"
    media.encode(path, samples, codec=codec)
    got, rate, warnings = read_all(path, strict=True)
    assert (got.shape, rate, warnings) == (samples.shape, 48_000, [])
    for column in range(channels):
        assert lag(got[:, column], samples[:, column]) == 0


@pytest.mark.parametrize("extension", ROUGH)
def test_where_nothing_is_stated_all_that_is_decoded_comes(tmp_path, extension):
    codec, container = ROUGH[extension]
    media.encode(
        tmp_path / f"a.{extension}", media.crescendo(SECONDS, 48_000, 2), codec=codec, container=container
    )
    samples, rate, warnings = read_all(tmp_path / f"a.{extension}", strict=True)
    assert abs(len(samples) - SECONDS * rate) <= 4096
    assert warnings == []


def test_every_format_comes_through_standard_input(tmp_path, feed):
    path = tmp_path / "a.m4a"
    media.encode(path, media.crescendo(2, 48_000))
    feed(path.read_bytes())
    np.testing.assert_array_equal(read_all("-")[0], read_all(path)[0])


def test_lossless_samples_are_those_that_went_in(tmp_path):
    samples = (np.round(noise(20_000, 2) * 2**15) / 2**15).astype(np.float32)
    media.encode(tmp_path / "a.m4a", samples, codec="alac")
    np.testing.assert_array_equal(read_all(tmp_path / "a.m4a")[0], samples)


def test_the_first_audio_track_is_taken_and_said_or_the_one_asked_for(tmp_path):
    path = tmp_path / "a.mp4"
    media.encode(path, tone(48_000, 48_000, 440), tone(96_000, 48_000, 1000, 2))
    samples, _, warnings = read_all(path, strict=True)
    assert samples.shape == (48_000, 1)
    assert warnings == [f"{path}: 2 audio tracks: the first is taken; --track 2 takes the next"]
    assert read_all(path, track=2)[0].shape == (96_000, 2)
    assert read_all(path, track=2)[2] == []
    with pytest.raises(UsageError, match=r"a\.mp4: there is no audio track 3; it has 2"):
        AudioReader(path, track=3)


def test_a_wav_has_one_track(tmp_path):
    path = write(tmp_path / "a.wav", noise(1000))
    with pytest.raises(UsageError, match="there is no audio track 2; it has 1"):
        AudioReader(path, track=2)


@pytest.mark.parametrize("percent", [30, 60, 95])
def test_a_cut_m4a_is_said(tmp_path, percent):
    path = tmp_path / "a.m4a"
    media.encode(path, media.crescendo(SECONDS, 48_000), options={"movflags": "faststart"})
    samples, rate, warnings = read_all(cut(path, percent))
    assert 0 < len(samples) < SECONDS * rate
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{path}: truncated: ")
    with pytest.raises(DssError, match="truncated"):
        read_all(path, strict=True)


def test_a_track_that_begins_behind_the_probed_part_is_passed_over(tmp_path):
    path = tmp_path / "a.ts"  # without tables: FFmpeg takes a new packet number for a new track
    path.write_bytes(_packets_alone(256, seconds=30) + _packets_alone(512, seconds=1))
    samples, rate, warnings = read_all(path)
    assert 30 * rate <= len(samples) < 30.1 * rate
    assert warnings == []


def _packets_alone(number, seconds):
    """Return the packets of one track of an MPEG-TS stream, without its tables."""
    stream = io.BytesIO()
    options = {"mpegts_start_pid": str(number)}
    media.encode(stream, tone(seconds * 48_000, 48_000), container="mpegts", options=options)
    content = stream.getvalue()
    packets = [content[at : at + 188] for at in range(0, len(content), 188)]
    return b"".join(packet for packet in packets if (packet[1] << 8 | packet[2]) & 0x1FFF == number)


def test_a_playlist_opens_no_other_file(tmp_path):
    media.encode(tmp_path / "a.m4a", noise(48_000))
    for name, text in {
        "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{tmp_path}/a.m4a\n#EXT-X-ENDLIST\n",
        "a.txt": f"ffconcat version 1.0\nfile {tmp_path}/a.m4a\n",
    }.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(DssError, match="not audio that can be read"):
            AudioReader(tmp_path / name)


def test_stems_of_an_m4a_are_wav_files_as_long_as_the_sound(dss, stub, here):
    media.encode(here / "talk.m4a", noise(48_000, 2))
    status, _, err = dss("separate", "talk.m4a")
    assert (status, len(err)) == (0, 1)
    assert err[0].startswith("talk.m4a -> talk.near.wav, talk.far.wav ")
    info = sf.info(here / "talk.near.wav")
    assert (info.frames, info.samplerate, info.channels, info.subtype) == (48_000, 48_000, 2, "PCM_16")


def test_track_is_an_option_of_the_command(dss, stub, here):
    media.encode(here / "a.mp4", noise(48_000), noise(24_000))
    assert dss("separate", "a.mp4", "--track", "2")[0] == 0
    assert sf.info(here / "a.near.wav").frames == 24_000


# Without the extra.


def test_without_the_extra_undecoded_bytes_are_an_error_and_no_stem(tmp_path, no_extra, scaling_network):
    path = tmp_path / "a.mp3"
    path.write_bytes(media.piped_mp3(media.crescendo(SECONDS, 16_000)))
    with pytest.raises(DssError, match=r"a\.mp3: \d+ of its \d+ bytes lie behind .* `pip install .*formats"):
        separate_file(path, near=tmp_path / "n.wav", network=scaling_network(SMALL))
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp3"]


def test_without_the_extra_joined_mp3_files_are_an_error(tmp_path, no_extra):
    path = write(tmp_path / "a.mp3", noise(44_100), 44_100)
    assert len(read_all(path, strict=True)[0]) == 44_100
    with pytest.raises(DssError, match="lie behind"):
        read_all(chained(path, path, path))


# Items of an APE tag can look like frames.
APE_TAG = b"\xff\xfb\x90" * 656 + b"APETAGEX" + struct.pack("<IIII", 2000, 2000, 1, 0) + bytes(8)


@pytest.mark.parametrize("tag", [b"TAG" + bytes(125), APE_TAG], ids=["ID3v1", "APE"])
def test_tags_at_the_end_of_an_mp3_are_no_sound(tmp_path, no_extra, tag):
    path = write(tmp_path / "a.mp3", noise(44_100), 44_100)
    path.write_bytes(path.read_bytes() + tag)
    samples, _, warnings = read_all(path, strict=True)
    assert len(samples) == 44_100
    assert warnings == []


def test_without_the_extra_an_m4a_names_the_way_out(tmp_path, no_extra):
    path = tmp_path / "a.m4a"
    media.encode(path, noise(48_000))
    with pytest.raises(DssError, match=r"pip install 'dss-cli\[formats\]'.*ffmpeg -i"):
        AudioReader(path)


def test_mp3_files_read_alike_with_and_without_the_extra(tmp_path, monkeypatch):
    path = write(tmp_path / "a.mp3", tone(44_100, 44_100), 44_100)
    with_extra = read_all(path)[0]
    monkeypatch.setattr(decoding, "available", lambda: False)
    np.testing.assert_allclose(with_extra, read_all(path)[0], rtol=0, atol=1e-4)


# FLAC of unknown length.


def without_length(path):
    """Write a FLAC stream as an encoder writes it to a pipe: with total samples and checksum 0."""
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:42] = bytes(20)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("piped", [True, False])
@pytest.mark.parametrize("frames", [1000, 65_536, 200_000])
def test_a_flac_of_unknown_length_is_read_to_its_end(tmp_path, feed, piped, frames):
    samples = quantised(noise(frames, 2))
    path = without_length(write(tmp_path / "a.flac", samples))
    if piped:
        feed(path.read_bytes())
    with AudioReader("-" if piped else path, strict=True) as reader:
        assert reader.frames is None
        np.testing.assert_array_equal(np.concatenate(list(reader.blocks())), samples)


@pytest.mark.parametrize("extension", ["wav", "aiff", "flac"])
def test_stems_of_a_flac_of_unknown_length_have_ordinary_containers(tmp_path, scaling_network, extension):
    path = without_length(write(tmp_path / "a.flac", noise(100_000)))
    report = separate_file(path, near=tmp_path / f"n.{extension}", network=scaling_network(SMALL))
    assert report.warnings == []
    info = sf.info(tmp_path / f"n.{extension}")
    assert (info.frames, info.format) == (100_000, extension.upper())


def test_a_damaged_flac_of_unknown_length_is_said(tmp_path):
    path = without_length(write(tmp_path / "a.flac", noise(100_000)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    path.write_bytes(data)
    samples, _, warnings = read_all(path)
    assert 0 < len(samples) < 100_000
    assert len(warnings) == 1
