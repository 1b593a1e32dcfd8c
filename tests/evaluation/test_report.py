"""Report page: its content, and a browser that shows and plays it without console messages."""

from __future__ import annotations

import base64
import io
import re
import sys

import matplotlib.image
import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.evaluation.charts import Axis, Chart, Point, Series, round_axis
from dss_cli.evaluation.media import loudest, png, spectrogram_uri, wav_uri
from dss_cli.evaluation.report import load_template
from tests.helpers import scenesets
from tests.helpers.browser import CHROMIUM, browser
from tests.helpers.synth import noise, tone

ODD = "<b>&\"odd'"  # name that must not be interpreted as markup


def content(uri, kind):
    head, data = uri.split(",", 1)
    assert head == f"data:{kind};base64"
    return io.BytesIO(base64.b64decode(data, validate=True))


# Pictures and sound.


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
def test_a_png_is_read_back_by_another_program(height, width, seed):
    shades = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    read = matplotlib.image.imread(io.BytesIO(png(shades)), format="png")
    assert read.shape[:2] == (height, width)
    brightness = read[..., :3].sum(axis=2)
    order = np.argsort(shades, axis=None)
    assert (np.diff(brightness.ravel()[order]) >= -1e-6).all()  # a brighter shade never looks darker


def test_a_spectrogram_has_a_tone_where_it_belongs():
    samples = tone(32_000, 16_000, 2000.0, peak=0.5)[:, 0]
    picture = matplotlib.image.imread(content(spectrogram_uri(samples, loudest(samples)), "image/png"))
    height, width = picture.shape[:2]
    brightness = picture[..., :3].sum(axis=2).mean(axis=1)
    assert width <= 400
    assert brightness.argmax() == pytest.approx(height * 3 / 4, abs=2)  # 2 of 8 kHz from the bottom
    assert brightness[height // 4] < 0.1 * brightness.max()


@pytest.mark.parametrize("frames", [1, 511, 512, 513, 200_000])
def test_a_spectrogram_of_any_length(frames):
    samples = noise(frames)[:, 0]
    picture = matplotlib.image.imread(content(spectrogram_uri(samples, loudest(samples)), "image/png"))
    assert picture.shape[0] == 257 and 1 <= picture.shape[1] <= 400


def test_silence_is_black_and_no_error():
    silent = np.zeros(1000, np.float32)
    picture = matplotlib.image.imread(content(spectrogram_uri(silent, loudest(silent)), "image/png"))
    assert picture[..., :3].max() < 0.05


def test_sound_survives_up_to_a_step_and_beyond_full_scale_it_is_cut():
    samples = noise(1000, peak=0.9)[:, 0]
    samples[0] = 3.0
    read, rate = sf.read(content(wav_uri(samples, 22_050), "audio/wav"))
    assert rate == 22_050
    assert np.abs(read - np.clip(samples, -1, 1)).max() <= 2**-15


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
    for tag, count in (("<audio ", 15), ("<img ", 15), ("<svg ", 3), ("<table>", 1)):
        assert text.count(tag) == count


def test_the_page_needs_nothing_from_elsewhere_and_takes_names_as_text(page):
    text = page.read_text()
    assert ODD not in text and "&lt;b&gt;&amp;" in text
    sources = re.findall(r'(?:src|href)="([^"]{0,9})', text)
    assert sources and all(source.startswith(("data:", "#")) for source in sources)
    assert "http" not in re.sub(r"http-equiv|base64,[^\"]*", "", text) and "{{" not in text


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
  for (const player of document.querySelectorAll("audio")) {
    await player.play();
    const ended = new Promise(done => player.addEventListener("ended", done));
    const stuck = new Promise(done => setTimeout(done, 10000));
    await Promise.race([ended, stuck]);
    said.push(player.currentTime.toFixed(3));
  }
  return said;
})()"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_shows_and_plays_it_without_a_network_and_without_complaint(page, tmp_path):
    with browser(tmp_path / "profile") as chromium:
        chromium.open(page)
        assert chromium.run("[...document.images].filter(image => image.naturalWidth > 0).length") == 15
        assert chromium.run("document.querySelectorAll('svg circle').length") > 20
        assert chromium.run(PLAYED) == ["0.250"] * 15
        assert chromium.run("document.documentElement.scrollWidth <= window.innerWidth") is True
        assert chromium.console() == []
        requests = chromium.requests()
    assert requests[0] == page.as_uri()
    assert all(address.startswith("data:") for address in requests[1:])
