"""Pages in one file, in a headless Chromium: they open from the disk, play, and ask for nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dss_cli.page.listening import Speech, listening_page
from dss_cli.page.sound import Excerpt
from tests.helpers.browser import CHROMIUM, browser
from tests.helpers.pages import axe_violations, emulate
from tests.helpers.synth import tone

RATE = 16_000
SPANS = {"near": [(0.5, 1.5)], "far": [(2.0, 3.0), (3.5, 3.8)]}
PLAYER = "document.querySelector('.player')"
POSITION = "Number(document.querySelector('.player-seek').value)"
HEARD = "document.querySelector('.player-heard').textContent"
# Gains that the page sets, by order: the nodes of the tracks are made in the order of the tracks.
WATCHED = """
window.gains = [];
const set = AudioParam.prototype.setTargetAtTime;
AudioParam.prototype.setTargetAtTime = function (value, ...rest) {
  window.gains.push(value);
  return set.call(this, value, ...rest);
};
"""
# First and last column of a picture with sound in it, as shares of the width.
SEEN = """(index => {
  const canvas = document.querySelectorAll('.player canvas')[index];
  const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const at = (x, y) => 4 * (y * width + x);
  const loud = [...Array(width).keys()].filter(x => {
    for (let y = 0; y < height; y++) if (data[at(x, y)] < 120) return true;
    return false;
  });
  return [loud[0] / width, loud[loud.length - 1] / width];
})(%d)"""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here"),
    pytest.mark.slow,
]


def bursts(spans, frequency):
    samples = tone(4 * RATE, RATE, frequency)
    times = np.arange(4 * RATE)[:, None] / RATE
    return samples * np.float32(sum((times >= begin) & (times < end) for begin, end in spans))


SEGMENT = 20_000  # frames: several in the recording, with seams inside the bursts


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The listening page of 4 s in a browser of its own."""
    near, far = bursts(SPANS["near"], 700.0), bursts(SPANS["far"], 1500.0)
    sounds = Excerpt(RATE, 10**7, 60.0, SEGMENT)
    sounds.push(near + far, near, far)
    sounds.finish()
    speech = Speech(SPANS, {"near": -9.0, "far": -9.0})
    text = listening_page("talk.wav", sounds, speech, 4.0, {"Model": "lite"}, ["a warning"])
    path = tmp_path_factory.mktemp("page") / "talk.html"
    path.write_text(text, encoding="utf-8")
    with browser(tmp_path_factory.mktemp("profile")) as chromium:
        chromium.ask("Page.addScriptToEvaluateOnNewDocument", source=WATCHED)
        emulate(chromium, "light")
        chromium.open(path)
        chromium.wait("document.querySelector('.embedded').dataset.state === 'ready'")
        chromium.address = path.as_uri()
        yield chromium


def test_it_plays_and_pauses_and_seeks(page):
    page.run("document.querySelector('.player-play').click()")
    page.wait(f"{PLAYER}.dataset.state === 'playing' && {POSITION} > 0.3")
    page.run("document.querySelector('.player-play').click()")
    assert page.run(f"{PLAYER}.dataset.state") == "paused"
    page.run("document.querySelectorAll('[data-seek]')[1].click()")
    assert page.wait(f"Math.abs({POSITION} - 2) < 0.01")
    box = page.run(
        "(canvas => { canvas.scrollIntoView(); const {left, top, width} = canvas.getBoundingClientRect();"
        " return [left, top, width]; })(document.querySelector('.player canvas'))"
    )
    for kind in ("mousePressed", "mouseReleased"):
        place = {"x": box[0] + box[2] / 4, "y": box[1] + 20}
        page.ask("Input.dispatchMouseEvent", type=kind, **place, button="left", clickCount=1)
    assert page.wait(f"Math.abs({POSITION} - 1) < 0.05")


@pytest.mark.parametrize(
    ("place", "words", "gains"),
    [
        (-100, "near only", [0, 1, 0]),
        (100, "far only", [0, 0, 1]),
        (-50, "far 20 decibels quieter", [0, 1, 0.1]),
        (0, "near and far", [0, 1, 1]),
    ],
)
def test_the_slider_changes_the_gains_of_the_stems(page, place, words, gains):
    slider = "document.querySelector('.player-mixer input')"
    page.run(
        f"document.querySelector('.player-play').click(); document.querySelector('.player-play').click();"
        f" gains.length = 0; {slider}.value = {place}; {slider}.dispatchEvent(new Event('input'))"
    )
    assert page.run(HEARD) == words
    assert page.run("gains") == pytest.approx(gains)


def test_the_recording_itself_can_be_heard(page):
    page.run("gains.length = 0; document.querySelector('.player-others button').click()")
    assert page.run(HEARD) == "the recording"
    assert page.run("gains") == [1, 0, 0]
    page.run("document.querySelector('.player-others button').click()")
    assert page.run(HEARD) == "near and far"


def test_sound_and_timeline_lie_where_the_speech_is(page):
    bars = "[...document.querySelectorAll('.player-lane > div')]"
    assert page.run(f"{bars}.map(bar => [bar.className, bar.style.left, bar.style.width])") == [
        ["player-speaks-near", "12.5%", "25%"],
        ["player-speaks-far", "50%", "25%"],
        ["player-speaks-far", "87.5%", "7.5%"],
    ]
    page.wait("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
    for index, first, last in ((0, 0.5, 3.8), (1, 0.5, 1.5), (2, 2.0, 3.8)):
        assert page.run(SEEN % index) == pytest.approx([first / 4, last / 4], abs=0.015), index


def test_axe_finds_no_barrier_in_either_theme(page):
    page.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    for theme in ("dark", "light"):
        emulate(page, theme)
        assert axe_violations(page) == [], theme


def test_a_phone_needs_no_sideways_scrolling(page):
    page.ask("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    page.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.run("document.documentElement.scrollWidth") <= 360
    page.ask("Emulation.clearDeviceMetricsOverride")


def test_nothing_was_asked_for_and_nothing_can_be(page):
    assert page.console() == []
    assert [url for url in page.requests() if url != page.address and not url.startswith("data:")] == []
    for script in ("fetch('http://127.0.0.1:1/')", "import('data:text/javascript,1')"):
        refused = page.run(f"{script}.then(() => 'sent', () => 'refused')")
        assert refused == "refused", script
    said = json.dumps(page.console())
    assert "Content Security Policy" in said
