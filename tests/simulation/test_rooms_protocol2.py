"""Rooms of protocol 2: drawing, checks, and coverage of the measured rooms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("scipy")

from dss_cli.simulation import image_sources, room_figures
from dss_cli.simulation.directivity import Microphone, mouth
from dss_cli.simulation.image_sources import LEAD, find_images
from dss_cli.simulation.octaves import AIR
from dss_cli.simulation.room_checks import broadband, check_room, expected_gains, fit_direct, reverberation
from dss_cli.simulation.room_figures import MEASURED, covers, figure_percentiles, simulated, treble
from dss_cli.simulation.rooms import GROUND, RT60, SIZES, simulate_room

RATE, SOUND = 16_000, 343.0
NEAR_AND_FAR = [(0.2, 0.5), (0.5, 0.8), (1.2, 6.0), (1.2, 6.0)]


def indoors(seed, ranges=NEAR_AND_FAR, **options):
    return simulate_room(np.random.default_rng(seed), "indoor", ranges, 2, **options)


def outdoors(seed, ranges=((0.3, 0.8), (2.0, 4.0)), **options):
    return simulate_room(np.random.default_rng(seed), "outdoor", ranges, 1, **options)


@pytest.fixture(scope="module")
def rooms():
    return [indoors(seed) for seed in range(12)]


@pytest.fixture(scope="module")
def room():
    return indoors(3, rt60=(0.3, 0.5))


class TestDraw:
    def test_talkers_stand_at_the_distances_asked_for_inside_the_room(self, rooms):
        for room in rooms:
            for distance, position, (least, most) in zip(
                room.distances, room.positions, NEAR_AND_FAR, strict=True
            ):
                assert least <= distance <= most
                assert distance == pytest.approx(np.linalg.norm(position - room.microphone.position))
                assert ((position > 0) & (position < room.box.size)).all()

    def test_rooms_are_from_a_small_office_to_a_hall(self):
        sizes = np.array([spans for _, spans in SIZES])
        assert sizes[:, 0, 0].min() == 2.5 and sizes[:, 0, 1].max() == 25
        assert sum(share for share, _ in SIZES) == pytest.approx(1)

    def test_small_rooms_are_drier_and_none_leaves_the_limits(self, rooms):
        volumes = np.array([room.box.volume for room in rooms])
        times = np.array([room.rt60 for room in rooms])
        assert RT60[0] / 1.1 <= times.min() and times.max() <= RT60[1] * 1.1
        small = volumes < np.median(volumes)
        assert times[small].mean() < times[~small].mean()

    def test_one_microphone_of_four_is_a_cardioid_and_most_talkers_face(self):
        drawn = [outdoors(seed, [(0.3, 0.5), (1.3, 2.4), (1.3, 2.4)]) for seed in range(300)]
        assert np.mean([room.microphone.omni == 0.5 for room in drawn]) == pytest.approx(0.25, abs=0.07)
        ahead = []
        for room in drawn:
            for position, talker in zip(room.positions, room.mouths, strict=True):
                towards = room.microphone.position - position
                ahead.append(talker.axis @ towards / np.linalg.norm(towards) > np.cos(np.radians(60)))
        assert 0.65 < np.mean(ahead) < 0.95

    def test_a_response_is_as_long_as_its_room_rings_and_no_longer_than_asked(self, rooms):
        for room in rooms:
            assert room.responses.shape[1] - LEAD == pytest.approx(
                RATE * min(1.3, 1.1 * room.octaves.max() + 0.05), abs=1
            )
        assert indoors(1, rt60=(1.0, 1.2), seconds=0.4).responses.shape[1] == 0.4 * RATE + LEAD

    def test_a_room_is_a_function_of_its_seed(self):
        once, again = indoors(5), indoors(5)
        np.testing.assert_array_equal(once.responses, again.responses)
        assert once.responses.shape != indoors(6).responses.shape


class TestChecks:
    def test_a_room_passes(self, room):
        responses, measured, faults = check_room(room)
        assert faults == []
        assert measured == pytest.approx(room.rt60, rel=0.25)
        assert responses[0].facts["drr_db"] > responses[3].facts["drr_db"]  # near is drier
        for i, response in enumerate(responses):
            assert response.facts["direct_delay_s"] == pytest.approx(room.distances[i] / SOUND, rel=0.02)
            assert response.facts["direct_level"] == pytest.approx(
                broadband(expected_gains(room, i)), rel=0.02
            )

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            (lambda h: np.roll(h, 2), "talker 0: delay"),
            (lambda h: 1.05 * h, "talker 0: level"),
            (lambda h: 0 * h, "talker 0: level"),
        ],
    )
    def test_wrong_responses_are_found(self, room, change, fault):
        with np.errstate(all="ignore"):
            _, _, faults = check_room(replace(room, responses=change(room.responses)))
        assert any(line.startswith(fault) for line in faults)

    def test_wrong_reverberation_is_found(self, room):
        assert "reverberates" in check_room(replace(room, rt60=room.rt60 / 1.6))[2][0]

    def test_a_level_is_found_whatever_the_directivity(self, rooms):
        """The fit receives only geometry and patterns, and finds the simulator's level."""
        for room in rooms:
            for i, samples in enumerate(room.responses):
                delay = room.distances[i] * RATE / SOUND
                found, share = fit_direct(samples, delay, expected_gains(room, i), room.images[i])
                assert share == pytest.approx(1, abs=0.03)
                assert found == pytest.approx(delay, abs=0.05)


