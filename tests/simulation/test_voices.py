"""Changes of voices before they are placed: pace and timbre."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from dss_cli.simulation.corpus import Material
from dss_cli.simulation.mixing import render
from dss_cli.simulation.recipe import Recipe
from dss_cli.simulation.scene_sampling import KNOTS

RATE = 16_000
QUIET = {"colour": 0.0, "level_spread": 0.0}
HERE = np.ones(1, np.float32)  # a response without a room


def material(samples):
    return Material((samples * 32767).astype(np.int16), np.array([[0, len(samples)]]), np.array(["a"]))


def scene(samples, recipe, seed, seconds=2):
    return render(
        np.random.default_rng(seed), "near-only", recipe, [HERE], [], material(samples), None, seconds * RATE
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_voice_at_another_pace_has_another_pitch(seed):
    tone = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(10 * RATE) / RATE)
    made = scene(tone, Recipe(pace=0.15, **QUIET), seed)
    pace = made.drawn["talkers"][0]["pace"]
    assert 1 / 1.15 <= pace <= 1.15
    spectrum = np.abs(np.fft.rfft(made.near * np.hanning(len(made.near))))
    assert np.argmax(spectrum) / 2 == pytest.approx(1000 * pace, abs=0.6)  # bins of half a hertz
    assert len(made.near) == 2 * RATE and np.all(np.abs(made.near[-8:]) > 0)


def test_paces_are_as_often_slower_as_faster():
    silence = np.zeros(RATE)
    paces = [
        scene(silence, Recipe(pace=0.15, **QUIET), seed, 1).drawn["talkers"][0]["pace"] for seed in range(200)
    ]
    assert abs(np.mean(np.log(paces))) < 3 * np.log(1.15) / np.sqrt(3 * 200)
    assert min(paces) < 0.89 and max(paces) > 1.12


def test_a_voice_of_another_timbre_is_coloured_as_drawn():
    hiss = 0.1 * np.random.default_rng(1).standard_normal(40 * RATE)
    plain, made = (scene(hiss, Recipe(timbre=timbre, **QUIET), 3, 30) for timbre in (0.0, 6.0))
    drawn = np.array(made.drawn["talkers"][0]["colour_db"])
    levels = []
    for knot in KNOTS[2:7]:
        power = []
        for one in (made, plain):
            spectrum = np.abs(np.fft.rfft(one.near)) ** 2
            hertz = np.fft.rfftfreq(len(one.near), 1 / RATE)
            power.append(np.mean(spectrum[np.abs(hertz / knot - 1) < 0.03]))
        levels.append(10 * np.log10(power[0] / power[1]))
    expected = drawn[2:7]
    np.testing.assert_allclose(np.diff(levels), np.diff(expected), atol=1.0)  # apart from the device's gain
    assert np.ptp(expected) > 3


def test_recipes_of_test_sets_leave_voices_as_they_are():
    made = scene(np.zeros(RATE), Recipe(**QUIET), 0, 1)
    assert not {"pace", "colour_db"} & set(made.drawn["talkers"][0])
