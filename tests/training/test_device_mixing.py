"""Mixing on the accelerator: same scenes as NumPy, and same training as with scenes from the host."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytest.importorskip("scipy")

from dss_cli.network import configuration  # noqa: E402
from dss_cli.simulation.corpus import Material  # noqa: E402
from dss_cli.simulation.recipe import CONVERSATIONS, KINDS, PREAMBLES, Recipe  # noqa: E402
from dss_cli.simulation.rir_bank import Bank  # noqa: E402
from dss_cli.simulation.turns import Turns  # noqa: E402
from dss_cli.training.config import read_config  # noqa: E402
from dss_cli.training.cut import inputs_of, whole_scenes  # noqa: E402
from dss_cli.training.data import Sources, examples  # noqa: E402
from dss_cli.training.device_batches import ROW, Desk, Tape  # noqa: E402
from dss_cli.training.device_mixing import Mixing  # noqa: E402
from dss_cli.training.loop import TrainingRun, train  # noqa: E402
from tests.helpers.short_runs import untraced  # noqa: E402

SMALL = replace(configuration("toy"), blocks=1, near_after=1, fine=0, zoom=None)
CHANGES = (
    "training.batch=2",
    "schedule.peak=1e-2",
    "schedule.warmup=1",
    "schedule.hold=2",
    "schedule.steps=2",
    "curriculum.begins=[0, 0, 0, 999]",
)


def small_run(*changes):
    return replace(read_config("toy", (*CHANGES, *changes)), network=SMALL)


EVERYTHING = Recipe(captured=0.7, timbre=3.0, balanced=0.5, clean=0.3, free_gain=0.5)


def material(pieces, names):
    ends = np.cumsum([len(p) for p in pieces])
    spans = np.stack([ends - [len(p) for p in pieces], ends], axis=1)
    return Material(np.concatenate(pieces), spans, np.array(names))


@pytest.fixture(scope="module")
def sources():
    """Voices below 4 kHz (some shorter than a scene), hiss, and responses for one kind of place each."""
    rng = np.random.default_rng(0)
    voices = []
    for talker in range(6):
        time = np.arange(30_000 if talker % 2 else 3001) / 16_000
        pitch = 100 * 1.17**talker
        tone = sum(np.sin(2 * np.pi * k * pitch * time + rng.uniform(0, 6)) / k for k in range(1, 17))
        voices.append((2000 * tone * (1 + np.sin(20 * time))).astype(np.int16))
    hiss = [(rng.standard_normal(n) * 500).astype(np.int16) for n in (5000, 20_000)]
    responses = rng.standard_normal((4, 7, 2000)) * np.exp(-np.arange(2000) / 300)
    bank = Bank(
        (0.1 * responses).astype(np.float16),
        np.ones((4, 7), np.float32),
        np.array([False, False, True, True]),
        np.zeros(4, np.float32),
    )
    return Sources(material(voices, list("abcdef")), material(hiss, ["x", "y"]), bank)


@pytest.fixture(scope="module")
def desk(sources):
    return Desk(sources, SMALL.signal)


@pytest.fixture(scope="module")
def mixing(desk):
    return Mixing(desk)


def coded(pair):
    """A codec rounds to steps, so a difference in the last bit can become a whole step."""
    return pair[1].capture is not None and pair[1].capture.companded


def narrow(pair):
    """Above a device's band there are only rounding errors, which weigh more in pauses."""
    return pair[1].capture is not None and pair[1].capture.band > 0


