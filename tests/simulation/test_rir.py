"""Simulated and measured responses against geometry and textbook acoustics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("pyroomacoustics")

from dss_cli.simulation.absorption import MOST, image_source_rt60, scale_for
from dss_cli.simulation.image_sources import LEAD
from dss_cli.simulation.rir import (
    check_place,
    direct_path,
    direct_to_reverberant,
    onset,
    reverberation_time,
    split_at_onset,
    through_air,
)
from dss_cli.simulation.rooms_protocol1 import simulate_place

RATE, SOUND = 16_000, 343.0


def outdoors(seed, ranges=((0.2, 0.8), (1.2, 15.0)), **options):
    return simulate_place(np.random.default_rng(seed), "outdoor", ranges, **options)


@pytest.fixture(scope="module")
def room():
    rng = np.random.default_rng(3)
    ranges = [(0.2, 0.5), (1.2, 6.0)]
    return simulate_place(rng, "indoor", ranges, (0.25, 0.35), facing=[True, False])


def peak(samples, delay):
    """Return the time of the largest value within 3 samples of `delay`, after 32-fold interpolation."""
    fine = np.abs(np.fft.irfft(np.fft.rfft(samples), 32 * len(samples)))
    first = round(32 * (delay - 3))
    return (first + int(np.argmax(fine[first : first + 6 * 32]))) / 32


@pytest.mark.parametrize("seed", range(8))
def test_the_direct_path_comes_after_r_over_c(seed):
    place = outdoors(seed, [(0.3, 0.4), (1.2, 3.0)])
    for samples, position in zip(place.responses, place.positions, strict=True):
        distance = np.linalg.norm(position - place.microphone)
        assert peak(samples, LEAD + distance * RATE / SOUND) - LEAD == pytest.approx(
            distance * RATE / SOUND, abs=0.15
        )


@pytest.mark.parametrize("seed", range(8))
def test_the_direct_path_falls_with_one_over_r(seed):
    """Amplitude times distance, corrected for directivity and air, is 1 near and far."""
    place = outdoors(seed)
    for samples, distance, gain, reflections in zip(
        place.responses, place.distances, place.gains, place.reflections, strict=True
    ):
        delay = LEAD + distance * RATE / SOUND
        _, level, _ = direct_path(samples, delay, reflections + LEAD)
        assert level * distance / gain / through_air(distance) == pytest.approx(1, abs=0.01)


def test_twice_as_far_is_six_decibels_less():
    """The energy up to the peak, before the ground reflection, is used without the fit."""
    energies = []
    for distance in (0.4, 0.8):
        place = outdoors(1, [(distance, distance)], facing=[True])
        at = LEAD + round(distance * RATE / SOUND)
        rising = place.responses[0][: at + 40] / place.gains[0]
        energies.append(np.sum(rising.astype(float) ** 2))
    assert 10 * np.log10(energies[0] / energies[1]) == pytest.approx(6.02, abs=0.15)


@pytest.mark.parametrize("seed", range(8))
def test_the_ground_reflects_where_geometry_says(seed):
    place = outdoors(seed, [(0.3, 0.8), (2.0, 4.0)])
    for i, samples in enumerate(place.responses):
        mirrored = place.positions[i] * [1, 1, -1]
        expected = LEAD + np.linalg.norm(mirrored - place.microphone) * RATE / SOUND
        direct = LEAD + place.distances[i] * RATE / SOUND
        _, _, rest = direct_path(samples, direct, place.reflections[i] + LEAD)
        assert peak(rest, expected) == pytest.approx(expected, abs=0.5)


def test_a_facade_answers_where_geometry_says():
    place = outdoors(5, [(0.5, 0.6)], facade=(6.0, 8.0))
    assert 6.0 <= place.facade <= 8.0
    assert place.microphone[0] == place.facade
    mirrored = place.positions[0] * [-1, 1, 1]
    expected = LEAD + np.linalg.norm(mirrored - place.microphone) * RATE / SOUND
    echo = place.responses[0][round(expected) - 15 : round(expected) + 16]
    assert round(expected) - 15 + np.argmax(np.abs(echo)) == pytest.approx(expected, abs=1)
    bare = outdoors(5, [(0.5, 0.6)])
    assert np.abs(bare.responses[0][round(expected) - 15 :]).max(initial=0) < 0.01 * np.abs(echo).max()


@pytest.mark.parametrize("rt60", [0.15, 0.4, 0.9])
def test_schroeder_reads_an_exponential_decay(rt60):
    time = np.arange(round(1.5 * rt60 * RATE)) / RATE
    rng = np.random.default_rng(0)
    decays = [rng.standard_normal(len(time)) * 10 ** (-3 * time / rt60) for _ in range(4)]
    assert reverberation_time(decays) == pytest.approx(rt60, rel=0.05)


def test_rooms_reverberate_as_long_as_asked(room):
    responses, measured, faults = check_place(room)
    assert faults == []
    assert measured == pytest.approx(room.rt60, rel=0.25)
    assert responses[0].facts["drr_db"] > responses[1].facts["drr_db"]  # near is drier
    assert responses[0].facts["distance_m"] == room.distances[0]


def test_a_talker_of_a_room_stands_where_it_stands(room):
    """Randomised image positions move only the reflections."""
    for i, distance in enumerate(room.distances):
        expected = LEAD + distance * RATE / SOUND
        delay, level, _ = direct_path(room.responses[i], expected, room.reflections[i] + LEAD)
        assert delay == pytest.approx(expected, abs=0.02)
        assert level == pytest.approx(room.gains[i] / distance * through_air(distance), rel=0.02)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda h: np.roll(h, 1), "talker 0: delay"),
        (lambda h: 1.05 * h, "talker 0: level"),
        (lambda h: 0 * h, "talker 0: level"),
    ],
)
def test_wrong_responses_are_found(room, change, fault):
    with np.errstate(invalid="ignore"):
        _, _, faults = check_place(replace(room, responses=[change(h) for h in room.responses]))
    assert any(line.startswith(fault) for line in faults)


def test_wrong_reverberation_is_found(room):
    assert "reverberates" in check_place(replace(room, rt60=room.rt60 / 1.5))[2][0]


def test_who_faces_the_microphone_is_near_full_level():
    facing = outdoors(2, [(1.0, 2.0)] * 12, facing=[True] * 12).gains
    anywhere = outdoors(2, [(1.0, 2.0)] * 12, facing=[False] * 12).gains
    assert facing.min() > 0.74  # 50 degrees to the side, 53 degrees above or below, the narrowest directivity
    assert anywhere.min() < 0.6
    assert max(facing.max(), anywhere.max()) <= 1.0


def test_air_takes_the_treble():
    assert through_air(0) == 1
    assert through_air(1) > 0.99
    assert 0.9 < through_air(15) < 0.96


class TestAbsorption:
    size = np.array([5.0, 4.0, 3.0])

    def test_half_the_loss_is_twice_the_time(self):
        for absorption in (0.1, 0.5):
            halved = 1 - np.sqrt(1 - absorption)
            once, twice = (image_source_rt60(self.size, np.full(6, a)) for a in (absorption, halved))
            assert twice == pytest.approx(2 * once, rel=1e-6)

    def test_a_room_twice_as_large_rings_twice_as_long(self):
        walls = np.array([0.1, 0.2, 0.3, 0.3, 0.2, 0.1])
        assert image_source_rt60(2 * self.size, walls) == pytest.approx(
            2 * image_source_rt60(self.size, walls), rel=1e-6
        )

    def test_it_is_at_least_eyrings(self):
        """Mixed directions decay fastest; a cube with equal walls is close to that."""
        area, volume = 2 * (5 * 4 + 5 * 3 + 4 * 3), 60
        eyring = 24 * np.log(10) / SOUND * volume / (-area * np.log(1 - 0.3))
        assert eyring < image_source_rt60(self.size, np.full(6, 0.3)) < 1.25 * eyring
        flutter = image_source_rt60(self.size, np.array([0.05, 0.05, 0.5, 0.5, 0.5, 0.5]))
        assert flutter > 2 * image_source_rt60(self.size, np.full(6, 0.35))

    @pytest.mark.parametrize("rt60", [0.2, 0.5, 0.9])
    def test_the_scale_gives_what_was_asked(self, rt60):
        shares = np.array([1.0, 0.7, 1.3, 0.9, 1.1, 1.0])
        scale = scale_for(rt60, self.size, shares)
        assert image_source_rt60(self.size, scale * shares) == pytest.approx(rt60, rel=1e-3)

    def test_no_wall_absorbs_more_than_everything(self):
        assert scale_for(0.02, self.size, np.ones(6)) is None
        assert image_source_rt60(self.size, np.full(6, MOST)) > 0.02


def test_measured_responses_split_at_their_onset():
    samples = np.zeros(4000)
    samples[1000], samples[1030], samples[1100] = 1.0, 0.5, 0.5
    assert onset(samples) == 1000
    direct, rest = split_at_onset(samples, 1000)
    assert direct_to_reverberant(direct, rest) == pytest.approx(10 * np.log10(1.25 / 0.25))
    assert direct_to_reverberant(direct, 0 * rest) == np.inf
