"""Places requested by a bank: reverberation, directivity, half of the far talkers facing the microphone."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pyroomacoustics")

from dss_cli.simulation import rir_bank, rooms_protocol1


@pytest.fixture
def asked(monkeypatch):
    """Arguments of `simulate_place` for 300 places."""
    calls = []

    def simulate_place(rng, environment, ranges, rt60, seconds, facing, mouth):
        calls.append((rt60, facing, mouth))
        silence = [np.zeros(8, np.float32)] * len(ranges)
        return rooms_protocol1.Place(environment, rt60[0], np.ones(7), silence, *[None] * 5)

    monkeypatch.setattr(rooms_protocol1, "simulate_place", simulate_place)
    for index in range(300):
        rir_bank._one_of_protocol_1(1, (0.2, 0.8), (1.2, 15.0), index, "indoor")
    return calls


def test_as_many_rooms_below_the_middle_of_the_logarithm_as_above(asked):
    times = np.array([low for (low, high), _, _ in asked if low == high])
    assert len(times) == 300
    assert rir_bank.RT60[0] <= times.min() and times.max() <= rir_bank.RT60[1]
    assert np.median(times) == pytest.approx(np.sqrt(np.prod(rir_bank.RT60)), rel=0.15)


def test_near_talkers_face_the_microphone_and_half_of_the_far_ones(asked):
    facing = np.array([facing for _, facing, _ in asked])
    assert facing[:, : rir_bank.NEAR_SOURCES].all()
    assert facing[:, rir_bank.NEAR_SOURCES :].mean() == pytest.approx(rir_bank.FACING, abs=0.05)


@pytest.mark.parametrize("mouth", [(0.4, 0.4), (1.0, 1.0)])
def test_a_directive_talker_who_looks_away_is_fainter(mouth):
    gains = []
    for facing in (True, False):
        rng = np.random.default_rng(5)
        place = rooms_protocol1.simulate_place(
            rng, "outdoor", [(2.0, 2.0)] * 20, facing=[facing] * 20, mouth=mouth
        )
        gains.append(place.gains)
    if mouth == (1.0, 1.0):
        np.testing.assert_allclose(gains, 1.0)
    else:
        assert gains[0].min() > 0.7 and np.abs(gains[1]).mean() < gains[0].mean() - 0.2
