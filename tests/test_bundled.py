"""Properties of the bundled `lite`: speed, card, stems that are not swapped."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dss_cli import Separator
from dss_cli.metrics import si_sdr, si_sdr_improvement
from dss_cli.runtime.registry import find_model

EXAMPLE = Path(__file__).parents[1] / "examples" / "two_talkers.flac"
RTF = 0.06  # on one CPU thread
SECONDS = 30


@pytest.fixture(scope="module")
def lite():
    return Separator("lite", delegate="cpu", threads=1)


def example(stem=""):
    return soundfile.read(EXAMPLE.with_name(f"two_talkers{stem}.flac"), dtype="float32")[0]


def test_lite_takes_at_most_its_share_of_one_core(lite):
    recording = np.resize(example(), SECONDS * 16_000)
    lite.separate(recording[: 4 * 16_000], 16_000)
    started = time.process_time()  # excludes the time of other programs
    lite.separate(recording, 16_000)
    assert (time.process_time() - started) / SECONDS <= RTF


def test_the_stems_of_the_example_are_the_right_way_round_and_better_than_the_mixture(lite):
    mixture = example()
    stems = lite.separate(mixture, 16_000)
    for name, other in (("near", "far"), ("far", "near")):
        reference = example(f".{name}")
        assert si_sdr_improvement(getattr(stems, name), reference, mixture) > 4.5
        assert si_sdr(getattr(stems, name), reference) > si_sdr(getattr(stems, other), reference)


def test_the_card_says_what_the_model_is_and_how_it_came_to_be():
    card = find_model("lite").card
    assert card["macs_per_second"] <= 1e9
    assert {"seed", "hours", "steps", "speech_hours", "talkers", "places"} <= set(card["training"])
    assert card["scores"]
    assert all(check["passed"] for check in card["checks"])
