"""Baselines of the literature, and switches of ablations."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

import dss_cli.network  # noqa: E402
from dss_cli.cli.configurations import configurations  # noqa: E402
from dss_cli.errors import DssError, ExitCode, UsageError  # noqa: E402
from dss_cli.network import RecurrentConfig, build, configuration, exportable  # noqa: E402
from dss_cli.network.attention import attention  # noqa: E402
from dss_cli.network.count import macs, macs_per_second  # noqa: E402
from dss_cli.network.weights import begin_with, load_weights  # noqa: E402

SMALL = replace(configuration("toy"), blocks=1, near_after=1, fine=0, zoom=None)
ZOOM = configuration("toy").zoom
RECURRENT = RecurrentConfig(signal=SMALL.signal, depth=2, units=5)


def spectrum(batch=1, seed=0):
    """Return a random compressed spectrum with consistent magnitude and complex parts."""
    shape = (batch, SMALL.signal.frames, SMALL.signal.bins, 2)
    parts = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return np.concatenate([np.linalg.norm(parts, axis=-1, keepdims=True), parts], axis=-1)


def shaken(network, seed=5, scale=0.2):
    rng = np.random.default_rng(seed)
    for weight in network.weights:
        weight.assign(weight.numpy() + rng.normal(0, scale, weight.shape))
    return network


def run(network, x):
    """Run a network eagerly, which is faster for one or two runs."""
    return keras.tree.map_structure(np.asarray, network(x))


def attending(config):
    tokens = keras.Input((2, 9, config.channels), name="tokens")
    return keras.Model(tokens, attention(tokens, config, "an_attention"))


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("kind", ["linear", "quadratic"])
def test_attention_knows_the_order_of_positions_by_the_rotary_embedding_alone(kind, rotary):
    layer = shaken(attending(replace(SMALL, attention=kind, rotary=rotary)), scale=0.7)
    rng = np.random.default_rng(1)
    x, order = rng.standard_normal((1, 2, 9, 8)).astype(np.float32), rng.permutation(9)
    moved, expected = run(layer, x[:, :, order]), run(layer, x)[:, :, order]
    assert np.allclose(moved, expected, rtol=1e-4, atol=1e-5) is not rotary


@pytest.mark.parametrize(
    ("fine", "zoom", "refinement"), [(0, None, False), (4, ZOOM, False), (0, None, True)]
)
def test_without_the_refinement_an_estimate_has_the_phase_of_the_mixture(fine, zoom, refinement):
    network = shaken(build(replace(SMALL, fine=fine, zoom=zoom, refinement=refinement)))
    mixture = spectrum()
    real, imaginary = mixture[..., 1], mixture[..., 2]
    for estimate in run(network, mixture).values():
        across = estimate[..., 0] * imaginary - estimate[..., 1] * real
        along = estimate[..., 0] * real + estimate[..., 1] * imaginary
        in_phase = (np.abs(across) <= 1e-5 * mixture[..., 0] ** 2) & (along > 0)
        assert np.all(in_phase) == (not refinement)


def test_only_the_attention_tells_quadratic_from_lite():
    lite = configuration("lite")
    assert configuration("quadratic") != lite
    assert replace(configuration("quadratic"), attention="linear") == lite


def test_either_attention_takes_the_weights_of_the_other():
    linear, quadratic = (attending(replace(SMALL, attention=kind)) for kind in ("linear", "quadratic"))
    assert [(w.path, w.shape) for w in linear.weights] == [(w.path, w.shape) for w in quadratic.weights]


def test_the_recurrent_baseline_keeps_the_contract():
    network = build(RECURRENT)
    mixture = spectrum(batch=2)
    assert network.input_shape == (None, *mixture.shape[1:])
    estimates = run(network, mixture)
    assert set(estimates) == {"near", "far"}
    for estimate in estimates.values():  # a new network gives half of the mixture to each output
        np.testing.assert_allclose(estimate, mixture[..., 1:] * 0.5**RECURRENT.signal.exponent, rtol=1e-5)
    mixture[..., 0] = 0  # the mask depends on the magnitudes and acts on the complex numbers
    assert not np.allclose(run(shaken(network), mixture)["near"], estimates["near"])


def test_the_recurrent_baseline_hears_the_past_and_the_future():
    network = shaken(build(RECURRENT))
    mixture = spectrum()
    frame = RECURRENT.signal.frames // 2
    moved = mixture.copy()
    moved[0, frame, :, 0] += 1.0
    before, after = run(network, mixture), run(network, moved)
    for stem in ("near", "far"):
        changed = np.any(before[stem] != after[stem], axis=(0, 2, 3))
        assert np.all(changed[frame - 2 : frame + 3])


def test_the_recurrent_baseline_is_counted_as_by_hand():
    network = build(RECURRENT)
    frames, bins, units = RECURRENT.signal.frames, RECURRENT.signal.bins, RECURRENT.units
    first, second = (2 * 4 * (inputs + units) * units for inputs in (bins, 2 * units))
    masks = 2 * (2 * units) * bins
    assert macs(network) == frames * (first + second + masks)
    assert network.count_params() == first + second + masks + 2 * 2 * 4 * units + 2 * bins


def test_the_published_width_stays_within_the_compute_of_lite():
    config = configuration("blstm")
    network = build(config)
    assert config.signal == configuration("lite").signal
    assert 0.8e9 < macs_per_second(network, config) <= 1e9
    assert network.count_params() == 14_042_112


def test_recurrent_weights_go_where_they_came_from(tmp_path):
    path = tmp_path / "blstm.weights.h5"
    trained = shaken(build(RECURRENT))
    trained.save_weights(path)
    loaded, begun = build(RECURRENT), build(RECURRENT)
    load_weights(loaded, path, "blstm")
    assert begin_with(begun, path, "blstm") == ([], [])
    for network in (loaded, begun):
        for one, other in zip(network.weights, trained.weights, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=one.path)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (SMALL, "it has none of its layers"),
        (replace(RECURRENT, units=4), "its layer blstm1/backward_lstm/lstm_cell has the shapes"),
        (
            replace(RECURRENT, depth=1),
            "it lacks blstm2/backward_lstm/lstm_cell, blstm2/forward_lstm/lstm_cell$",
        ),
        (replace(RECURRENT, depth=3), "it also holds blstm3/backward_lstm/lstm_cell, blstm3/forward_lstm"),
    ],
)
def test_other_weights_are_refused_by_the_layer_that_differs(tmp_path, other, reason):
    path = tmp_path / "other.weights.h5"
    build(other).save_weights(path)
    with pytest.raises(
        DssError, match=rf"other\.weights\.h5: not weights of configuration blstm: .*{reason}"
    ):
        load_weights(build(RECURRENT), path, "blstm")


def test_recurrent_weights_are_none_of_a_two_stage_network(tmp_path):
    path = tmp_path / "blstm.weights.h5"
    build(RECURRENT).save_weights(path)
    with pytest.raises(DssError, match="not weights of configuration toy: it has none of its layers"):
        begin_with(build("toy"), path, "toy")


def test_a_baseline_that_no_gpu_takes_is_not_exported():
    assert exportable("quadratic") is configuration("quadratic")
    with pytest.raises(UsageError, match=r"'blstm' cannot be exported: .*; `dss evaluate --model"):
        exportable("blstm")
    with pytest.raises(UsageError, match="unknown configuration 'huge'"):
        exportable("huge")


def test_a_configuration_may_differ_in_some_fields():
    changed = configuration("lite,attention=quadratic,rotary=false,blocks=6")
    assert changed == replace(configuration("lite"), attention="quadratic", rotary=False, blocks=6)
    assert configuration("blstm,units=5") == replace(configuration("blstm"), units=5)
    assert configuration("lite,attention=quadratic") == configuration("quadratic")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("huge,blocks=2", "unknown configuration 'huge'"),
        ("lite,rotary", "'lite,rotary': FIELD=VALUE, as in lite,rotary=false, not 'rotary'"),
        ("lite,size=2", "network.size=2: network.size: no such setting"),
        ("lite,chanels=2", "did you mean channels"),
        ("lite,signal=2", "network.signal=2: a table of settings"),
        ("lite,blocks=-1", "blocks=-1: a whole number, at least 1"),
        ("lite,blocks=true", "blocks=true: a whole number"),
        ("lite,norm=7", 'norm=7: "layer" or "rms"'),
        ("lite,norm=batch", 'norm=batch: "layer" or "rms"'),
        ("lite,attention=full", 'attention=full: "linear" or "quadratic"'),
        ("lite,near_after=5", "near_after 5 is not one of 4 blocks"),
        ("lite,heads=5", "64 channels are not 5 heads of an even size"),
        ("lite,band_stride=7", "256 bins are not tokens of 7"),
    ],
)
def test_fields_and_values_that_make_no_network(name, message):
    with pytest.raises(UsageError, match=message):
        configuration(name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [replace(SMALL, attention="quadratic", rotary=False, refinement=False), replace(RECURRENT, depth=1)],
)
def test_the_rules_of_a_gpu_are_kept_by_those_that_say_so(config):
    from dss_cli.export.convert import convert
    from dss_cli.tflite.gpu_rules import graph_violations
    from dss_cli.tflite.graph import read_graph

    broken = graph_violations(read_graph(convert(shaken(build(config, batch=1)), "float32")))
    assert bool(broken) is not config.for_gpu, broken


def test_configurations_of_either_kind_are_listed(monkeypatch, capsys):
    monkeypatch.setattr(dss_cli.network, "CONFIGURATIONS", {"small": SMALL, "loop": RECURRENT})
    configurations()
    _, small, loop = capsys.readouterr().out.splitlines()
    assert small.startswith("small ") and small.endswith(
        " yes  1 two-stage blocks, 8 channels, linear attention"
    )
    assert loop.startswith("loop ") and loop.endswith(" no   2 bidirectional LSTM layers, 5 units")
    monkeypatch.setattr(dss_cli.network, "CONFIGURATIONS", {"loop": RECURRENT})
    configurations(as_json=True)
    (loop,) = json.loads(capsys.readouterr().out)
    assert not loop["for_gpu"] and loop["configuration"]["units"] == 5
    assert loop["macs_per_second"] == macs_per_second(build(RECURRENT), RECURRENT)


def test_the_command_refuses_a_baseline_that_no_gpu_takes(dss, tmp_path):
    status, _, err = dss("export", "--untrained", "--configuration", "blstm", "-o", tmp_path)
    assert status == ExitCode.USAGE
    assert "'blstm' cannot be exported" in err[0] and "dss evaluate --model" in err[0]
    assert not list(tmp_path.iterdir())
