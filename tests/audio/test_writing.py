"""Writing stems: encodings, one common gain, complete files or none."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from dss_cli.audio import StemGroup, formats
from dss_cli.audio.containers import wav_stream_header
from dss_cli.errors import DssError, UsageError
from tests.helpers.synth import noise, quantised, read, tone, write

READABLE = ["wav", "flac", "ogg", "opus", "mp3", "aiff", "caf", "w64", "rf64", "au"]
LOSSLESS = ["wav", "flac", "aiff", "caf", "w64", "rf64", "au"]


# Writing


def group(targets, **options):
    defaults = {"rate": 16_000, "channels": 1, "source_subtype": "PCM_16"}
    return StemGroup(targets, **(defaults | options))


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("extension", READABLE)
@pytest.mark.parametrize("channels", [1, 2])
def test_stems_come_out_as_they_went_in(tmp_path, extension, channels):
    samples = quantised(noise(150_001, channels))
    near, far = tmp_path / f"n.{extension}", tmp_path / f"f.{extension}"
    with group({"near": near, "far": far}, channels=channels) as stems:
        for block in np.array_split(samples, 3):
            stems.write({"near": block, "far": -block})
        assert leftovers(tmp_path) == []
        report = stems.commit()
    assert leftovers(tmp_path) == [far.name, near.name]
    assert report.outputs == {"near": str(near), "far": str(far)}
    assert (report.frames, report.gain, report.clipped) == (len(samples), 1.0, 0)
    assert read(near).shape == read(far).shape == samples.shape
    if extension in LOSSLESS:
        np.testing.assert_array_equal(read(near), samples)
        np.testing.assert_array_equal(read(far), -samples)


@pytest.mark.parametrize(
    ("name", "source", "expected", "said"),
    [
        ("a.wav", "PCM_24", "PCM_24", False),
        ("a.wav", "FLOAT", "FLOAT", False),
        ("a.wav", "DOUBLE", "DOUBLE", False),
        ("a.wav", "ULAW", "ULAW", False),
        ("a.flac", "FLOAT", "PCM_24", True),
        ("a.flac", "PCM_32", "PCM_24", True),
        ("a.flac", "PCM_U8", "PCM_16", True),
        ("a.aiff", "DOUBLE", "DOUBLE", False),
        ("a.wav", "MPEG_LAYER_III", "PCM_16", False),
        ("a.ogg", "OPUS", "OPUS", False),
        ("a.flac", "VORBIS", "PCM_16", False),
        ("a.wav", "ALAC_24", "PCM_24", False),
        ("a.ogg", "PCM_24", "VORBIS", False),
        ("a.opus", "PCM_16", "OPUS", False),
        ("a.mp3", "FLOAT", "MPEG_LAYER_III", False),
    ],
)
def test_the_encoding_is_the_inputs_or_the_nearest(tmp_path, name, source, expected, said):
    warnings: list[str] = []
    with group({"near": tmp_path / name}, source_subtype=source, warn=warnings.append) as stems:
        stems.write({"near": noise(2000)})
        stems.commit()
    assert sf.info(tmp_path / name).subtype == expected
    container = sf.info(tmp_path / name).format
    assert warnings == ([f"{container} cannot store {source}: written as {expected}"] if said else [])


def test_what_cannot_be_kept_is_said_once_for_all_stems(tmp_path):
    warnings: list[str] = []
    targets = {"near": tmp_path / "n.flac", "far": tmp_path / "f.flac"}
    with group(targets, source_subtype="FLOAT", warn=warnings.append):
        pass
    assert warnings == ["FLAC cannot store FLOAT: written as PCM_24"]


@pytest.mark.parametrize(("rate", "expected"), [(44_100, 48_000), (96_000, 48_000), (8000, 8000)])
def test_a_rate_that_the_container_lacks_becomes_the_nearest(tmp_path, rate, expected):
    path, warnings = tmp_path / "a.opus", []
    with group({"near": path}, rate=rate, warn=warnings.append) as stems:
        stems.write({"near": tone(rate, rate)})
        stems.commit()
    info = sf.info(path)
    assert (info.samplerate, info.frames) == (expected, expected)
    assert len(warnings) == (rate != expected)


def test_the_encoding_option(tmp_path):
    with group({"near": tmp_path / "a.wav"}, subtype="pcm_24") as stems:
        stems.write({"near": noise(100)})
        stems.commit()
    assert sf.info(tmp_path / "a.wav").subtype == "PCM_24"


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        ({}, {}, "no output requested"),
        ({"near": "a.wav", "far": "sub/../a.wav"}, {}, "asked for as both near and far"),
        ({"near": "-", "far": "-"}, {}, "asked for as both near and far"),
        ({"near": "exists.wav"}, {}, "exists already; --overwrite"),
        ({"near": "source.wav"}, {"source": "source.wav", "overwrite": True}, "the input itself"),
        ({"near": "link.wav"}, {"source": "source.wav", "overwrite": True}, "the input itself"),
        ({"near": "missing/a.wav"}, {}, "does not exist"),
        ({"near": "folder.wav"}, {"overwrite": True}, "exists and is not a file"),
        ({"near": "a.m4a"}, {}, r"no writable audio format has the extension '\.m4a'"),
        ({"near": "a"}, {}, "no writable audio format"),
        ({"near": "a.raw"}, {}, "no writable audio format"),
        ({"near": "a.flac"}, {"subtype": "FLOAT"}, "FLAC has no encoding 'FLOAT'; it has"),
        ({"near": "a.wav"}, {"subtype": "IMA_ADPCM"}, "has no encoding 'IMA_ADPCM'"),
        ({"near": "-"}, {"subtype": "VORBIS"}, "standard output carries .*not 'VORBIS'"),
        ({"near": "a.mp3"}, {"channels": 6}, "cannot store 6 channels"),
        ({"near": "a.aiff"}, {"frames": 3 << 30}, "4 GiB"),
    ],
)
def test_requests_that_cannot_be_met_touch_nothing(tmp_path, monkeypatch, targets, options, message):
    monkeypatch.chdir(tmp_path)
    write(Path("exists.wav"), noise(10))
    write(Path("source.wav"), noise(10))
    Path("link.wav").symlink_to("source.wav")
    Path("folder.wav").mkdir()
    Path("sub").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(UsageError, match=message) as caught:
        group(targets, **options)
    assert "\n" not in str(caught.value)
    after = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert after == before


def test_overwrite_replaces_and_follows_links(tmp_path):
    old = write(tmp_path / "old.wav", noise(10))
    link = tmp_path / "link.wav"
    link.symlink_to(old)
    with group({"near": link}, overwrite=True) as stems:
        stems.write({"near": noise(77)})
        stems.commit()
    assert link.is_symlink()
    assert sf.info(old).frames == 77


def test_an_output_that_appears_meanwhile_is_kept(tmp_path):
    near, far = tmp_path / "n.wav", tmp_path / "f.wav"
    with group({"near": near, "far": far}) as stems:
        stems.write({"near": noise(10), "far": noise(10)})
        far.write_bytes(b"of somebody else")
        with pytest.raises(DssError, match=r"f\.wav: appeared while working"):
            stems.commit()
    assert leftovers(tmp_path) == ["f.wav"]
    assert far.read_bytes() == b"of somebody else"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError, DssError])
def test_any_exception_leaves_nothing(tmp_path, error):
    with pytest.raises(error), group({"near": tmp_path / "a.wav"}) as stems:
        stems.write({"near": noise(100_000)})
        raise error("stop")
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_an_interruption_at_the_very_end_leaves_nothing(tmp_path, monkeypatch, step, error):
    calls = []
    real = os.fsync if step == "fsync" else Path.replace

    def second_time(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise error
        return real(*arguments)

    monkeypatch.setattr(os if step == "fsync" else Path, step, second_time)
    expected = DssError if isinstance(error, OSError) else KeyboardInterrupt
    targets = {"near": tmp_path / "n.wav", "far": tmp_path / "f.wav"}
    with pytest.raises(expected), group(targets) as stems:
        stems.write({"near": noise(100), "far": noise(100)})
        stems.commit()
    assert len(calls) == 2
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("limit", [100_000, 20_000_000])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, extension, limit):
    """A limit on the file size simulates the full disk; the spool file meets the smaller limit."""
    script = f"""