def distance(got, expected):
    got = keras.ops.convert_to_numpy(got)
    return np.linalg.norm(got - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_what_numpy_makes_of_its_draws(kind, sources, desk, mixing):
    draws = [d for d in desk.draws(replace(EVERYTHING, kinds={kind: 1.0}), 8, [7]) if not coded(d)]
    mixed = mixing(desk.numbers(draws))
    inputs, targets = examples([sources.mix(*pair) for pair in draws], desk.signal)
    # Compression raises the rounding errors above a narrow device's band.
    assert distance(mixed["inputs"], inputs) < 3e-4
    for stem, target in targets.items():
        assert distance(mixed["targets"][stem], target) < 1e-4
        reference = target[..., :2]
        if np.any(reference):
            assert distance(mixed["targets"][stem][..., :2], reference) < 1e-4
        else:
            assert not np.any(mixed["targets"][stem][..., :2])


@pytest.fixture(scope="module")
def long(sources):
    """Return a desk and a renderer for scenes of 6 s."""
    desk = Desk(sources, SMALL.signal, 96_000)
    return desk, Mixing(desk)


TALKING = replace(
    EVERYTHING,
    captured=0.3,
    turns=Turns(seconds=(0.5, 2.0), pause=(0.0, 0.5), monologue=0.3),
    television=0.3,
    tone=0.5,
    active_levels=True,
    talker_seconds=1.0,
)


@pytest.mark.parametrize("preamble", PREAMBLES)
@pytest.mark.parametrize("kind", [*CONVERSATIONS, "1N+4F", "turns"])
def test_a_long_scene_is_what_numpy_makes_of_its_draw(kind, preamble, sources, long):
    desk, mixing = long
    recipe = replace(TALKING, kinds={kind: 1.0}, preamble={preamble: 1.0})
    draws = [pair for pair in desk.draws(recipe, 4, [9]) if not (coded(pair) or narrow(pair))]
    mixed = mixing(desk.numbers(draws))
    inputs, targets = examples([sources.mix(*pair) for pair in draws], desk.signal)
    assert inputs.shape[1] == 1 + (96_000 - desk.signal.window) // desk.signal.hop
    assert distance(mixed["inputs"], inputs) < 3e-4
    for stem, target in targets.items():
        assert distance(mixed["targets"][stem], target) < 1e-4


def test_more_turns_than_the_tables_have_room_for_are_refused(long):
    desk, _ = long
    many = replace(TALKING, kinds={"conversation-far": 1.0}, turns=Turns((0.1, 0.2), (0.0, 0.01), most=99))
    with pytest.raises(ValueError, match="turns of one talker; at most 8 are supported"):
        desk.numbers(desk.draws(many, 8, [1]))


def test_a_batch_through_a_codec_is_what_numpy_makes_of_it(sources, desk, mixing):
    draws = [d for d in desk.draws(replace(EVERYTHING, captured=1.0), 16, [8]) if coded(d)]
    assert draws
    inputs, _ = examples([sources.mix(*pair) for pair in draws], desk.signal)
    assert distance(mixing(desk.numbers(draws))["inputs"], inputs) < 5e-3
    uncoded = [(place, replace(d, capture=replace(d.capture, companded=False))) for place, d in draws]
    assert distance(mixing(desk.numbers(uncoded))["inputs"], inputs) > 2e-2, "the codec is heard"


def test_without_environmental_noise_there_is_only_the_microphones(sources):
    quiet = replace(sources, noise=None)
    desk = Desk(quiet, SMALL.signal)
    draws = desk.draws(replace(EVERYTHING, captured=0.0), 2, [1])
    inputs, _ = examples([quiet.mix(*pair) for pair in draws], desk.signal)
    assert distance(Mixing(desk)(desk.numbers(draws))["inputs"], inputs) < 1e-4


def test_voices_at_another_pace_are_those_of_the_resampler(sources, desk, mixing):
    recipe = replace(EVERYTHING, kinds={"1N+2F": 1.0}, pace=0.15)
    draws = [pair for pair in desk.draws(recipe, 8, [7]) if not coded(pair)]
    _, targets = examples([sources.mix(*pair) for pair in draws], desk.signal)
    for stem, target in mixing(desk.numbers(draws))["targets"].items():
        assert distance(target, targets[stem]) < 1e-3


def test_a_pace_that_the_tables_have_no_room_for_is_refused(desk):
    with pytest.raises(ValueError, match=r"outside 0\.8 to 1\.25"):
        desk.numbers(desk.draws(replace(EVERYTHING, pace=3.0), 8, [1]))


def test_levels_are_mixed_in_full_precision_whatever_the_network_computes_in(desk, mixing):
    numbers = desk.numbers(desk.draws(EVERYTHING, 2, [3]))
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        half = Mixing(desk)(numbers)["inputs"]
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(half, mixing(numbers)["inputs"])


@given(
    lengths=st.lists(st.integers(1, 3 * ROW), min_size=1, max_size=4),
    samples=st.integers(1, 4 * ROW),
    data=st.data(),
)
def test_any_voice_is_consecutive_on_the_tape(lengths, samples, data):
    pieces = [np.random.default_rng(n).integers(-9, 9, n).astype(np.int16) for n in lengths]
    whole = material(pieces, [str(i) for i in range(len(pieces))])
    tape = Tape.of(whole, samples)
    group = data.draw(st.integers(0, len(lengths) - 1))
    first = data.draw(st.integers(0, lengths[group] - 1))
    row, shift = tape.find(group, first)
    assert shift >= 1, "interpolation reads the sample before"
    voice = tape.rows[row : row + tape.reach].reshape(-1)[shift - 1 :]
    assert len(voice) > samples
    expected = whole.take(group, first + lengths[group] - 1, samples + 1) * 32768
    np.testing.assert_array_equal(voice[: samples + 1], expected)


@untraced()
def test_the_loss_falls_as_it_does_on_scenes_from_the_host(sources, tmp_path):
    host, device = (
        TrainingRun(small_run(f"training.mixing={mixing}"), tmp_path, sources)
        for mixing in ("host", "device")
    )
    draws = device.desk.draws(EVERYTHING, 2, [5])
    spectra, targets = examples([sources.mix(*pair) for pair in draws], SMALL.signal)
    scenes = inputs_of(host.network, spectra, whole_scenes(2, 1, SMALL.signal)), targets
    whole = {"heard_whole": np.ones(2, np.float32)}
    losses = [
        [run.advance(*batch) for _ in range(4)]
        for run, batch in ((host, scenes), (device, (device.desk.numbers(draws) | whole, None)))
    ]
    for here, there in zip(*losses, strict=True):
        assert there == pytest.approx(here, rel=1e-3)
    assert losses[1][3]["loss"] < losses[1][1]["loss"] - 0.01


@untraced()
def test_a_run_begun_on_the_host_resumes_on_the_device(sources, tmp_path):
    begun = train(small_run(), sources, tmp_path).network.get_weights()
    again = train(small_run("schedule.steps=3", "training.mixing=device"), sources, tmp_path)
    assert again.step == 3
    moved = [np.abs(a - b).max() for a, b in zip(begun, again.network.get_weights(), strict=True)]
    assert 0 < max(moved) < 0.1, "a step from where the host stopped"
