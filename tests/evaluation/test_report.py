"""Report page: its content, and a browser that shows and plays it without console messages."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.evaluation.charts import Axis, Chart, Point, Series, round_axis
from dss_cli.evaluation.report import load_template
from tests.helpers import scenesets
from tests.helpers.browser import CHROMIUM, browser
from tests.helpers.pages import axe_violations, emulate

ODD = "<b>&\"odd'"  # name that must not be interpreted as markup


# Charts.


@given(st.lists(st.floats(-80, 80), min_size=1, max_size=20))
def test_a_round_axis_holds_its_values_and_zero(values):
    axis = round_axis("y", values)
    assert axis.low <= min(0, *values) and max(0, *values) <= axis.high
    at = [value for value, _ in axis.ticks]
    assert at[0] == axis.low and at[-1] == axis.high and 0.0 in at and 2 <= len(at) <= 9
    assert all(0 <= axis.place(value) <= 1 for value in values)


def test_a_logarithmic_axis_gives_a_doubling_the_same_length_anywhere():
    axis = Axis("m", 0.1, 10, [], log=True)
    steps = [axis.place(2 * metres) - axis.place(metres) for metres in (0.1, 1, 4)]
    assert steps == pytest.approx([np.log(2) / np.log(100)] * 3)
    assert (axis.place(0.01), axis.place(99)) == (0, 1)


def test_a_chart_draws_every_point_where_the_axes_say():
    axis = Axis("x", 0, 10, [(0, "0"), (10, "10")])
    points = [Point(0, 0, text=ODD), Point(10, 10, 5, 10)]
    chart = Chart(ODD, axis, axis, [Series("near", "near", dots=points[:1], line=points)])
    made = load_template().environment.get_template("chart.svg").render(chart=chart)
    assert ODD not in made and "&lt;b&gt;" in made
    centres = re.findall(r'<circle class="(?:dot|mark)" cx="([\d.]+)" cy="([\d.]+)"', made)
    (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, centre)) for centre in centres if centre[1] != "27"]
    assert (x0, y0) == (x1, y1) and x2 > x1 and y2 < y1
    (bar,) = re.findall(r'<line class="bar" x1="([\d.]+)" x2="\1" y1="([\d.]+)" y2="([\d.]+)"', made)
    assert float(bar[0]) == x2
    assert float(bar[1]) == pytest.approx((y1 + y2) / 2, abs=0.1) and float(bar[2]) == y2


# The page.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with only a test set and its stems, which get worse from scene to scene."""
    folder = tmp_path_factory.mktemp("report")
    lines = [
        scenesets.scene(f"both{n}", snr_db=[None, 10.0][n % 2], near_m=0.2 + 0.1 * n, far_m=1.5 + n)
        for n in range(5)
    ]
    lines += [scenesets.scene(f"near{n}", "near-only", near_m=0.3 + 0.3 * n) for n in range(4)]
    scenesets.write(folder / "set", lines, speech=ODD)
    rng = np.random.default_rng(0)
    for part in ("near", "far"):
        (folder / "stems" / part).mkdir(parents=True)
        for n, line in enumerate(lines):
            samples, rate = sf.read(folder / "set" / line[part], dtype="float32")
            worse = samples + (0.001 * 2**n * rng.standard_normal(len(samples))).astype(np.float32)
            sf.write(folder / "stems" / part / f"{line['id']}.wav", worse, rate, subtype="FLOAT")
    return folder


@pytest.fixture
def page(folder, dss, tmp_path):
    status, _, err = dss(
        "evaluate", folder / "set", "--stems", folder / "stems", "--report", tmp_path / "report.html"
    )
    assert (status, err) == (0, [])
    return tmp_path / "report.html"


def test_the_page_shows_best_median_and_worst_of_the_scenes_with_two_talkers(page):
    text = page.read_text()
    assert re.findall(r"<h3>(\w+) scene: (\w+)</h3>", text) == [
        ("Best", "both0"),
        ("Median", "both2"),
        ("Worst", "both4"),
    ]
    for tag, count in (('class="embedded"', 3), ("data-track=", 15), ("<svg ", 3), ("<table>", 1)):
        assert text.count(tag) == count


def test_the_page_needs_nothing_from_elsewhere_and_takes_names_as_text(page):
    text = page.read_text()
    assert ODD not in text and "&lt;b&gt;&amp;" in text
    sources = re.findall(r'(?:src|href)="([^"]{0,9})', text)
    assert sources and all(source.startswith(("data:", "#")) for source in sources)
    assert not re.search(r"https?:|\{\{", text)
    titles = re.findall(r'data-track="([\w ]+)" data-title="([^"]+)"', text)[:5]
    assert [name for name, _ in titles] == ["mixture", "near", "near reference", "far", "far reference"]
    assert re.fullmatch(r"Near, SI-SDRi \S+ dB", titles[1][1]) and titles[2][1] == "Near reference"


def test_without_its_package_a_report_is_refused_before_scoring(folder, dss, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    report = tmp_path / "report.html"
    status, out, err = dss("evaluate", folder / "set", "--stems", folder / "stems", "--report", report)
    assert (status, out, len(err)) == (1, "", 1)
    assert "--report needs more packages: pip install 'dss-cli[report]'" in err[0]
    assert not report.exists()


def test_the_page_is_not_written_over_another_file_unasked(folder, dss, tmp_path):
    (tmp_path / "report.html").write_text("mine")
    status, out, err = dss(
        "evaluate", folder / "set", "--stems", folder / "stems", "--report", tmp_path / "report.html"
    )
    assert (status, out, len(err)) == (2, "", 1)
    assert (tmp_path / "report.html").read_text() == "mine"


PLAYED = """(async () => {
  const said = [];
  for (const player of document.querySelectorAll(".player")) {
    const [play, seek] = ["play", "seek"].map(name => player.querySelector(`.player-${name}`));
    const ended = new Promise(done => new MutationObserver((_, seen) => {
      if (player.dataset.state !== "paused") return;
      seen.disconnect();
      done();
    }).observe(player, { attributes: true }));
    play.click();
    await Promise.race([ended, new Promise(done => setTimeout(done, 20000))]);
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    said.push(seek.value);
  }
  return said;
})()"""
REFERENCES = "document.querySelector('.player-others button:nth-child(2)')"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_shows_and_plays_it_without_a_network_and_without_complaint(page, tmp_path):
    with browser(tmp_path / "profile") as chromium:
        chromium.open(page)
        for number in range(3):  # players appear where the reader comes by
            chromium.run(f"document.querySelectorAll('.embedded')[{number}].scrollIntoView()")
            chromium.wait(f"document.querySelectorAll('.embedded')[{number}].dataset.state === 'ready'")
        assert chromium.run("document.querySelectorAll('.player canvas').length") == 15
        assert chromium.run("document.querySelectorAll('svg circle').length") > 20
        assert chromium.run(PLAYED) == ["0.25"] * 3
        chromium.run(f"{REFERENCES}.click()")
        heard = chromium.run("document.querySelector('.player-heard').textContent")
        assert heard == "references: near and far"
        assert chromium.run("document.documentElement.scrollWidth <= window.innerWidth") is True
        for theme in ("light", "dark"):
            emulate(chromium, theme)
            assert axe_violations(chromium) == [], theme
        assert chromium.console() == []
        requests = chromium.requests()
    assert requests[0] == page.as_uri()
    assert all(address.startswith("data:") for address in requests[1:])
