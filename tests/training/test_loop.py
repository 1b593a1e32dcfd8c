"""Training: batches by seed, loss, schedule, and a run that stops and resumes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers import short_runs
from tests.helpers.short_runs import SETTINGS, SIGNAL, toy_run, untraced

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
pytest.importorskip("pyroomacoustics")

from dss_cli.errors import DssError  # noqa: E402
from dss_cli.metrics import si_sdr  # noqa: E402
from dss_cli.network import build, configuration  # noqa: E402
from dss_cli.separation.stft import compress  # noqa: E402
from dss_cli.simulation.recipe import Recipe  # noqa: E402
from dss_cli.training.config import DataConfig, MachineConfig, read_config  # noqa: E402
from dss_cli.training.cut import inputs_of, whole_scenes  # noqa: E402
from dss_cli.training.data import examples, spectra  # noqa: E402
from dss_cli.training.device_batches import Desk  # noqa: E402
from dss_cli.training.loop import TrainingRun, train  # noqa: E402
from dss_cli.training.losses import separation_loss  # noqa: E402
from dss_cli.training.optimiser import ConvolutionMuon  # noqa: E402
from dss_cli.training.run import log_line  # noqa: E402
from dss_cli.training.schedule import WarmHoldCosine  # noqa: E402
from dss_cli.training.validation import Validation  # noqa: E402

sources = short_runs.sources
EASY, WIDER, ALL, CONVERSATIONS = read_config("toy").stages


def batch(sources, recipe, size, seed):
    return examples([sources.mix(*drawn) for drawn in sources.draws(recipe, SIGNAL, size, seed)], SIGNAL)


def test_a_batch_is_a_function_of_its_seed(sources):
    inputs, targets = batch(sources, ALL, 3, [1, 7])
    again, targets_again = batch(sources, ALL, 3, [1, 7])
    np.testing.assert_array_equal(inputs, again)
    np.testing.assert_array_equal(targets["far"], targets_again["far"])
    assert not np.array_equal(inputs, batch(sources, ALL, 3, [1, 8])[0])


def test_a_target_carries_reference_and_mixture(sources):
    inputs, targets = batch(sources, EASY, 2, [3, 0])
    assert inputs.shape == (2, SIGNAL.frames, 256, 3)
    assert inputs.dtype == targets["near"].dtype == np.float32
    mixture = targets["near"][..., 2] + 1j * targets["near"][..., 3]
    np.testing.assert_allclose(inputs[..., 0], np.abs(mixture) ** 0.3, rtol=1e-4)
    np.testing.assert_array_equal(targets["near"][..., 2:], targets["far"][..., 2:])


def test_spectra_are_windowed_frames():
    samples = np.random.default_rng(0).standard_normal(512 + 3 * 256).astype(np.float32)
    frames = spectra(samples, SIGNAL)
    window = np.sqrt(np.hanning(513)[:-1])
    np.testing.assert_allclose(frames[2], np.fft.rfft(samples[512:1024] * window)[:256], atol=1e-3)


def linear(shape, seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def loss_of(estimate, reference, mixture):
    target = np.stack([reference.real, reference.imag, mixture.real, mixture.imag], -1)
    squeezed = compress(estimate.astype(np.complex64), 0.3)[..., 1:]
    return np.asarray(separation_loss(0.3)(target.astype(np.float32), squeezed))


def test_the_loss_ranks_estimates_and_is_safe_for_silence():
    near, far = linear((2, 5, 256), 1), 0.3 * linear((2, 5, 256), 2)
    mixture, silence = near + far, np.zeros_like(near)
    for reference, other in ((near, far), (far, near)):
        perfect, half = loss_of(reference, reference, mixture), loss_of(0.5 * mixture, reference, mixture)
        close = loss_of(reference + 0.1 * other, reference, mixture)
        assert np.all(perfect < close) and np.all(close < half)
        assert np.all(half < loss_of(other, reference, mixture))
        assert np.all(close < loss_of(silence, reference, mixture)), "nothing is gained by silence"
    quiet = [loss_of(g * mixture, silence, mixture) for g in (0.0, 0.01, 0.1, 1.0)]
    assert np.all(np.diff(quiet, axis=0) > 0)
    assert np.all(np.isfinite(quiet))


def test_the_loss_falls_one_per_ten_decibels_of_si_sdr():
    near, noise = linear((1, 40, 256), 1), linear((1, 40, 256), 2)
    only_ratio = separation_loss(0.3, compressed=0.0)
    values = []
    for level in (1.0, 0.1**0.5):  # 10 dB apart
        target = np.stack([near.real, near.imag, near.real, near.imag], -1).astype(np.float32)
        estimate = compress((near + level * noise).astype(np.complex64), 0.3)[..., 1:]
        values.append(float(only_ratio(target, estimate)[0]))
    assert values[0] - values[1] == pytest.approx(1.0, abs=0.03)  # the floors soften both ends


def test_the_learning_rate_rises_holds_and_falls():
    rate = WarmHoldCosine(1.0, 10, 50, 100, floor=0.1)
    np.testing.assert_allclose(
        [float(rate(s)) for s in (0, 5, 10, 50, 75, 100, 200)], [0, 0.5, 1, 1, 0.55, 0.1, 0.1], rtol=1e-5
    )


def test_the_curriculum_widens_at_its_steps():
    config = toy_run("curriculum.begins=[0, 10, 20, 30]", "schedule.steps=20", "schedule.hold=0")
    at = [config.scenes_at(step) for step in (0, 9, 10, 19, 20, 29, 30)]
    assert at == [EASY, EASY, WIDER, WIDER, ALL, ALL, CONVERSATIONS]
    assert config.reached == [EASY, WIDER], "the run ends before the third begins"
    assert toy_run("curriculum.begins=[0, 0, 0, 0]").reached == [CONVERSATIONS]


@pytest.mark.parametrize("seconds", [6, 12, 24])
def test_scenes_of_any_length_are_a_function_of_their_seed(sources, seconds):
    once, again = (sources.draws(CONVERSATIONS, SIGNAL, 3, [1, 2], length=16_000 * seconds) for _ in range(2))
    for one, other in zip(once, again, strict=True):
        scenes = [sources.mix(*pair) for pair in (one, other)]
        assert len(scenes[0].mixture) == 16_000 * seconds
        np.testing.assert_array_equal(scenes[0].mixture, scenes[1].mixture)


def until(step):
    """Return the settings of a run that ends at a step."""
    return replace(SETTINGS, schedule=replace(SETTINGS.schedule, steps=step, hold=step))


@pytest.fixture(scope="module")
@untraced()
def stopped(sources, tmp_path_factory):
    """Run of three steps, and its folder."""
    folder = tmp_path_factory.mktemp("stopped")
    return train(until(3), sources, folder), folder


@pytest.mark.slow
@untraced()
def test_a_resumed_run_ends_where_an_unbroken_one_does(sources, stopped, tmp_path):
    whole = train(SETTINGS, sources, tmp_path / "whole")
    # The schedule of the stopped run ends at step 3, but up to this step both schedules are equal.
    parts = tmp_path / "parts"
    shutil.copytree(stopped[1], parts)
    resumed = train(replace(SETTINGS, machine=MachineConfig(mixers=3)), sources, parts)
    assert whole.step == resumed.step == 6
    for one, other in zip(whole.network.get_weights(), resumed.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(whole.average, resumed.average, strict=True):
        np.testing.assert_array_equal(one, other)
    rows = [json.loads(line) for line in (parts / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [3, 6]


def test_validation_scores_the_fresh_network_as_the_mixture(sources):
    validation = Validation.draw(sources, configuration("toy"), 2, seed=4)
    scores = validation.score(build("toy"))
    both = scores["indoor 1N+1F 20 dB"]
    assert both["near_si_sdri"] == pytest.approx(0, abs=0.1)  # half of the mixture gives no improvement
    assert both["far_si_sdri"] == pytest.approx(0, abs=0.1)
    assert scores["indoor near-only"]["far_attenuation"] == pytest.approx(6.02, abs=0.1)
    assert "near_si_sdr" not in scores["indoor far-only"]


def test_a_checkpoint_of_another_configuration_is_refused(stopped):
    other = replace(configuration("toy"), channels=16)
    with pytest.raises(DssError, match="from another configuration"):
        TrainingRun(replace(SETTINGS, network=other), stopped[1])


def test_the_share_of_outdoor_scenes_is_that_of_the_stage(sources):
    desk = Desk(sources, SIGNAL)
    for outdoor in (0.0, 1.0):
        stages = tuple(replace(stage, outdoor=outdoor) for stage in SETTINGS.stages)
        numbers = desk.numbers(desk.draws(replace(SETTINGS, stages=stages).scenes_at(9), 8, [9]))
        places = numbers["response"][numbers["level"] > 0] // 7
        assert (sources.bank.outdoor[places] == outdoor).all()


def test_outdoor_scenes_have_kinds_of_their_own(sources):
    recipe = Recipe(kinds={"near-only": 1.0}, outdoor_kinds={"far-only": 1.0}, outdoor=0.5)
    drawn = sources.draws(recipe, SIGNAL, 40, [9])
    assert {(sources.bank.outdoor[place], scene.kind) for place, scene in drawn} == {
        (False, "near-only"),
        (True, "far-only"),
    }


def test_a_new_run_begins_with_given_weights(stopped, tmp_path):
    run, _ = stopped
    path = tmp_path / "toy.weights.h5"
    run.averaged().save_weights(path)
    config = replace(SETTINGS, data=DataConfig(weights=path))
    begun = TrainingRun(config, tmp_path / "new")
    assert begun.step == 0
    for one, other in zip(begun.network.get_weights(), run.average, strict=True):
        np.testing.assert_array_equal(one, other)
    path.write_bytes(b"no weights")
    with pytest.raises(DssError, match=r"toy.weights.h5: not weights"):
        TrainingRun(config, tmp_path / "new")


@untraced()
def test_layers_begun_afresh_and_left_out_are_told(sources, tmp_path):
    path, told = tmp_path / "other.weights.h5", []
    build(replace(configuration("toy"), fine=0, blocks=3)).save_weights(path)
    config = replace(until(1), data=DataConfig(weights=path))
    train(config, sources, tmp_path / "run", report=told.append)
    line = log_line(told[0])
    assert (
        f"layers with new weights: {', '.join(told[0]['fresh'][:3])} and {len(told[0]['fresh']) - 3} more"
        in line
    )
    assert ", layers left out: block3_" in line
    assert all(name.startswith("block3") for name in told[0]["left"])


@untraced()
def test_a_loss_that_is_not_a_number_stops_and_keeps_the_last_checkpoint(sources, stopped):
    run, folder = stopped
    kept = (folder / "checkpoint.npz").read_bytes()
    inputs, targets = batch(sources, ALL, 2, [0, 0])
    with pytest.raises(DssError, match=r"loss is nan at step 3"):
        run.advance(inputs_of(run.network, inputs * np.nan, whole_scenes(2, 1, SIGNAL)), targets)
    assert (folder / "checkpoint.npz").read_bytes() == kept


def test_muon_turns_the_matrices_and_adam_the_rest():
    network = build("toy")
    optimiser = ConvolutionMuon(1e-3)
    optimiser.build(network.trainable_variables)
    matrices = {v.path for v in network.trainable_variables if not optimiser._should_use_adamw(v)}
    assert "block1_time_attention_qkv/kernel" in matrices
    assert not any("bias" in path or "filter" in path or "bands" in path for path in matrices)
    update = optimiser.zeropower_via_newtonschulz5(
        keras.random.normal((1, 1, 8, 24), seed=1), optimiser.ns_steps
    )
    singular = np.linalg.svd(np.asarray(update)[0, 0], compute_uv=False)
    assert np.all((singular > 0.5) & (singular < 1.5)), "all directions move alike"


@pytest.mark.slow
def test_lite_overfits_one_hard_batch(sources):
    """A network that cannot memorise two reverberant scenes cannot learn the task."""
    config = configuration("lite")
    config = replace(config, signal=replace(config.signal, frames=32))
    recipe = Recipe(
        {"1N+1F": 1.0}, outdoor=0.0, clean=0.0, snr=(20.0, 20.0), balanced=1.0, balance=(0.0, 6.0)
    )
    keras.utils.set_random_seed(1)
    network = build(config)
    network.compile(
        ConvolutionMuon(WarmHoldCosine(3e-3, 10, 40, 60), global_clipnorm=1.0),
        loss=dict.fromkeys(("near", "far"), separation_loss(0.3)),
        jit_compile=False,
    )
    signal = config.signal
    length = (signal.frames - 1) * signal.hop + signal.window
    scenes = [sources.scene(np.random.default_rng([9, i]), recipe, length) for i in range(2)]
    mixture, near, far = (
        spectra(np.stack([getattr(s, part) for s in scenes]), signal) for part in ("mixture", "near", "far")
    )
    inputs = compress(mixture, 0.3)
    targets = {
        name: np.stack([r.real, r.imag, mixture.real, mixture.imag], -1)
        for name, r in (("near", near), ("far", far))
    }
    for _ in range(60):
        network.train_on_batch(inputs, targets)
    scores = Validation(signal, {"batch": scenes}).score(network)["batch"]
    assert (scores["near_si_sdri"] + scores["far_si_sdri"]) / 2 > 10.0, scores
    assert si_sdr(scenes[0].mixture, scenes[0].near) < 15.0, "the batch was not hard"