import resource, signal
import numpy as np
from dss_cli.audio import StemGroup
from dss_cli.errors import DssError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    with StemGroup({{"near": {str(tmp_path / ("a." + extension))!r}}}, rate=16000, channels=1,
                   source_subtype="PCM_16") as stems:
        stems.write({{"near": np.random.default_rng(0).uniform(-1, 1, (500_000, 1))}})
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, {limit}))
        stems.commit()
except DssError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert f"a.{extension}: cannot be written" in done.stdout
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DssError, match="cannot be written"):
        group({"near": tmp_path / "a.wav"})


def test_new_files_have_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    with group({"near": tmp_path / "a.wav"}) as stems:
        stems.write({"near": noise(10)})
        stems.commit()
    assert (tmp_path / "a.wav").stat().st_mode == (tmp_path / "plain").stat().st_mode


# Clipping


def test_stems_that_would_clip_share_one_gain(tmp_path):
    near, far = noise(1000), noise(1000, seed=1)
    near[[5, 6]] = [[1.6], [-2.0]]
    warnings: list[str] = []
    targets = {"near": tmp_path / "n.wav", "far": tmp_path / "f.flac"}
    with group(targets, warn=warnings.append) as stems:
        stems.write({"near": near, "far": far})
        report = stems.commit()
    assert report.clipped == 2
    assert report.gain == pytest.approx((1 - 2**-15) / 2)
    for stem, samples in {"near": near, "far": far}.items():
        np.testing.assert_allclose(
            read(targets[stem]), samples * np.float32(report.gain), rtol=0, atol=0.51 / 32768
        )
    (message,) = warnings
    assert message.startswith("2 samples would clip: all stems scaled by one gain, 0.5000 (-6.02 dB")


