"""The state that a recording has in a model which carries context."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from dss_cli.runtime.litert import LiteRTNetwork
from dss_cli.runtime.registry import Model
from tests.helpers import tiny


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """The `toy` configuration with its context and random weights, on the CPU."""
    pytest.importorskip("tensorflow", reason="the network is converted by TensorFlow")
    from dss_cli.export.convert import convert
    from dss_cli.network import build_for_inference, configuration

    config = configuration("toy")
    carried = build_for_inference(config)
    generator = np.random.default_rng(0)
    weights = carried.separate.get_weights()
    carried.separate.set_weights([w + 0.2 * generator.standard_normal(w.shape) for w in weights])
    shapes = {name: tuple(t.shape) for name, t in carried.separate.input.items() if name != "mixture"}
    path = tiny.write(tmp_path_factory.mktemp("toy"), "toy", convert(carried), config.signal)
    return LiteRTNetwork(Model("toy", path, {}, config.signal, state=shapes), "cpu")


def test_a_copied_state_has_heard_the_same_and_goes_its_own_way(network):
    signal = network.signal
    generator = np.random.default_rng(1)
    chunks = generator.standard_normal((4, 1, signal.frames, signal.bins, 3)).astype(np.float32)
    state = network.begin()
    for chunk in chunks[:2]:
        network.separate(chunk, state)
    twin = copy.deepcopy(state)
    expected = network.separate(chunks[2], state)
    network.separate(chunks[3], state)
    np.testing.assert_array_equal(network.separate(chunks[2], twin), expected)
    assert not np.allclose(network.separate(chunks[2], network.begin()), expected)
