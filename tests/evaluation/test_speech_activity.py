"""Errors of the speech activity, for constructed stems with known truth."""

from __future__ import annotations

import numpy as np
import pytest

from dss_cli.evaluation.speech_activity import score_activity, summarise_activity

RATE = 16_000
SECONDS = 20.0


def talk(*spans, level_db=-25.0, seed=0):
    gain = np.full(int(SECONDS * RATE), 10 ** (-90 / 20))
    for begin, end in spans:
        gain[int(begin * RATE) : int(end * RATE)] = 10 ** (level_db / 20)
    return (gain * np.random.default_rng(seed).standard_normal(len(gain))).astype(np.float32)


NEAR, FAR = talk((1.0, 5.0), (12.0, 14.0)), talk((6.0, 10.0), seed=1)
TRUE = {"near": NEAR, "far": FAR}


def test_outputs_that_are_the_references_have_no_error():
    row = score_activity(TRUE, TRUE, RATE)
    assert (row["near_activity"], row["far_activity"]) == (0.0, 0.0)
    assert row["activity"]["near"]["spoken"] == pytest.approx(6.0 - 4 * 0.25, abs=0.25)


def test_swapped_outputs_miss_all_and_find_the_other():
    row = score_activity(TRUE, {"near": FAR, "far": NEAR}, RATE)
    near = row["activity"]["near"]
    assert near["missed"] == near["spoken"]
    assert near["false"] == pytest.approx(4.0, abs=0.2)
    assert row["near_activity"] == pytest.approx((near["missed"] + near["false"]) / near["spoken"], abs=1e-3)


def test_a_missed_turn_counts_its_seconds():
    row = score_activity(TRUE, {"near": talk((1.0, 5.0)), "far": FAR}, RATE)
    assert row["activity"]["near"]["missed"] == pytest.approx(1.5, abs=0.15)
    assert row["activity"]["near"]["false"] == 0.0
    assert row["far_activity"] == 0.0


def test_a_quarter_of_a_second_off_is_no_error():
    row = score_activity(TRUE, {"near": talk((1.15, 4.85), (11.85, 14.15)), "far": FAR}, RATE)
    assert row["near_activity"] == 0.0


def test_nobody_has_no_rate_but_false_seconds():
    silent = np.zeros_like(NEAR)
    row = score_activity({"near": NEAR, "far": silent}, {"near": talk((1.0, 5.0)), "far": FAR}, RATE)
    assert row["far_activity"] is None
    assert row["activity"]["far"] == {"missed": 0.0, "false": pytest.approx(4.0, abs=0.2), "spoken": 0.0}


def test_scenes_are_pooled_by_their_seconds():
    rows = [
        {
            "activity": {
                "near": {"missed": 1.0, "false": 0.5, "spoken": 10.0},
                "far": dict.fromkeys(("missed", "false", "spoken"), 0.0),
            }
        },
        {
            "activity": {
                "near": {"missed": 0.0, "false": 0.0, "spoken": 20.0},
                "far": dict.fromkeys(("missed", "false", "spoken"), 0.0),
            }
        },
        {"activity": None},
    ]
    pooled = summarise_activity(rows)
    assert pooled == {"near_activity": {"rate": 0.05, "missed": 1.0, "false": 0.5, "spoken": 30.0}}
