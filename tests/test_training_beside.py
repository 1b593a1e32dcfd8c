"""What training asks beside the two outputs: mixture consistency, and heads for distance and talker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import test_training
from test_training import SETTINGS, SIGNAL, untraced

keras = pytest.importorskip("keras")

from dss_cli.errors import DssError, UsageError  # noqa: E402
from dss_cli.network import build, configuration  # noqa: E402
from dss_cli.simulation.scenes import Recipe  # noqa: E402
from dss_cli.training.beside import Beside, distance_loss, sum_loss, voice_loss  # noqa: E402
from dss_cli.training.data import examples  # noqa: E402
from dss_cli.training.loop import Run, train  # noqa: E402

sources = test_training.sources
EVERYTHING = Beside(consistency=0.5, talker=0.3)


def drawn(sources, kind, size=3, **changes):
    """Draws of one kind of scene, and their targets."""
    draws = sources.draws(Recipe({kind: 1.0}, **changes), SIGNAL, size, [3])
    return draws, examples([sources.mix(*pair) for pair in draws], SIGNAL)[1]


def test_labels_are_the_talkers_that_were_drawn(sources):
    draws, _ = drawn(sources, "1N+1F")
    labels = sources.labels(draws)
    for (place, draw), metres, voice in zip(draws, labels["metres"], labels["voice"], strict=True):
        near, far = draw.voices
        assert voice.tolist() == [near.speaker, far.speaker]
        distances = sources.bank.distances[place]
        assert metres.tolist() == [distances[near.response], distances[3 + far.response]]
        assert metres[0] < 0.8 + 1e-3 and metres[1] > 1.2 - 1e-3


def test_nobody_and_a_crowd_have_no_label(sources):
    for kind, known in (("far-only", [False, True]), ("near-only", [True, False]), ("1N+4F", [True, False])):
        labels = sources.labels(drawn(sources, kind)[0])
        assert ((labels["metres"] > 0) == known).all()
        assert ((labels["voice"] >= 0) == known).all()


def test_a_distance_counts_where_the_talker_is_heard(sources):
    draws, targets = drawn(sources, "turns")
    completed = EVERYTHING.complete(targets, sources.labels(draws), np)
    metres, heard = np.split(completed["distance"], 2, axis=-1)
    np.testing.assert_allclose(2 ** metres[:, 0], sources.labels(draws)["metres"], rtol=1e-5)
    level = np.square(targets["near"][..., :2]).sum((2, 3))
    assert (heard[..., 0] == (level > 1e-3 * level.max(1, keepdims=True))).all()
    assert 0 < heard.mean() < 1, "somebody speaks, and not all the time"


def test_targets_that_nobody_asked_for_are_left_out(sources):
    draws, targets = drawn(sources, "1N+1F")
    assert Beside().complete(targets, sources.labels(draws), np).keys() == {"near", "far"}
    assert Beside().extend(network := build("toy"), configuration("toy"), 6) is network


def compressed(spectrum):
    return spectrum * (np.square(spectrum).sum(-1, keepdims=True) + 1e-12) ** (-0.35)


def test_consistency_is_of_the_sum_whoever_has_what(sources):
    targets = drawn(sources, "1N+1F")[1]
    target = Beside(consistency=1.0).complete(targets, {}, np)["sum"]
    near, far = (targets[stem][..., :2] for stem in ("near", "far"))

    def loss(*estimates):
        parts = np.concatenate([compressed(e) for e in estimates], axis=-1).astype(np.float32)
        return keras.ops.convert_to_numpy(sum_loss(0.3)(target, parts))

    nothing = 0 * near
    assert loss(nothing, nothing) == pytest.approx(0, abs=0.01), "all of the talkers is missing"
    assert (loss(near, far) < -2).all(), "nothing is"
    assert loss(far, near) == pytest.approx(loss(near, far), abs=0.05), "a swap is no matter of the sum"
    assert loss(0.9 * near, 0.9 * far) == pytest.approx(-2, abs=0.1), "20 dB less error is 2 less"


def test_the_losses_of_the_heads():
    exact = np.ones((2, 5, 2), np.float32)
    heard = np.zeros((2, 5, 2), np.float32)
    heard[0, :4] = 1
    losses = keras.ops.convert_to_numpy(distance_loss(np.concatenate([exact, heard], -1), exact - 0.5))
    assert losses == pytest.approx([0.5 * 8 / 9, 0]), "0.5 off wherever there is a distance"
    logits = np.zeros((2, 2, 4), np.float32)
    logits[:, :, 1] = 50
    voices = np.array([[1, 2], [-1, -1]])
    assert keras.ops.convert_to_numpy(voice_loss(voices, logits)) == pytest.approx([25, 0])


@pytest.mark.parametrize("mixing", ["host", "device"])
def test_heads_learn_resume_and_stay_out_of_the_network(sources, tmp_path, mixing):
    settings = replace(
        SETTINGS, consistency=0.5, talker=3.0, outdoor=1.0, mixing=mixing, total=3, peak=2e-2, save_every=1
    )
    told = []
    with untraced():
        run = train(settings, sources, tmp_path, report=told.append)
        resumed = Run(replace(settings, total=4), tmp_path, sources=sources)
    assert {"sum_loss", "distance_loss", "voice_loss"} < told[-1].keys()
    assert resumed.step == 3
    heads = [keras.ops.convert_to_numpy(v) for v in resumed._head_variables()]
    assert len(heads) == 12
    for here, there in zip(heads, run._heads(), strict=True):
        np.testing.assert_array_equal(here, there)
    fresh = Run(settings, tmp_path / "fresh", sources=sources)
    assert any(np.any(a != b) for a, b in zip(heads, fresh._heads(), strict=True)), "they have moved"
    assert [w.path for w in run.averaged().weights] == [w.path for w in build("toy").weights]
    with pytest.raises(
        DssError, match=r"checkpoint\.npz: from another configuration than 'toy', or other heads"
    ):
        Run(replace(settings, talker=0.0), tmp_path, sources=sources)


def test_a_share_of_outdoor_scenes_goes_before_the_recipes(sources, tmp_path):
    for outdoor in (0.0, 1.0):
        run = Run(replace(SETTINGS, outdoor=outdoor, mixing="device"), tmp_path, sources=sources)
        numbers, _ = run.batch(sources, 9)
        places = numbers["response"][numbers["level"] > 0] // 7
        assert (sources.bank.outdoor[places] == outdoor).all()


def test_a_network_without_decoders_tells_no_talkers():
    config = replace(configuration("blstm"), depth=1, units=4)
    with pytest.raises(UsageError, match=r"1 bidirectional LSTM layers.* leave --talker out"):
        Beside(talker=1.0).extend(build(config), config, 5)
