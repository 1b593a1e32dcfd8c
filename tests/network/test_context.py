"""Context of linear attention: exact across chunks, equal in training scenes, unaffected by silence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from dss_cli.network import build, build_for_scenes, configuration, has_context  # noqa: E402
from dss_cli.network.build import build_carried  # noqa: E402
from dss_cli.network.config import Context  # noqa: E402
from dss_cli.network.context import NOTHING, SceneWeights  # noqa: E402
from dss_cli.separation.stft import compress  # noqa: E402
from tests.helpers.short_runs import untraced  # noqa: E402

ENDLESS = Context(half_life=1e12, loudness_half_life=1e12)
TOY = replace(configuration("toy"), context=ENDLESS)
FRAMES = TOY.signal.frames


def shaken(network, seed=0):
    rng = np.random.default_rng(seed)
    network.set_weights([w + 0.2 * rng.standard_normal(w.shape) for w in network.get_weights()])
    return network


def sound(chunks, seed=0, level=1.0):
    """Return compressed spectra of noise (chunks, FRAMES, 256, 3)."""
    rng = np.random.default_rng(seed)
    real, imaginary = level * rng.standard_normal((2, chunks, FRAMES, 256))
    return compress((real + 1j * imaginary).astype(np.complex64), TOY.signal.exponent)


def fresh(network):
    return {n: np.zeros(t.shape, np.float32) for n, t in network.input.items() if n != "mixture"}


def carried(network, chunks, state=None):
    """Return near of consecutive chunks, and the final state."""
    state = fresh(network) if state is None else state
    near = []
    for chunk in chunks:
        outputs = network.predict_on_batch({"mixture": chunk[None], **state})
        state = {name: np.asarray(outputs[name]) for name in state}
        near.append(np.asarray(outputs["near"])[0])
    return np.array(near), state


@pytest.fixture(scope="module")
def networks():
    """Three networks with equal weights: without context, with carried context, over scenes."""
    made = build_carried(TOY)
    alone, scenes = build(TOY, batch=1), build_for_scenes(TOY)
    shaken(made.separate)
    for other in (alone, scenes):
        other.set_weights(made.separate.get_weights())
    return alone, made, scenes


def test_the_first_chunk_is_decided_as_if_it_were_alone_to_the_last_bit(networks):
    alone, made, _ = networks
    chunk = sound(1)
    near, _ = carried(made.separate, chunk)
    np.testing.assert_array_equal(near, alone.predict_on_batch(chunk)["near"])


def test_later_chunks_are_decided_within_what_was_heard(networks):
    alone, made, _ = networks
    chunks = sound(3)
    near, _ = carried(made.separate, chunks)
    by_themselves = np.array([alone.predict_on_batch(chunk[None])["near"][0] for chunk in chunks])
    assert np.abs(near[1:] - by_themselves[1:]).max() > 1e-3


def test_listening_leaves_the_state_that_separating_leaves(networks):
    _, made, _ = networks
    chunks = sound(2)
    _, separated = carried(made.separate, chunks)
    state = fresh(made.listen)
    for chunk in chunks:
        state = {
            n: np.asarray(v)
            for n, v in made.listen.predict_on_batch({"mixture": chunk[None], **state}).items()
        }
    assert state.keys() == separated.keys() and all(len(value.shape) == 4 for value in state.values())
    for name in state:
        np.testing.assert_allclose(np.asarray(state[name]), separated[name], rtol=1e-5, atol=1e-5)


def test_a_mean_carried_over_chunks_is_the_mean_of_all_frames():
    """Two chunks of the same sound give the context of one with twice the weight (closed form)."""
    made = build_carried(TOY)
    shaken(made.separate)
    chunk = sound(1)
    once, twice = (
        carried(made.separate, np.repeat(chunk, n, axis=0))[1]["block1_time_attention"] for n in (1, 2)
    )
    width = once.shape[2]
    for first in range(0, once.shape[3], width + 1):
        mean, weight = (slice(first, first + width), slice(first + width, first + width + 1))
        np.testing.assert_allclose(twice[..., mean], once[..., mean], atol=1e-5)
        np.testing.assert_allclose(twice[..., weight] - once[..., weight], np.log(2), atol=1e-4)


def test_training_over_scenes_is_inference_chunk_by_chunk(networks):
    _, made, scenes = networks
    chunks = sound(4)
    chunks[1] *= 0.05  # nearly silent compared with the others
    chunks[3] *= 4.0  # louder than all before, which then count less
    near, _ = carried(made.separate, chunks)
    found = scenes.predict_on_batch({"scenes": chunks[None], "whole": np.zeros(1, np.float32)})
    np.testing.assert_allclose(found["near"], near, atol=2e-5)


def test_chunks_that_see_the_whole_scene_do_not_depend_on_their_order(networks):
    _, _, scenes = networks
    chunks, whole = sound(4), np.ones(1, np.float32)
    found = scenes.predict_on_batch({"scenes": chunks[None], "whole": whole})["near"]
    turned = scenes.predict_on_batch({"scenes": chunks[None, ::-1], "whole": whole})["near"]
    np.testing.assert_allclose(found, turned[::-1], atol=2e-5)


def test_scenes_of_a_batch_do_not_hear_each_other(networks):
    _, _, scenes = networks
    chunks, past = sound(4), np.zeros(2, np.float32)
    both = scenes.predict_on_batch({"scenes": chunks.reshape(2, 2, FRAMES, 256, 3), "whole": past})["near"]
    second = scenes.predict_on_batch({"scenes": chunks[None, 2:], "whole": past[:1]})["near"]
    np.testing.assert_allclose(both[2:], second, atol=2e-5)


@pytest.mark.parametrize("parts", [3, 5])
def test_scenes_are_cut_into_chunks_of_any_length(networks, parts):
    _, _, scenes = networks
    cut = sound(2).reshape(1, 2 * parts, FRAMES // parts, 256, 3)
    found = scenes.predict_on_batch({"scenes": cut, "whole": np.zeros(1, np.float32)})["near"]
    assert found.shape == (2, FRAMES, 256, 2) and np.isfinite(found).all()


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_silence_in_front_changes_nothing(networks, level):
    """Neither digital silence nor noise at -80 dB counts as soon as somebody speaks."""
    _, made, _ = networks
    speech = sound(2)
    silence = sound(5, seed=1, level=level)
    near, _ = carried(made.separate, np.concatenate([silence, speech]))
    expected, _ = carried(made.separate, speech)
    np.testing.assert_allclose(near[5:], expected, atol=1e-4)


def test_soft_speech_counts_again_some_time_after_a_loud_sound():
    """The loudest recent frame decays to half per chunk here; faint is less than 0.3 of it."""
    seconds = TOY.signal.chunk_seconds
    weights = SceneWeights(Context(recent_half_life=seconds, loudness_half_life=1e12), seconds / FRAMES)
    scenes = np.full((1, 4, FRAMES, 256, 3), 0.1, np.float32)
    scenes[:, 0] = 1.0
    silence = np.asarray(weights(scenes)[0])[:, 0, 0, 0]
    audible = [1.0, 0.1 / (0.5 * 0.3), 1.0, 1.0]
    np.testing.assert_allclose(silence, [-NOTHING * (1 - share) for share in audible], atol=1e-3)


def test_silence_behind_forgets_nothing(networks):
    _, made, _ = networks
    chunks = sound(3)
    quiet = np.concatenate([chunks[:2], np.zeros((20, FRAMES, 256, 3), np.float32), chunks[2:]])
    near, _ = carried(made.separate, quiet)
    expected, _ = carried(made.separate, chunks)
    np.testing.assert_allclose(near[-1], expected[-1], atol=1e-4)


def test_old_context_fades_by_half_with_each_half_life_of_speech():
    seconds = TOY.signal.chunk_seconds
    made = build_carried(replace(TOY, context=Context(half_life=10 * seconds, loudness_half_life=1e12)))
    shaken(made.separate)
    endless = build_carried(TOY)
    endless.separate.set_weights(made.separate.get_weights())
    chunks = np.repeat(sound(1), 11, axis=0)
    weights = [carried(form.separate, chunks)[1]["block1_time_attention"] for form in (made, endless)]
    width = weights[0].shape[2]
    fading, whole = (w[..., width : width + 1] + NOTHING for w in weights)
    # The same chunk eleven times: 11 in all, or the sum of 2^(-age / 10).
    expected = np.log(sum(2 ** (-age / 10) for age in range(11)) / 11)
    np.testing.assert_allclose(fading - whole, expected, atol=1e-3)


@untraced()
def test_the_gate_of_frames_begins_without_a_say_and_learns():
    network = build_for_scenes(TOY)
    gates = [layer for layer in network.layers if layer.name.endswith("_attention_gate")]
    assert len(gates) == TOY.blocks + TOY.zoom.blocks
    assert all(not np.any(w) for layer in gates for w in layer.get_weights())
    network.compile("sgd", loss={"near": "mse", "far": "mse"})
    target = {stem: sound(2, seed=3)[..., 1:] for stem in ("near", "far")}
    shaken(network)
    before = [w.copy() for layer in gates for w in layer.get_weights()]
    network.train_on_batch({"scenes": sound(2)[None], "whole": np.zeros(1, np.float32)}, target)
    after = [w for layer in gates for w in layer.get_weights()]
    assert any(np.abs(a - b).max() > 0 for a, b in zip(after, before, strict=True))


def test_only_linear_attention_carries_context():
    assert has_context(configuration("lite")) and has_context(configuration("base"))
    assert not has_context(configuration("quadratic")) and not has_context(configuration("blstm"))
    assert not has_context(replace(configuration("lite"), context=None))
    with pytest.raises(ValueError, match=r"no context is carried by .*quadratic attention"):
        build_for_scenes(configuration("quadratic"))
