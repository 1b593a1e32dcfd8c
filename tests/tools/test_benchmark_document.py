"""Presentation of a result in a document: views, speed targets, operations of a network."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.benchmark.measurement import Opening, Run
from dss_cli.benchmark.operations import markdown_operations
from dss_cli.benchmark.profile import PARTS, REST, Profile
from dss_cli.benchmark.results import results
from dss_cli.benchmark.rows import BenchmarkRow
from dss_cli.benchmark.session import Entry, Measurements
from dss_cli.benchmark.statistics import inverse, spread
from dss_cli.benchmark.subject import Proof
from dss_cli.benchmark.tables import lines, markdown_lines, markdown_profile, markdown_results
from dss_cli.benchmark.targets import markdown_targets, targets
from dss_cli.errors import DssError
from dss_cli.tflite.inspection import inspect_model
from tests.helpers import tiny
from tests.helpers.schemas import valid
from tools import benchmark_document

MACHINE = dict.fromkeys(("system", "release", "architecture", "processor", "python", "litert", "dss"), "x")
MACHINE |= {"processors": 2, "load_average": 0.0}
MODEL = {"name": "tiny", "sha256": "0" * 64, "bytes": 1, "weights": "float32", "parameters": 1}
MODEL |= {"macs_per_second": 1, "chunk_seconds": 3.0, "overlap": 0.25}
SHARES = dict(zip((*PARTS, REST), (0.25, 0.125, 0.5, 0.0625, 0.03125, 0.03125), strict=True))


def entry(threads, rtf, network, start_ups=(), profile=None):
    """Return a row of the CPU with runs of 16 s of audio, for which the factors are exact."""
    runs = [
        Run(Opening(0.5, 0.25, 0.125), 16.0, 16 * file, (16 * inside,), 1.0, 1000)
        for file, inside in zip(rtf, network, strict=True)
    ]
    name = f"CPU, {threads} thread{'s' * (threads > 1)}"
    proof = Proof("cpu", "cpu", name, True, threads=threads)
    made = Entry(BenchmarkRow("tiny", "cpu", threads), proof, None, runs)
    made.start_ups, made.profile = list(start_ups), profile
    return made


def result(*entries):
    settings = {"delegate": "cpu", "duration": 16.0, "repeat": 3}
    context = {"machine": MACHINE, "models": {"tiny": MODEL}, "settings": settings, "tdp": None}
    return valid(results(Measurements(list(entries)), meter_problems=[], warnings=[], **context))


def pair(one, two, inside, start_ups):
    return result(entry(1, [one], [inside], start_ups), entry(2, [two], [inside]))


@pytest.fixture
def page(tmp_path, monkeypatch):
    """`page(text)`: write the document; `COMMAND` prints `page.result` and appends a line to `runs`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    script = "import sys\nopen('runs', 'a').write(sys.argv[1] + '\\n')\nprint(open(sys.argv[1]).read())"
    Path("give.py").write_text(script)
    profile = Profile(4.0, {name: 4 * share for name, share in SHARES.items()})

    def write(text):
        Path("page.md").write_text(text)
        return Path("page.md")

    write.result = result(entry(1, [0.02], [0.0175], [0.5], profile), entry(2, [0.01], [0.01], (), profile))
    for name in ("a", "b"):
        Path(name).write_text(json.dumps(write.result))
    write.command = f"{Path(sys.executable).name} give.py"
    return write


def test_views_of_one_command_are_of_one_run_which_is_shown_once(page):
    command = f"{page.command} a"
    views = {" targets": markdown_targets, "": markdown_results, " profile": markdown_profile}
    path = page("\n".join(f"<!-- bench{view}: {command} -->\nold\n<!-- bench: end -->" for view in views))
    shown = [f"\n```sh\n{command}\n```\n", "", ""]
    expected = "\n".join(
        f"<!-- bench{view}: {command} -->\n{block}\n{table(page.result)}\n<!-- bench: end -->"
        for (view, table), block in zip(views.items(), shown, strict=True)
    )
    assert (benchmark_document.update(path), path.read_text()) == (3, expected)
    assert Path("runs").read_text() == "a\n"
    assert (benchmark_document.update(path), path.read_text()) == (3, expected)
    assert Path("runs").read_text() == "a\na\n"


def test_each_word_has_its_own_parts(page):
    def whole(ours, other):
        parts = {"bench": ("a", ours), "bench-gpu": ("b", other)}
        return "\n".join(
            f"<!-- {word}: {page.command} {name} -->\n{text}<!-- {word}: end -->"
            for word, (name, text) in parts.items()
        )

    def made(name):
        return f"\n```sh\n{page.command} {name}\n```\n\n{markdown_results(page.result)}\n"

    path = page(whole("not yet\n", "not yet\n"))
    assert (benchmark_document.update(path), path.read_text()) == (1, whole(made("a"), "not yet\n"))
    assert (benchmark_document.update(path, "bench-gpu"), path.read_text()) == (
        1,
        whole(made("a"), made("b")),
    )
    assert Path("runs").read_text() == "a\nb\n"
    assert benchmark_document.update(path, "elsewhere") == 0


