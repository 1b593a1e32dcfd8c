"""`dss separate` on a stub network: outputs, reports, skipped files, continuation after errors."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import soundfile as sf

import dss_cli
from tests.helpers.stub import Stub, files


def test_default_names_keep_rate_channels_and_encoding(dss, stub, recording, here):
    samples = recording("in/talk.flac", rate=44_100, channels=2)
    status, out, err = dss("separate", "in/talk.flac")
    assert (status, out, len(err)) == (0, "", 1)
    assert err[0].startswith("in/talk.flac -> talk.near.flac, talk.far.flac (1.0 s of audio in ")
    assert err[0].endswith("CPU)")
    assert files(here) == ["in/talk.flac", "talk.far.flac", "talk.near.flac"]
    for name in ("talk.near.flac", "talk.far.flac"):
        info = sf.info(here / name)
        assert (info.samplerate, info.channels, info.frames) == (44_100, 2, len(samples))
        assert info.subtype == "PCM_24"


def test_stems_and_residual_hold_their_shares(dss, stub, recording, here):
    samples = recording("a.wav")
    named = {"near": 0.75, "far": 0.125, "residual": 0.125}
    options = [text for stem in named for text in (f"--{stem}", f"{stem}.wav")]
    assert dss("separate", "a.wav", *options)[0] == 0
    for stem, share in named.items():
        written = sf.read(here / f"{stem}.wav", always_2d=True)[0]
        np.testing.assert_allclose(written, share * samples, atol=1e-6)


def test_one_name_writes_one_stem(dss, stub, recording, here):
    recording("a.wav")
    assert dss("separate", "a.wav", "--far", "f.wav")[0] == 0
    assert files(here) == ["a.wav", "f.wav"]


def test_options_reach_the_model_and_the_files(dss, stub, recording, here):
    recording("a.wav", channels=2)
    status, *_ = dss(
        *("separate", "a.wav", "--model", "toy", "--delegate", "gpu", "--strict-delegate"),
        *("--threads", "3", "--verbose", "--channels", "mix", "--subtype", "PCM_16"),
        *("--format", "flac", "--output-dir", "new/out"),
    )
    assert status == 0
    options = {"strict_delegate": True, "verbose": True, "gpu_precision": "float32", "latency": None}
    assert stub.calls == [(("toy", "gpu", 3), options)]
    info = sf.info(here / "new/out/a.near.flac")
    assert (info.channels, info.subtype, info.format) == (1, "PCM_16", "FLAC")


def test_verbose_lasts_for_its_own_run(dss, stub, recording):
    recording("a.wav")
    assert len(dss("separate", "a.wav", "--verbose")[2]) == 2
    assert len(dss("separate", "a.wav", "--overwrite")[2]) == 1


def test_quiet_is_quiet(dss, stub, recording):
    recording("a.wav")
    assert dss("separate", "a.wav", "--quiet") == (0, "", [])


def test_a_fallback_is_said_once(dss, stub, recording):
    stub.fallback_reason = "no GPU adapter was found"
    recording("a.wav")
    recording("b.wav")
    status, out, err = dss("separate", "a.wav", "b.wav", "--quiet")
    warning = "dss: warning: running on the CPU: no GPU adapter was found"
    assert (status, out, err) == (0, "", [warning])


def test_json_is_one_object_and_nothing_else(dss, stub, recording):
    stub.fallback_reason = "no adapter"
    recording("a.wav", seconds=2)
    status, out, err = dss("separate", "a.wav", "missing.wav", "--json")
    assert status == 1
    report = json.loads(out)
    assert report["version"] == dss_cli.__version__
    assert report["model"] == "lite"
    expected = {"asked": "auto", "used": "cpu", "fallback_reason": "no adapter", "gpu_precision": None}
    assert report["delegate"] == expected
    assert report["warnings"] == ["running on the CPU: no adapter"]
    assert report["seconds"] == 2.0
    assert report["rtf"] == pytest.approx(report["elapsed"] / 2)
    good, bad = report["files"]
    assert good["input"] == "a.wav"
    assert good["outputs"] == {"near": "a.near.wav", "far": "a.far.wav"}
    assert (good["frames"], good["rate"], good["channels"], good["gain"]) == (32_000, 16_000, 1, 1)
    assert bad["input"] == "missing.wav"
    assert "missing.wav" in bad["error"]
    assert [text.split(": ")[1] for text in err] == ["warning", "error"]


def test_clipping_is_a_warning_with_the_files_name(dss, stub, here, recording, monkeypatch):
    sf.write("loud.wav", np.ones(16_000, np.float32), 16_000, subtype="PCM_16")
    monkeypatch.setattr(Stub, "separate", lambda self, m: (2 * m[..., 1:], m[..., 1:]))
    status, out, err = dss("separate", "loud.wav", "--json")
    assert status == 0
    report = json.loads(out)
    assert 0 < report["files"][0]["gain"] < 0.2  # 2 ** (1 / 0.3) = 10
    (warning,) = report["warnings"]
    assert "one gain" in warning
    assert err == [f"dss: warning: loud.wav: {warning}"]


def test_one_bad_file_does_not_stop_the_others(dss, stub, recording, here):
    (here / "bad.wav").write_text("not audio")
    recording("good.wav")
    status, out, err = dss("separate", "bad.wav", "missing.wav", "good.wav")
    assert (status, out, len(err)) == (1, "", 6)
    assert err[0].startswith("dss: error: bad.wav: ")
    assert err[1].startswith("dss: error: missing.wav: ")
    assert err[2].startswith("good.wav -> ")
    assert [text.replace("failed:", "dss: error:") for text in err[3:5]] == err[:2]
    assert err[5] == "1 separated, 2 failed"
    assert files(here) == ["bad.wav", "good.far.wav", "good.near.wav", "good.wav"]


@pytest.mark.skipif(os.name == "nt", reason="names that are no text")
def test_a_name_that_is_no_utf_8_is_separated_like_any_other(dss, stub, recording, here):
    samples = recording("a.wav")
    odd = os.fsdecode(b"caf\xe9\xff.wav")
    (here / "a.wav").rename(here / odd)
    recording("b.wav")
    status, out, err = dss("separate", ".", "-r", "--output-dir", "out", "--json")
    assert (status, err) == (0, [])
    assert [entry["input"] for entry in json.loads(out)["files"]] == ["b.wav", odd]
    with (here / "out" / os.fsdecode(b"caf\xe9\xff.near.wav")).open("rb") as file:
        np.testing.assert_allclose(sf.read(file, always_2d=True)[0], 0.75 * samples, atol=1e-6)
    assert dss("separate", ".", "-r", "--output-dir", "out", "--overwrite")[0] == 0


def test_a_bug_in_one_file_is_its_one_line_error_and_the_batch_goes_on(
    dss, stub, recording, here, monkeypatch
):
    from dss_cli.separation import files as library

    def separate_file(source, **options):
        if source == "b.wav":
            raise UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed")
        return real(source, **options)

    real = library.separate_file
    monkeypatch.setattr(library, "separate_file", separate_file)
    for name in "abc":
        recording(f"{name}.wav")
    status, _, err = dss("separate", "a.wav", "b.wav", "c.wav")
    assert status == 1
    assert err[1].startswith("dss: error: b.wav: UnicodeEncodeError: ")
    assert err[-1] == "2 separated, 1 failed"
    assert (here / "c.near.wav").exists()
    with pytest.raises(UnicodeEncodeError):
        dss("separate", "b.wav", "--debug")


def test_the_tally_counts_thousands_and_stands_in_the_json(dss, stub, recording, here):
    recording("a.wav")
    dss("separate", "a.wav")
    recording("b.wav")
    status, out, _ = dss("separate", "a.wav", "b.wav", "c.wav", "--skip-existing", "--json")
    assert status == 1
    tally = json.loads(out)["tally"]
    assert tally == {"separated": 1, "failed": 1, "left_out": {"outputs exist": 1}}
    err = dss("separate", "a.wav", "b.wav", "--skip-existing")[2]
    assert err[-1] == "0 separated, 2 left out (2 outputs exist)"


def test_existing_outputs_are_refused_before_anything_runs(dss, stub, recording, here):
    recording("a.wav")
    recording("b.wav")
    (here / "b.far.wav").write_bytes(b"precious")
    status, _, err = dss("separate", "a.wav", "b.wav")
    assert status == 2
    assert err == ["dss: error: b.far.wav: exists already; --overwrite replaces it"]
    assert files(here) == ["a.wav", "b.far.wav", "b.wav"]
    assert (here / "b.far.wav").read_bytes() == b"precious"
    assert dss("separate", "a.wav", "b.wav", "--overwrite")[0] == 0
    assert sf.info(here / "b.far.wav").frames == 16_000


def test_finished_recordings_are_left_out(dss, stub, recording, here):
    recording("a.wav")
    assert dss("separate", "a.wav")[0] == 0
    before = (here / "a.near.wav").stat().st_mtime_ns
    recording("b.wav")
    status, _, err = dss("separate", "a.wav", "b.wav", "--skip-existing")
    assert status == 0
    assert err[0] == "a.wav: left out, its outputs exist"
    assert (here / "a.near.wav").stat().st_mtime_ns == before
    assert (here / "b.near.wav").exists()
    report = json.loads(dss("separate", "a.wav", "--skip-existing", "--json")[1])
    assert report["files"][0]["skipped"] is True
    assert report["rtf"] is None


def test_a_tree_is_mirrored(dss, stub, recording, here):
    recording("in/a.wav")
    recording("in/x/b.flac")
    assert dss("separate", "in", "--recursive", "--output-dir", "out")[0] == 0
    expected = ["a.far.wav", "a.near.wav", "x/b.far.flac", "x/b.near.flac"]
    assert files(here / "out") == expected


def test_an_output_folder_that_is_a_file(dss, stub, recording, here):
    recording("a.wav")
    status, _, err = dss("separate", "a.wav", "--output-dir", "a.wav")
    assert (status, len(err)) == (1, 1)
    assert err[0].startswith("dss: error: a.wav: cannot be created")


def test_file_names_of_any_script(dss, stub, recording, here):
    recording("Gespräch, 会話 [1 of 2].wav")
    assert dss("separate", "Gespräch, 会話 [1 of 2].wav")[0] == 0
    assert (here / "Gespräch, 会話 [1 of 2].near.wav").exists()


def test_a_model_that_gives_no_numbers_is_an_error_with_the_files_name(dss, stub, recording, monkeypatch):
    recording("a.wav")
    monkeypatch.setattr(Stub, "separate", lambda self, m: (np.nan * m[..., 1:], m[..., 1:]))
    status, _, err = dss("separate", "a.wav")
    assert (status, err) == (1, ["dss: error: a.wav: the model gave values that are not finite"])
    monkeypatch.setattr(Stub, "used", "gpu")
    assert "--delegate cpu" in dss("separate", "a.wav")[2][0]


def test_what_a_folder_holds_beside_recordings_is_in_the_tally(dss, stub, recording, here):
    recording("in/a.wav")
    (here / "in/notes.txt").write_text("x")
    (here / "in/data").write_text("x")
    status, _, err = dss("separate", "in", "-r", "-o", "out")
    assert (status, err[-1]) == (0, "1 separated, 2 left out (1 without extension, 1 .txt)")
    assert not any("notes" in text for text in err)
    err = dss("separate", "in", "-r", "-o", "out2", "--verbose")[2]
    assert "dss: info: left out: in/notes.txt (.txt)" in err


@pytest.mark.skipif(os.name == "nt", reason="characters that Windows has in no name")
def test_escape_characters_in_names_are_shown_harmless(dss, stub, recording, here):
    name = "a\x1b[31mred\x07\r\u202egnp.wav"
    recording("a.wav")
    (here / "a.wav").rename(here / name)
    status, _, err = dss("separate", name)
    assert status == 0
    assert err[0].startswith("a\\x1b[31mred\\x07 \\u202egnp.wav -> ")
    assert not any(character in err[0] for character in "\x1b\x07\u202e")
