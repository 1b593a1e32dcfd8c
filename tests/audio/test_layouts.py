"""Loudspeaker layouts of channels: kept if the output format can store them, else a warning."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import soundfile as sf

from dss_cli.audio import AudioReader
from dss_cli.audio.layouts import mask_of, write_mask
from dss_cli.separation.files import separate_file
from tests.helpers.stub import SMALL
from tests.helpers.synth import noise, read, write

SURROUND, SIDE = 0x3F, 0x60F  # 5.1 with back speakers, with side speakers


def mask(path):
    with AudioReader(path) as reader:
        return reader.mask


@pytest.fixture
def surround(tmp_path):
    """Write a 5.1 file with the given channel mask."""

    def make(value=SIDE, extension="wav"):
        path = write(
            tmp_path / f"a.{extension}", noise(20_000, 6), container="WAVEX" if extension == "wav" else None
        )
        if extension == "wav":
            write_mask(path, value)
        return path

    return make


@pytest.mark.parametrize("value", [SURROUND, SIDE])
@pytest.mark.parametrize("extension", ["wav", "rf64"])
def test_five_point_one_keeps_its_layout(tmp_path, surround, scaling_network, value, extension):
    path = surround(value)
    report = separate_file(path, near=tmp_path / f"n.{extension}", network=scaling_network(SMALL, near=1.0))
    assert report.warnings == []
    assert mask(tmp_path / f"n.{extension}") == value
    np.testing.assert_allclose(read(tmp_path / f"n.{extension}"), read(path), rtol=0, atol=1e-4)


def test_flac_means_a_layout_by_its_order(tmp_path, surround, scaling_network):
    network = scaling_network(SMALL)
    assert separate_file(surround(SURROUND), near=tmp_path / "n.flac", network=network).warnings == []
    assert separate_file(tmp_path / "n.flac", near=tmp_path / "m.wav", network=network).warnings == []
    assert mask(tmp_path / "m.wav") == SURROUND
    (warning,) = separate_file(surround(SIDE), near=tmp_path / "s.flac", network=network).warnings
    assert warning == "FLAC does not say which loudspeaker each of 6 channels is for"


def test_a_plain_wav_stays_plain(tmp_path, scaling_network):
    path = write(tmp_path / "a.wav", noise(20_000, 6))
    separate_file(path, near=tmp_path / "n.wav", network=scaling_network(SMALL))
    assert sf.info(tmp_path / "n.wav").format == "WAV"
    assert mask(tmp_path / "n.wav") is None


def test_a_mix_has_no_layout(tmp_path, surround, scaling_network):
    separate_file(surround(), near=tmp_path / "n.wav", network=scaling_network(SMALL), channels="mix")
    assert sf.info(tmp_path / "n.wav").format == "WAV"


def test_a_stream_says_the_layout_too(stubbed, surround, here):
    surround(SIDE)
    done = subprocess.run([*stubbed(), "separate", "a.wav", "--near", "-"], capture_output=True, timeout=60)
    (here / "out.wav").write_bytes(done.stdout)
    assert mask(here / "out.wav") == SIDE
    assert read(here / "a.wav").shape == (20_000, 6)
    with AudioReader(here / "out.wav") as reader:
        assert sum(map(len, reader.blocks())) == 20_000


def test_the_layout_of_an_m4a_reaches_the_wav(tmp_path, scaling_network):
    media = pytest.importorskip("tests.helpers.media")
    media.encode(tmp_path / "a.m4a", noise(48_000, 6))
    separate_file(tmp_path / "a.m4a", near=tmp_path / "n.wav", network=scaling_network(SMALL))
    assert mask(tmp_path / "n.wav") == SURROUND


def test_speakers_in_an_order_that_a_mask_cannot_say():
    assert mask_of(["FL", "FR", "FC", "LFE", "SL", "SR"]) == SIDE
    assert mask_of(["FC", "FL"]) is None
    assert mask_of(["FL", "AMBI0"]) is None


# Encodings that can be read but not written.


@pytest.mark.parametrize(
    ("subtype", "container"), [("IMA_ADPCM", "WAV"), ("MS_ADPCM", "WAV"), ("GSM610", "WAV")]
)
def test_block_codecs_say_that_pcm_comes_out(tmp_path, scaling_network, subtype, container):
    path = write(tmp_path / "a.wav", noise(16_000), 8000, subtype, container)
    report = separate_file(path, near=tmp_path / "n.wav", network=scaling_network(SMALL))
    assert report.warnings == [f"{subtype} would lose quality when written again: written as PCM_16"]
    assert sf.info(tmp_path / "n.wav").subtype == "PCM_16"