class TestOutdoors:
    @pytest.mark.parametrize("seed", range(6))
    def test_the_ground_reflects_where_and_as_much_as_geometry_and_absorption_say(self, seed):
        place = outdoors(seed)
        for i in range(2):
            images = place.images[i]
            mirrored = place.positions[i] * [1, 1, -1]
            path = place.microphone.position - mirrored
            ground = 1 + int(np.argmax(images.gains[1:, 0]))
            assert images.distances[ground] == pytest.approx(np.linalg.norm(path))
            sent = place.mouths[i].gains((path * [1, 1, -1])[np.newaxis])[0]  # down, then up
            heard = place.microphone.gains(-path[np.newaxis])[0]
            reflected = np.sqrt(1 - place.box.absorption[4])
            air = np.exp(-AIR * images.distances[ground] / 2)
            np.testing.assert_allclose(
                images.gains[ground], sent * heard * reflected * air / images.distances[ground], rtol=1e-6
            )

    def test_the_ground_is_between_asphalt_and_grass(self):
        floors = np.array([outdoors(seed, [(1.0, 2.0)]).box.absorption[4] for seed in range(40)])
        assert (floors >= GROUND[0] - 1e-12).all() and (floors <= GROUND[1] + 1e-12).all()
        assert floors[:, 2].max() - floors[:, 2].min() > 0.25

    def test_nothing_else_is_heard(self):
        place = outdoors(2)
        loudest = np.sort(np.abs(place.images[0].gains[:, 0]))[::-1]
        assert loudest[2] < 1e-5 * loudest[0]
        end = LEAD + round(place.images[0].delays[1:].min()) + 800
        assert np.abs(place.responses[0][end:]).max() < 0.003 * np.abs(place.responses[0]).max()

    def test_a_facade_answers_where_geometry_says(self):
        place = outdoors(5, [(0.5, 0.6)], facade=(6.0, 8.0))
        assert place.microphone.position[0] == place.facade
        path = np.linalg.norm(place.positions[0] * [-1, 1, 1] - place.microphone.position)
        there = place.images[0].distances[np.argsort(-place.images[0].gains[:, 0])[:4]]
        assert np.abs(there - path).min() < 1e-9

    def test_twice_as_far_is_six_decibels_less(self):
        rng, east = np.random.default_rng(0), np.array([1.0, 0, 0])
        microphone = Microphone(np.array([20.0, 20.0, 1.5]), east)
        near, far = (
            find_images(rng, outdoors(1).box, microphone.position + d * east, mouth(-east), microphone, 40)
            for d in (1.5, 3.0)
        )
        assert 20 * np.log10(near.gains[0, 0] / far.gains[0, 0]) == pytest.approx(6.02, abs=0.01)


class TestTable:
    @pytest.fixture(scope="class")
    @staticmethod
    def many():
        """100 rooms as in a bank, but with an earlier start of the noise, which is faster."""
        before = image_sources.MOST_IMAGES
        image_sources.MOST_IMAGES = 2500
        yield [simulated(1, index) for index in range(100)]
        image_sources.MOST_IMAGES = before

    @pytest.mark.slow
    @pytest.mark.parametrize("band", MEASURED)
    def test_direct_sound_covers_that_of_measured_rooms(self, many, band):
        found, count = figure_percentiles(many, band)
        assert count >= 50
        # Percentiles of so few responses are accurate to one or two decibels.
        assert covers(found, MEASURED[band], slack=2.0), (found, MEASURED[band])

    @pytest.mark.slow
    def test_reverberation_falls_with_frequency(self, many):
        low, middle, high = np.percentile(treble(many), (10, 50, 90))
        assert middle == pytest.approx(0.7, abs=0.06)
        assert 0.45 < low < 0.62 and 0.8 < high < 1.05

    def test_what_misses_is_seen(self):
        assert covers(np.array([-2.0, 3.0, 8.0]), (-1.0, 2.0, 7.0))
        for found in ([0.0, 2.0, 8.0], [-2.0, 2.0, 6.0], [-2.0, 4.5, 8.0]):
            assert not covers(np.array(found), (-1.0, 2.0, 7.0))

    def test_a_known_decay_is_measured_in_every_octave(self):
        time = np.arange(8000) / RATE
        noise = np.random.default_rng(0).standard_normal((6, 8000)) * 10 ** (-3 * time / 0.3)
        noise[:, 0] = 30
        figures = room_figures.measure_room("A", np.full(6, 2.0), list(noise))
        np.testing.assert_allclose(figures.octaves[1:], 0.3, rtol=0.12)


def test_reverberation_is_read_without_the_direct_sound(room):
    louder = room.responses.copy()
    for i, delay in enumerate(room.distances * RATE / SOUND):
        louder[i, round(delay) + LEAD] += 5
    assert reverberation(replace(room, responses=louder)) == pytest.approx(reverberation(room), rel=0.05)