def test_float_files_need_no_gain(tmp_path):
    samples = 3 * noise(1000)
    with group({"near": tmp_path / "n.wav"}, source_subtype="FLOAT") as stems:
        stems.write({"near": samples})
        report = stems.commit()
    assert (report.gain, report.clipped) == (1.0, 0)
    np.testing.assert_array_equal(read(tmp_path / "n.wav"), samples)


def test_full_scale_itself_is_not_clipping(tmp_path):
    samples = np.array([[1.0], [-1.0], [0.5]], np.float32)
    with group({"near": tmp_path / "n.wav"}) as stems:
        stems.write({"near": samples})
        assert stems.commit().gain == 1.0
    np.testing.assert_array_equal(sf.read(tmp_path / "n.wav", dtype="int16")[0], [32767, -32768, 16384])


# More than 4 GiB


def test_wav_beyond_4_gib_by_projection_becomes_rf64(tmp_path):
    warnings: list[str] = []
    path = tmp_path / "long.wav"
    with group({"near": path}, frames=(1 << 31) + 1, warn=warnings.append) as stems:
        stems.write({"near": noise(100)})
        stems.commit()
    assert path.read_bytes()[:4] == b"RF64"
    assert len(read(path)) == 100
    assert warnings == [f"{path}: more than 4 GiB; written as RF64, not as WAV"]


def test_wav_of_unknown_length_becomes_rf64_when_it_turns_out_long(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "SIZE_LIMIT", 100_000)
    for frames, magic in ((10_000, b"RIFF"), (20_000, b"RF64")):
        path = tmp_path / f"{frames}.wav"
        with group({"near": path}) as stems:
            stems.write({"near": noise(frames)})
            stems.commit()
        assert path.read_bytes()[:4] == magic
        assert len(read(path)) == frames


# Standard output


def test_standard_output_clamps_and_counts(tmp_path, capsysbinary):
    warnings: list[str] = []
    samples = np.array([[0.5], [1.5], [-3.0]], np.float32)
    targets = {"near": "-", "far": tmp_path / "f.wav"}
    with group(targets, warn=warnings.append) as stems:
        stems.write({"near": samples, "far": samples})
        report = stems.commit()
    assert report.clipped == 4
    assert "standard output: 2 samples clipped" in warnings
    assert "standard output: written without the gain of the other stems" in warnings
    piped = np.frombuffer(capsysbinary.readouterr().out[44:], np.int16)
    np.testing.assert_array_equal(piped, [16384, 32767, -32768])


def test_an_empty_stem_on_standard_output_is_a_header(capsysbinary):
    with group({"near": "-"}) as stems:
        stems.commit()
    assert capsysbinary.readouterr().out == wav_stream_header(16_000, 1, "PCM_16")


def test_standard_output_on_a_terminal_is_refused(monkeypatch):
    terminal, other = os.openpty()
    monkeypatch.setattr(sys, "stdout", os.fdopen(other, "w"))
    with pytest.raises(UsageError, match="terminal"):
        group({"near": "-"})
    sys.stdout.close()
    os.close(terminal)


def test_a_reader_that_leaves_is_one_line(monkeypatch):
    receiver, sender = os.pipe()
    os.close(receiver)
    with os.fdopen(sender, "wb", buffering=0) as pipe:
        monkeypatch.setattr(sys, "stdout", type("Stdout", (), {"buffer": pipe}))
        stems = group({"near": "-"})
        with (
            pytest.raises(DssError, match="standard output: cannot be written: Broken pipe"),
            stems,
        ):
            stems.write({"near": noise(10)})
