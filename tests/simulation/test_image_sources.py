"""Simulator of protocol 2 against geometry and textbook acoustics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dss_cli.simulation.absorption import absorption_per_octave, octave_rt60
from dss_cli.simulation.directivity import MOUTH_INDEX, Microphone, mouth
from dss_cli.simulation.image_sources import (
    FADE,
    LEAD,
    Shoebox,
    expected_energy,
    find_images,
    impulse_trains,
    respond,
)
from dss_cli.simulation.octaves import AIR, BANDS, band_weights, rumble_filter

RATE, SOUND = 16_000, 343.0
EAST = np.array([1.0, 0.0, 0.0])
SIZE = np.array([5.0, 4.0, 3.0])
HERE = np.array([2.0, 1.5, 1.2])


def rng(seed=0):
    return np.random.default_rng(seed)


def point(axis=EAST):
    return mouth(axis, 0.0)


def omni(position):
    return Microphone(np.asarray(position, float), EAST)


def even_room(absorption, size=SIZE, jitter=0.0):
    return Shoebox(size, np.full((6, 7), absorption), jitter)


def sphere(count=4000):
    generator = rng(1)
    directions = generator.normal(size=(count, 3))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def delay_of(samples, around):
    """Return the time of the largest value within 3 samples of `around`, after 32-fold interpolation."""
    fine = np.abs(np.fft.irfft(np.fft.rfft(samples), 32 * len(samples)))
    first = round(32 * (around - 3))
    return (first + int(np.argmax(fine[first : first + 6 * 32]))) / 32


def octave(samples, band):
    """Return a response filtered with the weight of one octave."""
    size = len(samples) + RATE  # the weights ring on both sides
    weight = band_weights(np.fft.rfftfreq(size, 1 / RATE))[band]
    return np.fft.irfft(np.fft.rfft(samples, size) * weight, size)[: len(samples)]


def decay_time(samples):
    """Return the RT60 from -5 to -25 dB of the backward-integrated decay."""
    energy = np.cumsum(samples[::-1] ** 2)[::-1]
    decibels = 10 * np.log10(energy / energy[0] + 1e-30)
    begin, end = (int(np.argmax(decibels < limit)) for limit in (-5, -25))
    return -60 / np.polyfit(np.arange(begin, end), decibels[begin:end], 1)[0] / RATE


class TestOctaves:
    def test_the_weights_sum_to_one_at_every_frequency(self):
        hertz = np.linspace(0, 8000, 3001)
        np.testing.assert_allclose(band_weights(hertz).sum(axis=0), 1, atol=1e-12)

    def test_a_weight_is_one_at_its_own_centre(self):
        np.testing.assert_allclose(band_weights(BANDS), np.eye(7), atol=1e-12)


class TestDirectivity:
    @pytest.mark.parametrize("share", [0.85, 1.0, 1.15])
    def test_the_directivity_index_is_that_of_a_mouth_in_every_octave(self, share):
        power = (mouth([0.6, 0.0, 0.8], share).gains(sphere(40_000)) ** 2).mean(axis=0)
        np.testing.assert_allclose(-10 * np.log10(power), share * MOUTH_INDEX, atol=0.1)

    def test_straight_ahead_is_full_level_and_behind_is_duller(self):
        ahead, behind = mouth(EAST).gains(np.array([[2.0, 0, 0], [-3.0, 0, 0]]))
        np.testing.assert_allclose(ahead, 1)
        assert (np.diff(behind) < 0).all()

    def test_a_share_of_zero_is_a_point(self):
        np.testing.assert_allclose(point().gains(sphere(50)), 1, atol=1e-6)

    def test_a_cardioid_is_deaf_to_the_back_and_half_as_loud_from_the_side(self):
        cardioid = Microphone(HERE, EAST, 0.5)
        np.testing.assert_allclose(
            cardioid.gains(np.array([[1.0, 0, 0], [0, 2.0, 0], [-1.0, 0, 0]])), [1, 0.5, 0]
        )

    def test_a_cardioid_hears_nothing_of_a_talker_behind_it_and_all_of_one_in_front(self):
        talkers = [HERE + EAST, HERE - EAST]
        box = Shoebox(np.full(3, 40.0), np.ones((6, 7)), order=0)
        front, back = respond(rng(), box, talkers, [point()] * 2, Microphone(HERE, EAST, 0.5), 0.05)[0]
        assert np.abs(np.fft.rfft(front, 4096)[256]) == pytest.approx(1, abs=0.02)  # at 1 kHz
        assert np.abs(back).max() < 1e-6


class TestDirectPath:
    @pytest.mark.parametrize("distance", [0.2, 0.731, 2.5, 11.0])
    def test_it_comes_after_r_over_c_at_one_over_r(self, distance):
        microphone = omni([20.0, 20.0, 20.0])
        source = microphone.position + distance * np.array([0.6, 0.0, 0.8])
        box = Shoebox(np.full(3, 40.0), np.ones((6, 7)), order=0)
        response = respond(rng(), box, [source], [point()], microphone, 0.1)[0][0]
        assert delay_of(response, LEAD + distance * RATE / SOUND) - LEAD == pytest.approx(
            distance * RATE / SOUND, abs=0.05
        )
        spectrum = np.abs(np.fft.rfft(response, 4096))
        centre = np.round(BANDS[:-1] * 4096 / RATE).astype(int)
        np.testing.assert_allclose(spectrum[centre], np.exp(-AIR[:-1] * distance / 2) / distance, rtol=0.02)

    def test_displaced_images_leave_the_source_where_it_stands(self):
        box = even_room(0.3, jitter=0.05)
        images = find_images(rng(), box, HERE + 0.5 * EAST, point(), omni(HERE), 20)
        assert images.distances[0] == pytest.approx(0.5, abs=1e-12)
        calm = find_images(rng(), even_room(0.3), HERE + 0.5 * EAST, point(), omni(HERE), 20)
        assert 0.001 < np.abs(images.distances[1:7] - calm.distances[1:7]).max() < 0.05 * np.sqrt(3)


class TestImages:
    def test_there_are_as_many_as_the_volume_holds(self):
        found = find_images(rng(), even_room(0.3), HERE + 0.5, point(), omni(HERE), 40)
        assert len(found.distances) == pytest.approx(4 * np.pi * 40**3 / 3 / SIZE.prod(), rel=0.02)

    def test_each_wall_mirrors_and_absorbs_by_itself(self):
        absorption = np.linspace(0.1, 0.6, 6)[:, np.newaxis] * np.ones(7)
        source = np.array([3.1, 2.2, 1.6])
        box = Shoebox(SIZE, absorption, order=1)
        found = find_images(rng(), box, source, point(), omni(HERE), 40)
        assert len(found.distances) == 7
        mirrored = []
        for axis in range(3):
            for wall in (0.0, SIZE[axis]):
                image = source.copy()
                image[axis] = 2 * wall - source[axis]
                mirrored.append(np.linalg.norm(image - HERE))
        for distance, share in zip(mirrored, absorption[:, 0], strict=True):
            i = 1 + int(np.argmin(np.abs(found.distances[1:] - distance)))
            assert found.distances[i] == pytest.approx(distance, abs=1e-9)
            bare = found.gains[i] * found.distances[i] * np.exp(AIR * distance / 2)
            np.testing.assert_allclose(bare, np.sqrt(1 - share), rtol=1e-6)

    def test_a_mirrored_talker_looks_the_mirrored_way(self):
        """For a talker who faces a wall, the reflection from this wall is the loudest."""
        source = HERE + 0.7 * EAST
        box = Shoebox(SIZE, np.zeros((6, 7)), order=1)
        at_wall = find_images(rng(), box, source, mouth(EAST), omni(HERE), 40)
        away = find_images(rng(), box, source, mouth(-EAST), omni(HERE), 40)
        wall = 2 * SIZE[0] - source[0] - HERE[0]
        i = 1 + int(np.argmin(np.abs(at_wall.distances[1:] - wall)))
        behind = mouth(EAST).gains(np.array([[-1.0, 0, 0]]))[0]
        bare = np.exp(-AIR * wall / 2) / wall
        np.testing.assert_allclose(at_wall.gains[i], bare, rtol=1e-6)  # perpendicular to the wall and back
        np.testing.assert_allclose(away.gains[i], bare * behind, rtol=1e-6)
        np.testing.assert_allclose(at_wall.gains[0] / away.gains[0], behind, rtol=1e-6)

    def test_two_reflections_take_what_both_walls_take(self):
        absorption = np.zeros((6, 7))
        absorption[0], absorption[1] = 0.5, 0.8
        found = find_images(rng(), Shoebox(SIZE, absorption, order=2), HERE, point(), omni(HERE + 1e-3), 11)
        round_trip = 1 + int(np.argmin(np.abs(found.distances[1:] - 2 * SIZE[0])))
        bare = found.gains[round_trip] * found.distances[round_trip] * np.exp(AIR * SIZE[0])
        np.testing.assert_allclose(bare, np.sqrt(0.5 * 0.2), rtol=1e-2)


class TestDecay:
    @pytest.mark.parametrize("rt60", [0.2, 0.6, 1.1])
    def test_every_octave_rings_as_long_as_asked(self, rt60):
        asked = rt60 * np.array([1.2, 1.1, 1.0, 0.95, 0.85, 0.75, 0.65])
        shares = np.array([1.0, 0.7, 1.3, 0.9, 1.1, 1.0])
        absorption = absorption_per_octave(asked, SIZE, shares)
        np.testing.assert_allclose(octave_rt60(SIZE, absorption), asked, rtol=0.01)
        box = Shoebox(SIZE, absorption, 0.05)
        sources = [HERE + rng(i).uniform(-1, 1, 3) for i in range(4)]
        responses = respond(rng(2), box, sources, [point()] * 4, omni(HERE), 1.3 * rt60 + 0.1)[0]
        for band in range(1, 7):
            found = np.mean([decay_time(octave(r, band)[LEAD + 100 :]) for r in responses])
            assert found == pytest.approx(asked[band], rel=0.15), f"octave {BANDS[band]:g} Hz"

    def test_late_energy_is_what_the_volume_says(self):
        """Without absorption the energy per metre of path is 4 pi / V at every distance."""
        box = even_room(0.0)
        images = find_images(rng(), box, HERE + 0.7, point(), omni(HERE), 60)
        late = (images.distances > 40) & (images.distances < 60)
        per_metre = (images.gains[late, 0] ** 2 * np.exp(AIR[0] * images.distances[late])).sum() / 20
        assert per_metre == pytest.approx(4 * np.pi / SIZE.prod(), rel=0.03)

    @pytest.mark.parametrize("omni_share", [1.0, 0.5])
    def test_the_expected_energy_is_that_of_the_images(self, omni_share):
        absorption = np.linspace(0.1, 0.4, 6)[:, np.newaxis] * np.linspace(0.5, 1.5, 7)
        box = Shoebox(SIZE, absorption, 0.05)
        talker, microphone = mouth([0.3, -0.8, 0.1]), Microphone(HERE, np.array([0.6, 0.8, 0]), omni_share)
        images = find_images(rng(), box, HERE + 0.6, talker, microphone, 45)
        first, last = round(25 / SOUND * RATE), round(45 / SOUND * RATE)
        there = (images.delays >= first) & (images.delays < last)
        expected = expected_energy(box, talker, microphone, np.arange(first, last)).sum(axis=1)
        np.testing.assert_allclose((images.gains[there] ** 2).sum(axis=0), expected, rtol=0.2)

    def test_the_noise_joins_the_images_without_a_step(self, monkeypatch):
        """In each octave, 20 ms before and after the seam differ only by the decay and by chance."""
        import dss_cli.simulation.image_sources as module

        monkeypatch.setattr(module, "MOST_IMAGES", 6000)
        absorption = absorption_per_octave(np.linspace(1.0, 0.6, 7), SIZE, np.ones(6))
        box = Shoebox(SIZE, absorption, 0.05)
        seam = LEAD + round((3 * 6000 * box.volume / (4 * np.pi)) ** (1 / 3) / SOUND * RATE)
        sources = [HERE + rng(i).uniform(-1, 1, 3) for i in range(12)]
        mouths = [mouth(rng(i).normal(size=3)) for i in range(12)]
        responses, images = respond(rng(3), box, sources, mouths, omni(HERE), 0.5)
        assert all(i.delays.max() + LEAD <= seam + 5 for i in images)
        steps = []
        for band in range(2, 7):
            heard = [octave(r, band) for r in responses]
            before, after = (
                10 * np.log10(sum(np.sum(h[s] ** 2) for h in heard))
                for s in (slice(seam - 320, seam), slice(seam, seam + 320))
            )
            decay = 60 * 0.02 / octave_rt60(SIZE, absorption)[band]
            steps.append(after - before + decay)
        assert np.abs(steps).max() < 1.0
        assert abs(np.mean(steps)) < 0.5

    def test_a_long_room_is_not_cut(self):
        absorption = absorption_per_octave(np.full(7, 1.1), SIZE, np.ones(6))
        response = respond(rng(), Shoebox(SIZE, absorption, 0.05), [HERE + 1], [point()], omni(HERE), 1.3)[0][
            0
        ]
        assert len(response) == round(1.3 * RATE) + LEAD
        tail = response[-FADE - 1600 : -FADE]
        assert 10 * np.log10(np.mean(tail**2) / np.mean(response[1600:3200] ** 2)) == pytest.approx(
            -60 * (1.25 - 0.15) / 1.1, abs=5
        )


class TestRendering:
    def test_alike_in_all_octaves_is_a_train_of_pulses(self):
        """If all octaves are equal, their filters cancel: the response equals the pulse trains."""
        box = Shoebox(SIZE, np.full((6, 7), 0.4), order=3)
        response, images = respond(rng(), box, [HERE + 0.8], [point()], omni(HERE), 0.1)
        bare = replace(images[0], gains=images[0].gains * np.exp(AIR * images[0].distances[:, None] / 2))
        train = impulse_trains(bare, 4096)
        np.testing.assert_allclose(train[0], train[6], atol=1e-12)
        hertz = np.fft.rfftfreq(4096, 1 / RATE)
        expected = np.fft.irfft(np.fft.rfft(train[0]) * rumble_filter(hertz), 4096)[: len(response[0])]
        assert np.abs(expected - response[0])[:-FADE].max() < 0.02 * np.abs(train[0]).max()

    def test_the_same_seed_gives_the_same_samples_and_another_one_others(self):
        box = even_room(0.3, jitter=0.05)
        once, again, other = (
            respond(rng(seed), box, [HERE + 0.8], [point()], omni(HERE), 0.4)[0] for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(once, again)
        assert np.abs(once - other).max() > 0
