"""Damaged and unusual recordings: one line with the file's name, no partial output, exact lengths."""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.audio import AudioReader
from dss_cli.constants import SignalConfig
from dss_cli.errors import DssError
from dss_cli.separation.files import separate_file
from tests.helpers.synth import cut, noise, quantised, read, write

FRAMES = 40_000
# Expected result for a file of FRAMES frames cut to 0, 1, 50 and 99 %: None is an error; a pair is the
# range of the number of frames, with a warning.
CUTS = {
    ("wav", 0): None,
    ("wav", 1): (378, 378),
    ("wav", 50): (19_989, 19_989),
    ("wav", 99): (39_599, 39_599),
    ("rf64", 50): (19_900, 20_000),
    ("aiff", 50): (19_900, 20_000),
    ("w64", 50): (19_900, 20_000),
    ("caf", 99): (39_000, 39_900),
    ("au", 50): (19_900, 20_000),
    ("flac", 0): None,
    ("flac", 1): None,
    ("flac", 50): (16_000, 20_500),
    ("flac", 99): (36_000, 39_999),
    ("ogg", 0): None,
    ("ogg", 1): None,
    ("ogg", 20): None,  # all headers, but no complete page of audio
    ("ogg", 50): (1, 20_500),
    ("ogg", 99): (20_000, 39_999),
    ("mp3", 0): None,
    ("mp3", 1): None,
    ("mp3", 50): (15_000, 20_500),
    ("mp3", 99): (39_000, 39_999),
}


@pytest.fixture
def separate(tmp_path, scaling_network):
    """Separate into the folder `out`; return the report and the near stem."""
    out = tmp_path / "out"
    out.mkdir()

    def run(source, **options):
        network = scaling_network(SignalConfig(frames=20))
        targets = {stem: out / f"{stem}.wav" for stem in ("near", "far", "residual")}
        report = separate_file(source, **targets, network=network, **options)
        assert sorted(path.name for path in out.iterdir()) == [
            "far.wav",
            "near.wav",
            "residual.wav",
        ]
        return report, [read(path) for path in targets.values()]

    yield run


def nothing_left(tmp_path) -> bool:
    return not list((tmp_path / "out").iterdir())


def assert_refused(separate, path, match=None, **options):
    with pytest.raises(DssError, match=match) as caught:
        separate(path, **options)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert nothing_left(path.parent)


@pytest.mark.parametrize(("case", "expected"), CUTS.items(), ids=lambda value: str(value))
def test_truncated(tmp_path, separate, capfd, case, expected):
    extension, percent = case
    path = cut(write(tmp_path / f"a.{extension}", noise(FRAMES)), percent)
    if expected is None:
        assert_refused(separate, path)
    else:
        report, stems = separate(path)
        assert expected[0] <= report.frames <= expected[1]
        assert {len(stem) for stem in stems} == {report.frames}
        (warning,) = report.warnings
        assert warning.startswith(f"{path}: ")
        assert "truncated" in warning or "damaged" in warning
    assert capfd.readouterr().err == ""  # decoders print messages, which users must not see


@pytest.mark.parametrize("case", [case for case, expected in CUTS.items() if expected], ids=str)
def test_truncated_is_an_error_when_strict(tmp_path, separate, case):
    extension, percent = case
    path = cut(write(tmp_path / f"a.{extension}", noise(FRAMES)), percent)
    assert_refused(separate, path, "truncated|damaged", strict=True)


def test_all_that_flac_can_decode_is_kept(tmp_path):
    samples = quantised(noise(FRAMES))
    path = cut(write(tmp_path / "a.flac", samples), 50)
    for size in (1000, 4096, 65_536):
        with AudioReader(path) as reader:
            got = np.concatenate(list(reader.blocks(size)))
        assert len(got) % 4096 == 0  # the encoder's blocks
        assert len(got) >= 16_384
        np.testing.assert_array_equal(got, samples[: len(got)])


@pytest.mark.parametrize("extension", ["wav", "aiff", "flac", "ogg", "mp3", "w64", "caf", "au"])
def test_header_only(tmp_path, separate, extension):
    path = write(tmp_path / f"a.{extension}", noise(0))
    assert_refused(separate, path)


