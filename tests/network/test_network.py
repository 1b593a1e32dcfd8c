"""Keras network: shapes, initial outputs, attention, compliance with the GPU rules."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from dss_cli.errors import DssError, UsageError  # noqa: E402
from dss_cli.network import CONFIGURATIONS, TwoStageConfig, build, configuration  # noqa: E402
from dss_cli.network.attention import attention  # noqa: E402
from dss_cli.network.count import macs, macs_per_second  # noqa: E402
from dss_cli.network.layers import Depthwise, rotate  # noqa: E402
from dss_cli.network.weights import begin_with  # noqa: E402
from tests.helpers.short_runs import untraced  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def eager():
    """Run each network without a graph: tracing takes longer than the few runs of each network."""
    with untraced():
        yield


@functools.cache
def fresh(name):
    """Return a new network that several tests read, and none changes."""
    return build(name)


def spectrum(config, batch=2, seed=0):
    shape = (batch, config.signal.frames, config.signal.bins, 3)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("name", [name for name, config in CONFIGURATIONS.items() if config.for_gpu])
def test_every_tensor_has_at_most_four_axes_and_the_batch_never_moves(name):
    network = fresh(name)
    for operation in network.operations:
        assert "Reshape" not in type(operation).__name__
        for tensor in [*operation._inbound_nodes[0].output_tensors]:
            assert len(tensor.shape) <= 4
            assert tensor.shape[0] is None, operation.name


@pytest.mark.parametrize("name", ["lite", "toy"])
def test_a_fresh_network_gives_half_of_the_mixture_to_each_output(name):
    config = configuration(name)
    mixture = spectrum(config, batch=1)
    for estimate in fresh(name).predict_on_batch(mixture).values():
        np.testing.assert_allclose(estimate, mixture[..., 1:] * 0.5**config.signal.exponent, rtol=1e-5)


def test_the_outputs_have_the_shape_of_the_spectrum():
    config = configuration("toy")
    outputs = fresh("toy").predict_on_batch(spectrum(config))
    assert set(outputs) == {"near", "far"}
    assert {v.shape for v in outputs.values()} == {(2, config.signal.frames, 256, 2)}


@pytest.mark.parametrize("kernel", [(1, 7), (3, 3)])
def test_a_filter_is_trained_as_it_is_used(kernel):
    tf = pytest.importorskip("tensorflow")
    layer = Depthwise(kernel, padding="same")
    rng = np.random.default_rng(4)
    x = tf.constant(rng.standard_normal((2, 5, 9, 4)), tf.float32)
    layer.build(x.shape)
    layer.bias.assign(rng.standard_normal(4))
    weights = [v.value for v in layer.trainable_variables]
    results = []
    for training in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
            total = tf.reduce_sum(y**3)
        results.append([y, *tape.gradient(total, [x, *weights])])
    for used, trained in zip(*results, strict=True):
        np.testing.assert_allclose(trained, used, rtol=1e-4, atol=1e-4)


def test_the_near_decoder_does_not_hear_the_later_blocks():
    config = replace(configuration("toy"), zoom=None)  # the zoom depends on the last block
    mixture = spectrum(config)
    network = build(config)
    rng = np.random.default_rng(3)
    for weight in network.weights:
        weight.assign(rng.normal(0, 0.2, weight.shape))
    before = network.predict_on_batch(mixture)
    for weight in network.weights:
        if weight.path.startswith("block2"):
            weight.assign(rng.normal(0, 0.2, weight.shape))
    after = network.predict_on_batch(mixture)
    np.testing.assert_array_equal(before["near"], after["near"])
    assert not np.allclose(before["far"], after["far"])


@pytest.mark.parametrize("kind", ["linear", "quadratic"])
def test_attention_is_the_published_formula(kind):
    config = replace(configuration("toy"), channels=12, heads=3, attention=kind)
    tokens = keras.Input((5, 7, 12))
    layer = keras.Model(tokens, attention(tokens, config, "a"))
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    x = rng.standard_normal((2, 5, 7, 12)).astype(np.float32)

    merged = x @ layer.get_layer("a_qkv").kernel.numpy()[0, 0]
    query, key, value = np.split(merged, 3, axis=-1)
    heads = []
    for q, k, v in zip(*(np.split(p, 3, axis=-1) for p in (query, key, value)), strict=True):
        # Linear attention in the quadratic form of the same product; sqrt(d), d = 4.
        if kind == "linear":
            scores = products(softmax(turned(q), -1), softmax(turned(k), -2)) / 2.0
        else:
            scores = softmax(products(turned(q), turned(k)) / 2.0, -1)
        heads.append(scores @ v)
    out = layer.get_layer("a_out")
    expected = np.concatenate(heads, -1) @ out.kernel.numpy()[0, 0] + out.bias.numpy()
    np.testing.assert_allclose(layer.predict_on_batch(x), expected, rtol=1e-4, atol=1e-6)


def products(q, k):
    return np.einsum("brqc,brkc->brqk", q, k)


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def turned(x):
    """Return the rotary embedding by complex numbers: pair i turns by position * 10000^(-i / pairs)."""
    pairs = x.shape[-1] // 2
    angles = np.arange(x.shape[-2])[:, None] * 10_000.0 ** (-np.arange(pairs) / pairs)
    z = (x[..., :pairs] + 1j * x[..., pairs:]) * np.exp(1j * angles)
    return np.concatenate([z.real, z.imag], -1)


def test_rotary_products_depend_on_the_distance_of_positions_alone():
    rng = np.random.default_rng(2)
    q, k = (np.tile(rng.standard_normal((1, 1, 1, 8)), (1, 1, 40, 1)).astype(np.float32) for _ in range(2))
    products = (np.asarray(rotate(q)) @ np.swapaxes(np.asarray(rotate(k)), -1, -2))[0, 0]
    for distance in (-7, 0, 3, 20):
        diagonal = np.diagonal(products, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], atol=1e-4)
    assert np.ptp(products[0]) > 0.1


def test_lite_stays_within_its_budget():
    config, network = configuration("lite"), fresh("lite")
    assert macs_per_second(network, config) <= 1e9
    assert network.count_params() <= 500_000


def test_macs_are_counted_as_by_hand():
    tokens = keras.Input((10, 16, 4))
    x = keras.layers.Conv2D(6, (3, 5), strides=(1, 2), padding="same")(tokens)  # 10 * 8 * 6 * 3 * 5 * 4
    x = keras.layers.DepthwiseConv2D((1, 3), padding="same")(x)  # 10 * 8 * 6 * 3
    y = keras.layers.Conv2DTranspose(2, (1, 4), strides=(1, 2), padding="same")(x)  # 10 * 8 * 4 * 6 * 2
    z = keras.ops.matmul(y, keras.ops.transpose(y, (0, 1, 3, 2)))  # 10 * 16 * 16 * 2
    expected = 10 * 8 * 6 * 60 + 10 * 8 * 6 * 3 + 10 * 8 * 4 * 12 + 10 * 16 * 16 * 2
    assert macs(keras.Model(tokens, z)) == expected


def test_an_unknown_configuration_names_those_that_exist():
    with pytest.raises(UsageError, match=r"'huge': name a \.toml file, or one of base, blstm, lite"):
        configuration("huge")


def shaken(network, seed=5):
    rng = np.random.default_rng(seed)
    for weight in network.weights:
        weight.assign(weight.numpy() + rng.normal(0, 0.1, weight.shape))
    return network


def test_layers_that_the_weights_lack_begin_without_changing_what_is_computed(tmp_path):
    config, path = configuration("toy"), tmp_path / "coarse.weights.h5"
    coarse = shaken(build(replace(config, fine=0)))  # this network has the zoom
    coarse.save_weights(path)
    network = build(config)
    beginning = begin_with(network, path, "toy")
    assert not beginning.left
    assert {"fine_bins", "near_fine", "far_fine_out"} <= set(beginning.fresh)
    mixture = spectrum(config)
    expected = coarse.predict_on_batch(mixture)
    for name, estimate in network.predict_on_batch(mixture).items():
        np.testing.assert_allclose(estimate, expected[name], rtol=1e-5, atol=1e-6)


def test_layers_that_the_network_lacks_are_left_out_and_named(tmp_path):
    config, path = configuration("toy"), tmp_path / "fine.weights.h5"
    shaken(build(config)).save_weights(path)
    beginning = begin_with(build(replace(config, fine=0)), path, "toy")
    assert not beginning.fresh and "near_fine" in beginning.left


def test_weights_of_another_shape_are_refused_by_the_layer_that_differs(tmp_path):
    path = tmp_path / "other.weights.h5"
    build(replace(configuration("toy"), time_kernel=7)).save_weights(path)
    with pytest.raises(DssError, match=r"other.weights.h5: not weights .* block1_time_convolution_filter"):
        begin_with(build("toy"), path, "toy")


@pytest.mark.parametrize("name", [n for n, c in CONFIGURATIONS.items() if isinstance(c, TwoStageConfig)])
def test_bands_hold_every_bin_once(name):
    config = configuration(name)
    assert config.signal.bins % config.band_stride == 0
    if config.zoom is not None:
        assert config.zoom.bins % config.band_stride == config.band_stride % config.zoom.stride == 0


def test_without_tokens_a_bin_hears_its_neighbours_alone():
    """Without an effect of the tokens, only the fine path acts, which is 3 x 3 bins wide."""
    config = configuration("toy")
    network = shaken(build(config))
    for layer in network.layers:
        if layer.name.endswith(("_told", "_bins", "_zoom")) and layer.name.startswith(("near", "far")):
            layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    mixture = spectrum(config, batch=1)
    moved = mixture.copy()
    moved[0, 5, 100] += 1.0
    before, after = network.predict_on_batch(mixture), network.predict_on_batch(moved)
    for name in ("near", "far"):
        changed = np.argwhere(np.any(before[name] != after[name], axis=-1))[:, 1:]
        assert len(changed) == 9
        assert np.all(np.abs(changed - [5, 100]) <= 1)


def test_the_zoom_corrects_the_lowest_bins_alone():
    config = configuration("toy")
    network = shaken(build(config))
    mixture = spectrum(config, batch=1)
    before = network.predict_on_batch(mixture)
    for weight in network.weights:
        if weight.path.startswith("zoom"):
            weight.assign(weight.numpy() + 0.1)
    after = network.predict_on_batch(mixture)
    for name in ("near", "far"):
        changed = np.any(before[name] != after[name], axis=(0, 1, 3))
        assert np.all(changed[: config.zoom.bins])
        assert not np.any(changed[config.zoom.bins :])


def test_a_zoom_begins_without_a_say(tmp_path):
    config, path = configuration("toy"), tmp_path / "plain.weights.h5"
    plain = shaken(build(replace(config, zoom=None)))
    plain.save_weights(path)
    network = build(config)
    assert "zoom_bands" in begin_with(network, path, "toy").fresh
    mixture = spectrum(config)
    expected = plain.predict_on_batch(mixture)
    for name, estimate in network.predict_on_batch(mixture).items():
        np.testing.assert_allclose(estimate, expected[name], rtol=1e-5, atol=1e-6)
