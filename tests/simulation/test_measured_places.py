"""Places of measured responses in a bank: pairs, levels, refusals."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pyroomacoustics")

from dss_cli.errors import DssError
from dss_cli.simulation.measured_places import load_training_rooms
from dss_cli.simulation.measured_rirs import load_rooms, read_rows
from dss_cli.simulation.recipe import Recipe
from dss_cli.simulation.rir import onset, split_at_onset
from dss_cli.simulation.rir_bank import Bank, simulate_bank
from tests.helpers import synth

COUNTS = (3, 4)
HEAD = "path,room,distance_m,rt60_s,split"


def response(seed, ratio, rt60=0.3, gain=1.0):
    """Return a pulse and a decay `ratio` dB below the pulse, at any level."""
    time = np.arange(6000) / 16_000
    decay = np.random.default_rng(seed).standard_normal(6000) * 10 ** (-3 * time / rt60)
    decay *= 10 ** (-ratio / 20) / np.sqrt(np.sum(decay[60:] ** 2))
    samples = np.zeros((7000, 1), np.float32)
    samples[500:6500, 0] = decay
    samples[500:560, 0] = 0
    samples[500] = 1
    return samples * np.float32(0.5 * gain)


@pytest.fixture
def write(tmp_path):
    """`write(name, distances, at_one_metre, rt60, split)`: add a room; rewrite the manifest."""
    lines = [HEAD]

    def room(name, distances, at_one_metre=5.0, rt60=0.3, split="train"):
        for i, distance in enumerate(distances):
            file = f"{name}{i}_{distance:g}.wav"
            ratio = at_one_metre - 20 * np.log10(distance)
            level = 1 + (len(lines) % 5)
            synth.write(tmp_path / file, response(len(lines), ratio, rt60, level / 5), subtype="FLOAT")
            lines.append(f"{file},{name},{distance},{rt60},{split}")
        (tmp_path / "MANIFEST.csv").write_text("\n".join(lines) + "\n")
        return tmp_path

    return room


def draws(folder, count=20):
    rooms = load_training_rooms(folder, COUNTS)
    return [rooms.draw(np.random.default_rng(seed), *COUNTS) for seed in range(count)]


def test_direct_sound_falls_with_distance_whatever_the_files_levels(write):
    folder = write("A", [0.3, 0.4, 0.6, 0.7, 1.5, 2.0, 3.0, 4.0])
    for responses, distances, rt60 in draws(folder, 5):
        for samples, distance in zip(responses, distances, strict=True):
            direct, _ = split_at_onset(samples.astype(float), onset(samples.astype(float)))
            assert np.sqrt(np.sum(direct**2)) * distance == pytest.approx(1, rel=0.01)
        assert rt60 == pytest.approx(0.3)


def test_the_first_is_of_the_nearer_half_and_the_second_of_the_further(write):
    folder = write("A", [0.3, 0.35, 0.4, 0.6, 0.7, 0.75, 1.5, 2.0, 3.0, 4.0])
    for _, distances, _ in draws(folder):
        assert distances[0] <= 0.4 and distances[1] >= 0.6
        assert (distances[:3] <= 0.8).all() and (distances[3:] >= 1.2).all()
        assert len(set(distances)) == 7


def test_a_room_without_far_ones_borrows_from_one_alike(write):
    write("A", [0.3, 0.4, 0.6])
    write("alike", [1.5, 2.0, 2.5, 3.0], at_one_metre=6.0, rt60=0.35)
    write("live", [1.5, 2.0, 2.5, 3.1], at_one_metre=5.0, rt60=0.9)
    folder = write("dull", [1.5, 2.0, 2.5, 3.2], at_one_metre=12.0, rt60=0.3)
    assert {d for _, distances, _ in draws(folder) for d in distances[3:]} == {1.5, 2.0, 2.5, 3.0}


def test_a_rooms_own_far_ones_come_before_those_of_others(write):
    write("A", [0.3, 0.4, 0.6, 1.2, 1.3, 1.4, 1.5])
    folder = write("alike", [2.0, 2.5, 3.0, 4.0])
    assert {d for _, distances, _ in draws(folder) for d in distances[3:]} == {1.2, 1.3, 1.4, 1.5}


def test_other_splits_are_not_read(write):
    write("A", [0.3, 0.4, 0.6, 1.5, 2.0, 3.0, 4.0])
    folder = write("B", [0.31, 0.41, 0.61, 1.51, 2.01, 3.01, 4.01], split="dev")
    assert {row.room for row in read_rows(folder, "train")} == {"A"}
    assert {place[0][0].room for place in load_rooms(folder, "dev").places} == {"B"}
    assert set(load_training_rooms(folder, COUNTS).near) == {"A"}


def test_what_cannot_be_made_of_a_folder_is_told_in_one_line(write, tmp_path):
    with pytest.raises(DssError, match=r"no MANIFEST\.csv"):
        load_training_rooms(tmp_path, COUNTS)
    folder = write("A", [0.3, 0.4, 0.6])
    with pytest.raises(DssError, match=r"no room has 3 responses at 0\.2 to 0\.8 m and 4 at 1\.2 to 15 m"):
        load_training_rooms(folder, COUNTS)
    write("live", [1.5, 2.0, 2.5, 3.0], rt60=1.2)
    with pytest.raises(DssError, match="in the same or a similar room"):
        load_training_rooms(folder, COUNTS)
    with pytest.raises(DssError, match="no line of split 'test'; there is train"):
        load_training_rooms(folder, COUNTS, "test")


def test_a_bank_has_measured_places_behind_the_simulated_ones(write, tmp_path):
    rooms = load_training_rooms(write("A", [0.3, 0.4, 0.6, 1.5, 2.0, 3.0, 4.0]), COUNTS)
    bank = simulate_bank(1, 4, 2, rooms=rooms)
    assert bank.protocol == 2 and bank.measured_places == 1
    assert bank.measured.tolist() == [False] * 6 + [True]
    assert bank.outdoor.tolist() == [False] * 4 + [True] * 2 + [False]
    for place, responses in enumerate(bank.responses):
        assert not np.any(responses[:, bank.taps(place) :])
        assert np.any(responses[:, bank.taps(place) - 1])
    bank.save(tmp_path / "bank.npz")
    again = Bank.load(tmp_path / "bank.npz")
    for name in ("responses", "distances", "measured", "used", "rt60"):
        np.testing.assert_array_equal(getattr(again, name), getattr(bank, name))
    assert (again.protocol, again.near_sources) == (2, 3)
    alone = simulate_bank(1, 4, 2)
    np.testing.assert_array_equal(alone.distances, bank.distances[:6])  # no place depends on another


def test_a_bank_of_protocol_1_has_places_of_one_length(tmp_path):
    bank = simulate_bank(1, 1, 1, protocol=1)
    assert (bank.protocol, bank.measured_places, bank.responses.shape[-1]) == (1, 0, 9600)


def test_recipes_ask_for_a_fifth_of_indoor_scenes_in_measured_rooms():
    assert Recipe().measured == 0.2
    assert Recipe().rt60 > 1.44  # no room of protocol 2 is left out
