"""Division of a step's audio into scenes and chunks."""

from __future__ import annotations

from collections import Counter

import numpy as np

from dss_cli.constants import SignalConfig
from dss_cli.training.config import StepConfig
from dss_cli.training.cut import draw_cut

SIGNAL = SignalConfig(frames=24)


def cuts(step: StepConfig, count: int = 300):
    return [draw_cut(np.random.default_rng(i), step, SIGNAL) for i in range(count)]


def test_a_number_of_segments_that_is_listed_twice_is_drawn_twice_as_often():
    drawn = Counter(cut.scenes for cut in cuts(StepConfig(batch=8, segments=(2, 8, 8)), 900))
    assert set(drawn) == {1, 4}
    assert 1.6 < drawn[1] / drawn[4] < 2.5


def test_only_numbers_that_divide_the_batch_are_drawn_and_the_step_keeps_its_audio():
    drawn = cuts(StepConfig(batch=4, segments=(2, 3, 8)))
    assert {cut.scenes for cut in drawn} == {2}
    assert {cut.scenes * cut.chunks * cut.frames for cut in drawn} == {4 * SIGNAL.frames}
    assert {cut.scenes for cut in cuts(StepConfig(batch=5, segments=(2, 4)))} == {1}


def test_the_context_is_the_whole_scene_for_the_requested_share_of_whole_segments():
    whole = [cut for cut in cuts(StepConfig(whole=1.0)) if cut.frames == SIGNAL.frames]
    short = [cut for cut in cuts(StepConfig(whole=1.0)) if cut.frames < SIGNAL.frames]
    assert whole and short
    assert all(cut.whole.all() for cut in whole) and not any(cut.whole.any() for cut in short)
    assert not any(cut.whole.any() for cut in cuts(StepConfig(whole=0.0)))
