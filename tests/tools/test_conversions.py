"""Quality after each conversion: figures, table, section of a document."""

from __future__ import annotations

import numpy as np
import pytest

from dss_cli.errors import DssError
from dss_cli.evaluation.conversion_table import LABEL, Conversion, differences, markdown
from dss_cli.utils.markdown import write_section
from tests.helpers import scenesets, toy
from tools import conversions

START, END = "<!-- conversions -->", "<!-- conversions: end -->"

FIGURES = ("near_si_sdr", "near_si_sdri", "far_si_sdr", "far_si_sdri")


def row(kind, **figures):
    return {"kind": kind, **dict.fromkeys(FIGURES), **figures}


def made(name, shift=0.0, time=None):
    """Return scores of two mixed, one near-only and two far-only scenes; `shift` moves the scores."""
    rows = [
        row("1N+1F", near_si_sdr=9.0, near_si_sdri=5.0 + shift, far_si_sdr=1.0, far_si_sdri=2.0),
        row("1N+1F", near_si_sdr=9.0, near_si_sdri=6.0 + shift, far_si_sdr=1.0 - 3 * shift, far_si_sdri=3.0),
        row("near-only", near_si_sdr=20.0 + shift, near_si_sdri=99.0),
        row("far-only", far_si_sdr=4.0),
        row("far-only", far_si_sdr=5.0),
    ]
    return Conversion(name, 1234567, rows, time)


ABOUT = {"name": "set", "preset": "tiny", "seed": 7, "scenes": 5, "seconds": 2, "version": "1", "speech": "s"}
MACHINE = {"processor": "P", "system": "S", "architecture": "A", "litert": "2", "dss": "0"}


def cells(text):
    return [
        [c.strip() for c in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]


def test_differences_are_of_every_active_output_and_have_no_sign():
    found = differences(made("x", 0.5), made("Keras"))
    np.testing.assert_allclose(found, [0, 0, 0, 1.5, 0.5, 0, 0])


def test_the_table_tells_medians_of_the_kinds_and_the_distance_from_keras():
    text = markdown(
        [made("Keras"), made("int8", 0.5, 0.72)], [ABOUT], MACHINE, ["a", "b c"], "no GPU", ["busy"]
    )
    assert text.startswith("```sh\na 'b c'\n```\n")
    head, _, keras, int8 = cells(text)
    assert len(head) == len(keras) == len(int8)
    assert keras == ["Keras", "1,234,567", "5.50", "2.50", "20.00", "4.50", "", "", ""]
    assert int8 == ["int8", "1,234,567", "6.00", "2.50", "20.50", "4.50", "0.000", "1.500", "0.72"]
    assert "(near SI-SDRi 2, far SI-SDRi 2, near-only kept 1, far-only kept 2)" in text
    assert "over all 7 outputs" in text
    assert "- Not measured: float16 on a GPU: no GPU.\n- Warning: busy.\n" in text
    assert "Test set set: preset tiny, seed 7, 5 scenes of 2 s" in text


def test_kinds_that_a_test_set_lacks_stay_empty():
    keras = Conversion("Keras", 1, [row("near-only", near_si_sdr=2.0)])
    text = markdown([keras], [ABOUT], MACHINE, ["x"], None, [])
    assert cells(text)[2] == ["Keras", "1", "", "", "2.00", "", "", "", ""]
    assert "Not measured" not in text and "Warning" not in text


def test_the_section_is_replaced_and_nothing_else(tmp_path):
    document = tmp_path / "doc.md"
    document.write_text(f"before\n{START}\nold\n{END}\nafter \\1\n")
    write_section(document, LABEL, None)
    assert "old" in document.read_text()
    for text in ("first \\1 text", "second"):
        write_section(document, LABEL, text)
        assert document.read_text() == f"before\n{START}\n\n{text}\n{END}\nafter \\1\n"


def test_a_document_without_its_place_fails_before_the_work(tmp_path, capsys):
    document = tmp_path / "doc.md"
    with pytest.raises(DssError, match=r"doc\.md: cannot be read"):
        write_section(document, LABEL, None)
    document.write_text(START)
    arguments = [str(tmp_path / "nowhere"), "--weights", "x.weights.h5", "--document", str(document)]
    assert conversions.main(arguments) == 1
    assert f"no line `{START}` with its `{END}` below" in capsys.readouterr().err
    assert document.read_text() == START


def test_times_are_medians_of_turns_against_the_first(monkeypatch):
    order = []

    def run(network):
        name, seconds = network
        order.append(name)
        return next(seconds)

    monkeypatch.setattr(conversions, "run_first_chunk", run)
    monkeypatch.setattr(conversions, "TURNS", 4)
    networks = {"a": ("a", iter([9, 1, 2, 4])), "b": ("b", iter([1, 3, 1, 2]))}
    assert conversions.relative_times(networks) == {"a": 1, "b": 0.5}  # 3, 1/2, 1/2
    assert order == ["a", "b"] * 4


@pytest.mark.slow
def test_the_command_scores_every_conversion(here, no_gpu, capsys):
    pytest.importorskip("tensorflow", reason="TensorFlow converts")
    toy.write_weights(here)
    kinds = ("1N+1F", "near-only", "far-only")
    scenesets.write(here / "some" / "set", [scenesets.scene(f"{i}", kind) for i, kind in enumerate(kinds)])
    (here / "doc.md").write_text(f"{START}\n{END}\n")
    arguments = ["some/set", "--weights", "toy.weights.h5", "--document", "doc.md"]
    assert conversions.main(arguments) == 0
    assert capsys.readouterr().err == ""
    text = (here / "doc.md").read_text()
    assert "conversions set --weights toy.weights.h5 --document doc.md\n```" in text
    table = cells(text)
    assert [line[0] for line in table[2:]] == ["Keras", "float32, CPU", "float16, CPU", "int8, CPU"]
    keras, float32, float16, int8 = (line[1:] for line in table[2:])
    assert all(keras[1:5]) and all(map(all, (float32, float16, int8)))
    assert float(float32[-2]) < 0.001 < float(int8[-2])
    assert "- Not measured: float16 on a GPU: no GPU adapter was found.\n" in text
    assert sorted(p.name for p in here.iterdir()) == ["doc.md", "some", "toy.json", "toy.weights.h5"]