def test_an_unknown_view_is_told_before_anything_runs(page):
    end = "<!-- bench: end -->\n"
    path = page(f"<!-- bench: {page.command} a -->\n{end}<!-- bench pie: {page.command} a -->\n{end}")
    before = path.read_text()
    with pytest.raises(DssError) as error:
        benchmark_document.update(path)
    assert str(error.value) == "page.md: no view 'pie'; there are profile, targets, live, operations"
    assert (path.read_text(), Path("runs").exists()) == (before, False)


# The speed targets.


@pytest.mark.parametrize(
    ("one", "two", "inside", "start_ups", "met"),
    [
        (0.014, 0.0087, 0.0127, [0.75], [True, True, True, True, True]),
        (0.042, 0.0262, 0.0379, [0.75, 9.0, 0.75], [True, False, True, True, True]),
        (0.0421, 0.0264, 0.0378, [1.0], [False, False, False, False, False]),
        (0.0141, 0.0282, 0.0126, [], [True, False, False, False, None]),
    ],
)
def test_targets_are_met_by_the_median_up_to_the_limit(one, two, inside, start_ups, met):
    measured = pair(one, two, inside, start_ups)
    assert [target.met for target in targets(measured)] == met
    told = {True: "yes", False: "no", None: "not measured"}
    cells = [line.strip("|").split("|")[-1].strip() for line in markdown_targets(measured).splitlines()]
    assert cells[2:] == [told[one] for one in met]


def test_targets_tell_what_was_measured():
    one = entry(1, [0.02, 0.04, 0.03], [0.016, 0.03, 0.024], [0.5, 0.25, 0.75])
    two = entry(2, [0.01, 0.01, 0.02], [0.01, 0.01, 0.02])
    assert [(target.wanted, target.measured) for target in targets(result(one, two))] == [
        ("floor: at most 0.042", "0.03 (0.02 to 0.04)"),
        ("goal: at most 0.014", "0.03 (0.02 to 0.04)"),
        ("at least 1.6", "2 (1.5 to 4)"),  # per turn
        ("less than 10%", "20.0%"),
        ("less than 1", "0.5 (0.25 to 0.75)"),
    ]


@pytest.mark.parametrize("threads", [(1,), (2,), (2, 1), (1, 4)])
def test_targets_without_both_rows_in_order_are_an_error(threads):
    measured = result(*(entry(count, [0.02], [0.01]) for count in threads))
    with pytest.raises(DssError) as error:
        targets(measured)
    told = "speed targets need the CPU on one thread, then on two: `dss bench --threads 1,2`"
    assert str(error.value) == told


@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=9).filter(lambda values: len(values) % 2))
def test_the_inverse_of_a_spread_is_that_of_the_inverses(values):
    assert inverse(spread(values)) == spread([1 / value for value in values])


# The other tables.


def test_the_profile_is_a_part_of_the_table_where_there_is_one(page):
    titles = [title for group in lines(page.result, "tiny") for title, _ in group]
    plain = [title for group in lines(pair(0.02, 0.01, 0.01, []), "tiny") for title, _ in group]
    assert [title for title in titles if title not in plain] == [
        "time: reading, resampling",
        "time: Fourier transform, compression",
        "time: network",
        "time: decompression, inverse transform",
        "time: writing",
        "time: cutting, fading, checks",
    ]
    rows = [line.strip("|").split("|") for line in markdown_profile(page.result).splitlines()[2:]]
    shares = ["25.0%", "12.5%", "50.0%", "6.2%", "3.1%", "3.1%"]
    assert [[cell.strip() for cell in cells[1:]] for cells in rows] == [[share] * 2 for share in shares]


def test_operations_are_counted_by_kind_the_costliest_first(tmp_path):
    model = tiny.graph()
    values = 6 * 256 * 3  # work of the tiny model: 2 convolutions of 3 channels to 2
    found = inspect_model(tiny.write(tmp_path, data=tiny.pack(model))).to_dict()
    cheap = {"kind": "ADD", "macs": 0}
    dear = {"kind": "BATCH_MATMUL", "macs": 8 * values}
    found |= {"operators": [cheap, *found["operators"], dear, cheap], "macs": 12 * values}
    assert markdown_operations(found) == (
        markdown_lines(
            ["operator", "number", "MACs per chunk", "share"],
            [
                ("BATCH_MATMUL", ["1", "36,864", "66.7%"]),
                ("CONV_2D", ["2", "18,432", "33.3%"]),
                ("all others", ["2", "", ""]),
                ("sum", ["5", "55,296", "100.0%"]),
            ],
        )
        + "\n"
    )
