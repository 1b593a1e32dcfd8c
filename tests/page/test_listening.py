"""`dss separate --page`: content, limits, batches, refusals."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest
import soundfile as sf

from dss_cli.errors import UsageError
from dss_cli.page import listening
from dss_cli.page.listening import Speech, clock, cut, excerpt, listening_page
from dss_cli.separation.batch import plan
from dss_cli.separation.files import separate_file
from tests.helpers.stub import Stub, files

ODD = "<b>&\"odd'.wav"  # name that must not be interpreted as markup


def options(page):
    return json.loads(re.search(r"data-options='([^']+)'", page)[1])


def page_of(seconds=3.0, spans=None, warnings=(), name="talk.wav"):
    sounds = excerpt(16_000)
    block = np.full((int(seconds * 16_000), 1), 0.1, np.float32)
    sounds.push(2 * block, block, block)
    sounds.finish()
    spans = spans or {"near": [(0.5, 1.0)], "far": [(0.75, 2.0)]}
    speech = Speech(spans, {"near": -20.0, "far": -31.25})
    return listening_page(name, sounds, speech, seconds, {"Model": "lite"}, warnings)


def test_the_page_has_player_timeline_levels_warnings_and_facts():
    page = page_of(warnings=["truncated: 3 of 4 frames"])
    assert options(page) == {
        "rate": 16_000,
        "length": 48_000,
        "segment": 320_000,
        "lead": 1152,
        "gain": 1.0,
        "spans": {"near": [[0.5, 1.0]], "far": [[0.75, 2.0]]},
    }
    assert re.findall(r'data-track="(\w+)" data-title="(\w+)">', page) == [
        ("mixture", "Recording"),
        ("near", "Near"),
        ("far", "Far"),
    ]
    for text in ("0.5 s (17 %)", "1.2 s (42 %)", "\N{MINUS SIGN}20.0 dB", "0.2 s (8 %)", "All turns (2)"):
        assert text in page
    for text in ("<li>truncated: 3 of 4 frames</li>", "<dd>lite</dd>", "0:03, "):
        assert text in page


def test_the_page_needs_nothing_from_elsewhere_and_takes_names_as_text():
    page = page_of(name=ODD, warnings=[f"{ODD}: damaged"])
    assert ODD not in page and "&lt;b&gt;&amp;" in page
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["data:,"]
    assert not re.search(r"https?:", page)


def test_a_page_without_speech_or_sound_is_a_page():
    page = page_of(1.0, {"near": [], "far": []})
    assert "All turns" not in page and "0.0 s (0 %)" in page


def test_loud_stems_are_scaled_by_one_gain():
    sounds = excerpt(16_000)
    block = np.full((1600, 1), 0.8, np.float32)
    sounds.push(block, block, block)
    sounds.finish()
    page = listening_page("a", sounds, Speech({"near": [], "far": []}, {}), 0.1, {}, [])
    assert options(page)["gain"] == pytest.approx(1 / 1.6)


def test_a_recording_that_does_not_fit_is_one_line(monkeypatch):
    monkeypatch.setattr(listening, "MOST_SECONDS", 2)
    sounds = excerpt(16_000)
    sounds.push(*[np.zeros((3 * 16_000, 1), np.float32)] * 3)
    sounds.finish()
    message = cut(sounds, 3723.0)
    assert message.startswith("the page holds the first 0:02 of 1:02:03, at most 0:02 and 64 MB;")
    page = listening_page("a", sounds, Speech({"near": [(1.0, 2.5), (2.1, 2.6)], "far": []}, {}), 3.0, {}, [])
    assert options(page)["spans"]["near"] == [[1.0, 2.0]]
    assert "All turns (1)" in page
    assert cut(sounds, 2.05) is None


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65.9, "1:05"), (3605, "1:00:05")])
def test_times_are_minutes_and_seconds(seconds, text):
    assert clock(seconds) == text


# With the stems.


def test_the_page_appears_with_the_stems_and_holds_no_folder(dss, stub, recording, here):
    recording("secret/talk.wav", 2.0)
    recording("talk.wav", 2.0)
    status, out, _ = dss("separate", "secret/talk.wav", "--page", "talk.html", "--json")
    assert status == 0
    (entry,) = json.loads(out)["files"]
    assert entry["outputs"]["page"] == "talk.html"
    assert set(entry["speech"]) == {"near", "far"}
    assert files(here) == ["secret/talk.wav", "talk.far.wav", "talk.html", "talk.near.wav", "talk.wav"]
    page = (here / "talk.html").read_text()
    assert "WAV PCM_24, 16000 Hz, 1 channel, sha256 " in page and "context none" in page
    assert "secret" not in page and str(here) not in page
    assert dss("separate", "talk.wav", "--page", "again.html", "--overwrite")[0] == 0
    assert (here / "again.html").read_text() == page, "equal recordings give equal pages"


def test_warnings_of_the_run_are_on_the_page(dss, stub, here, noise):
    loud = 3 * noise(32_000) / np.abs(noise(32_000)).max()
    sf.write(here / "loud.wav", loud, 16_000, subtype="FLOAT")
    status, _, err = dss("separate", "loud.wav", "--page", "loud.html", "--subtype", "PCM_16", "--quiet")
    assert status == 0 and "would clip" in " ".join(err)
    page = (here / "loud.html").read_text()
    assert re.search(r"<li>\d+ samples would clip: all stems scaled by one gain", page)


def test_what_does_not_fit_is_told_on_stderr_in_json_and_on_the_page(dss, stub, recording, here, monkeypatch):
    monkeypatch.setattr(listening, "MOST_SECONDS", 1)
    recording("a.wav", 2.0)
    status, out, err = dss("separate", "a.wav", "--page", "a.html", "--json")
    said = "the page holds the first 0:01 of 0:02"
    assert status == 0 and any(f"a.wav: {said}" in line for line in err)
    assert any(said in line for line in json.loads(out)["warnings"])
    assert "<li>the page holds the first 0:01 of 0:02" in (here / "a.html").read_text()


@pytest.mark.parametrize("rate", [8000, 44_100, 96_000])
def test_a_recording_of_any_rate_fits_to_its_end(dss, stub, recording, here, rate):
    recording("a.wav", 1.5, rate, channels=2)
    status, out, err = dss("separate", "a.wav", "--page", "a.html", "--quiet")
    assert (status, out, err) == (0, "", [])
    page = (here / "a.html").read_text()
    assert options(page)["length"] == pytest.approx(1.5 * 16_000, abs=2)
    assert f"{rate} Hz, 2 channels" in page and 'class="warnings"' not in page


def test_standard_input_and_output_go_with_a_page(dss, stub, recording, here, feed):
    recording("a.wav")
    feed((here / "a.wav").read_bytes())
    assert dss("separate", "-", "--near", "n.wav", "--page", "a.html")[0] == 0
    assert "<h1>standard input</h1>" in (here / "a.html").read_text()


def test_every_recording_of_a_batch_has_its_own_page(dss, stub, recording, here):
    recording("in/a.wav")
    recording("in/b/c.wav")
    assert dss("separate", "-r", "in", "-o", "out", "--page", ".html", "--jobs", "1")[0] == 0
    assert [name for name in files(here / "out") if "page" in name] == ["a.page.html", "b/c.page.html"]
    status, _, err = dss("separate", "-r", "in", "-o", "out", "--page", ".html", "--skip-existing")
    assert (status, err[-1]) == (0, "0 separated, 2 left out (2 outputs exist)")


def test_a_page_at_a_url_is_that_of_a_file(dss, stub, recording, memory, here):
    recording("a.wav")
    memory.pipe_file("/in/a.wav", (here / "a.wav").read_bytes())
    assert dss("separate", "memory://in/a.wav", "-o", "memory://out", "--page", ".html")[0] == 0
    assert dss("separate", "a.wav", "--page", "a.html")[0] == 0
    assert memory.cat_file("/out/a.page.html") == (here / "a.html").read_bytes()


def test_the_page_has_the_stems_as_they_are_written(here, recording):
    recording("a.wav", 2.0)
    for strength in (1.0, 0.0):
        report = separate_file(
            "a.wav", near="n.wav", page="a.html", network=Stub(), strength=strength, overwrite=True
        )
        page = (here / "a.html").read_text()
        tracks = dict(re.findall(r'data-track="(\w+)"[^>]*>([^<]+)', page))
        assert (tracks["near"] == tracks["mixture"]) == (strength == 0)
        assert ("strength 0" in page) == (strength == 0)
    assert report.outputs == {"near": "n.wav", "page": "a.html"}


def test_what_cannot_be_is_refused_before_anything_is_written(dss, stub, recording, here):
    recording("a.wav")
    recording("b.wav")
    (here / "there.html").write_text("mine")
    for arguments, words in (
        (["a.wav", "--page", "talk.pdf"], "--page talk.pdf: the extension must be .html"),
        (["a.wav", "--page", "-"], "--page -: the extension must be .html"),
        (["a.wav", "--page", "there.html"], "there.html: exists already; --overwrite replaces it"),
        (["a.wav", "b.wav", "--page", "both.html"], "use --page .html"),
        (["a.wav", "--near", "n.wav", "--page", ".html"], "--page .html: name a file"),
        (["a.wav", "--page", "no/folder/a.html"], "does not exist"),
    ):
        status, _, err = dss("separate", *arguments)
        assert status in (1, 2), arguments
        assert words in " ".join(err), arguments
        assert files(here) == ["a.wav", "b.wav", "there.html"], arguments


def test_without_its_package_a_page_is_refused_before_separating(dss, stub, recording, here, monkeypatch):
    recording("a.wav")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    for command in (["separate", "a.wav", "--page", "a.html"], ["view", "a.wav"]):
        status, out, err = dss(*command)
        assert (status, out, len(err)) == (1, "", 1)
        assert "needs more packages: pip install 'dss-cli[report]'" in err[0]
    assert files(here) == ["a.wav"]


def test_a_target_named_twice_is_refused():
    with pytest.raises(UsageError, match="output of both"):
        plan(["a.wav", "a.flac"], {}, beside={"page": ".html"})
