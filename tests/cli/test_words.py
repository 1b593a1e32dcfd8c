"""Choices of the command line (written twice, so that help loads no library) are those of the library."""

from __future__ import annotations

from typing import get_args

import pytest

from dss_cli.cli import export, live, options, separate, simulate_test_set
from dss_cli.export import convert
from dss_cli.live import pipe
from dss_cli.runtime import litert
from dss_cli.separation import files, listening
from dss_cli.testset import card, strata, writer

WORDS = {
    options.ContextName: listening.CONTEXTS,
    options.DelegateName: litert.DELEGATES,
    separate.Channels: get_args(files.Channels),
    live.EncodingName: pipe.ENCODINGS,
    export.Weights: convert.WEIGHTS,
    simulate_test_set.Preset: strata.PRESETS,
    simulate_test_set.Format: writer.ENCODERS,
}


@pytest.mark.parametrize("choices", WORDS, ids=lambda choices: choices.__name__)
def test_each_choice_has_a_meaning_and_each_meaning_a_choice(choices):
    assert {choice.value for choice in choices} == set(WORDS[choices])


def test_each_format_of_test_sets_has_a_text_for_the_card():
    assert card.ENCODINGS.keys() == writer.ENCODERS.keys()