def test_wav_cut_after_its_header(tmp_path, separate):
    path = write(tmp_path / "a.wav", noise(1000))
    path.write_bytes(path.read_bytes()[:44])
    assert_refused(separate, path, "header without audio")


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3", "au", "raw", "m4a"])
@pytest.mark.parametrize("text", [b"", b"no audio at all\n" * 50])
def test_empty_and_text(tmp_path, separate, extension, text):
    path = tmp_path / f"a.{extension}"
    path.write_bytes(text)
    assert_refused(separate, path, f"ffmpeg -i .*a.{extension} a" if text else "empty")


def test_missing_and_folder(tmp_path, separate):
    assert_refused(separate, tmp_path / "none.wav", "No such file")
    folder = tmp_path / "folder.wav"
    folder.mkdir()
    assert_refused(separate, folder, "directory")


def test_an_unknown_format_names_the_line_that_converts_it(tmp_path):
    path = tmp_path / "my talk.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(200))
    with pytest.raises(DssError) as caught:
        AudioReader(path)
    assert str(caught.value).endswith(f"ffmpeg -i '{path}' 'my talk.wav'")


def test_not_finite(tmp_path, separate):
    samples = noise(9000)
    samples[[10, 8000]] = np.nan
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    report, stems = separate(path)
    assert report.warnings == [f"{path}: 2 samples are not finite (NaN or infinity); read as 0"]
    np.testing.assert_allclose(sum(stems), np.nan_to_num(samples), rtol=0, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 2, 127, 511])
@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 96_000, 192_000])
def test_shorter_than_a_frame(tmp_path, separate, frames, rate):
    samples = noise(frames)
    report, stems = separate(write(tmp_path / "a.wav", samples, rate, "FLOAT"))
    assert report.warnings == []
    assert report.frames == frames
    np.testing.assert_allclose(sum(stems), samples, rtol=0, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8000, 44_100, 96_000, 192_000])
def test_rates_and_channels(tmp_path, separate, rate, channels):
    samples = noise(rate // 2 + 13, channels)
    path = write(tmp_path / "a.wav", samples, rate, "FLOAT")
    report, stems = separate(path)
    assert (report.frames, report.rate, report.channels) == (len(samples), rate, channels)
    assert report.warnings == []
    assert sf.info(tmp_path / "out" / "near.wav").samplerate == rate
    np.testing.assert_allclose(sum(stems), samples, rtol=0, atol=1e-6)


def sparse_wav(path, declared):
    """Write a sparse mono 16-bit WAV with more than 4 GiB of silence."""
    write(path, noise(100))
    data = bytearray(path.read_bytes()[:44])
    data[40:44] = declared.to_bytes(4, "little")
    path.write_bytes(data)
    with path.open("r+b") as file:
        file.truncate(44 + (5 << 30))
    return path


def test_a_wav_of_unknown_length_may_pass_4_gib(tmp_path):
    with AudioReader(sparse_wav(tmp_path / "a.wav", 0xFFFFFFFF)) as reader:
        assert reader.frames == 5 << 29


def test_a_wav_whose_size_overflowed_is_said(tmp_path):
    path, warnings = sparse_wav(tmp_path / "a.wav", 1 << 30), []
    with AudioReader(path, warn=warnings.append) as reader:
        assert reader.frames == 1 << 29
    assert warnings == [
        f"{path}: damaged: it declares {1 << 30} audio bytes and holds {5 << 30}; written by a "
        "program that cannot count beyond 4 GiB?"
    ]


@given(st.data())
def test_bytes_at_random_never_leave_more_than_a_dss_error(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    extension = data.draw(st.sampled_from(["wav", "flac", "aiff", "w64"]))
    path = write(folder / f"a.{extension}", noise(300, 2))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        # Rates and channel counts are damaged as well, but no size causes endless work.
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        with AudioReader(path) as reader:
            got = sum(len(block) for block in reader.blocks(1024))
        assert 0 < got <= len(content)
    except DssError as error:
        assert "\n" not in str(error)
        assert str(path) in str(error)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [1e38, -3e38, 2e10])
def test_absurd_samples_are_one_line_with_the_files_name(tmp_path, separate, value):
    samples = noise(40_000, 2)
    samples[30_000, 1] = value
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    assert_refused(separate, path, re.escape(f"a sample of {abs(value):.3g} at 1.88 s, where"))
    assert_refused(separate, path, "full scale is 1", channels="mix")


@pytest.mark.filterwarnings("error")
def test_integers_in_a_float_file_are_merely_loud(tmp_path, separate):
    samples = noise(9000) * np.float32(2.0**31)
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    report, stems = separate(path)
    np.testing.assert_allclose(sum(stems), samples, rtol=1e-5, atol=300)
    assert report.warnings == []
