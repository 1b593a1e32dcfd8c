"""Models with states as inputs and outputs: LiteRT equals Keras over a sequence; refusals."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the network is converted by TensorFlow")

from dss_cli.errors import DssError, UsageError
from dss_cli.export.keras_network import KerasNetwork
from dss_cli.runtime.litert import LiteRTNetwork
from dss_cli.runtime.network import carries_context
from dss_cli.runtime.registry import find_model
from dss_cli.separation.streaming import StreamingSeparator
from dss_cli.tflite.gpu_rules import graph_violations
from dss_cli.tflite.graph import read_graph, stored
from tests.helpers import toy_context


@pytest.fixture(scope="module")
def keras_network():
    return toy_context.network()


@pytest.fixture(scope="module")
def model(tmp_path_factory, keras_network):
    return toy_context.write(tmp_path_factory.mktemp("context"), keras_network)


@pytest.fixture
def chunks(model):
    signal = model.signal
    return (
        np.random.default_rng(0).standard_normal((4, 1, signal.frames, signal.bins, 3)).astype(np.float32)
        ** 2
    )


def in_sequence(network, chunks):
    state = network.begin()
    network.listen(chunks[0], state)
    return [np.array(network.separate(chunk, state)) for chunk in chunks[1:]]


def test_a_sequence_of_chunks_gives_what_keras_gives(model, keras_network, chunks):
    found = in_sequence(LiteRTNetwork(model, "cpu"), chunks)
    np.testing.assert_allclose(
        found, in_sequence(KerasNetwork(keras_network, model.signal), chunks), rtol=1e-5, atol=1e-5
    )


def test_results_do_not_depend_on_threads(model, chunks):
    one, two = (in_sequence(LiteRTNetwork(model, "cpu", threads=n), chunks) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_a_copied_state_has_heard_the_same_and_goes_its_own_way(model, chunks):
    network = LiteRTNetwork(model, "cpu")
    state = network.begin()
    network.separate(chunks[0], state)
    twin = copy.deepcopy(state)
    expected = network.separate(chunks[1], state)
    network.separate(chunks[2], state)
    np.testing.assert_array_equal(network.separate(chunks[1], twin), expected)
    assert not np.allclose(network.separate(chunks[1], network.begin()), expected)


def test_states_of_two_recordings_do_not_touch(model, chunks):
    network = LiteRTNetwork(model, "cpu")
    expected = in_sequence(network, chunks)
    ours, theirs = network.begin(), network.begin()
    network.listen(chunks[0], ours)
    found = []
    for chunk in chunks[1:]:
        network.separate(7 * chunk, theirs)
        found.append(network.separate(chunk, ours))
    np.testing.assert_array_equal(np.array(found), expected)


def test_without_a_state_every_chunk_begins_afresh(model, chunks):
    network = LiteRTNetwork(model, "cpu")
    first = network.separate(chunks[0])
    network.separate(chunks[1], network.begin())
    np.testing.assert_array_equal(network.separate(chunks[0]), first)


def test_a_chunk_that_is_not_to_count_leaves_the_state_alone(model, chunks):
    network = LiteRTNetwork(model, "cpu")
    state = network.begin()
    network.listen(chunks[0], state)
    once = network.separate(chunks[1], state, update=False)
    np.testing.assert_array_equal(network.separate(chunks[1], state, update=False), once)


def test_a_model_without_states_carries_no_context(toy_model, model):
    assert LiteRTNetwork(toy_model, "cpu").begin() is None
    assert not carries_context(LiteRTNetwork(toy_model, "cpu"))
    assert carries_context(LiteRTNetwork(model, "cpu"))


def test_a_state_of_another_model_is_refused(model, chunks):
    network, other = LiteRTNetwork(model, "cpu"), LiteRTNetwork(model, "cpu")
    with pytest.raises(UsageError, match="the state belongs to another model, not to toy-context"):
        network.separate(chunks[0], other.begin())


def test_all_signatures_share_their_weights_and_keep_the_rules_of_a_gpu(model):
    graph = read_graph(model.path.read_bytes())
    assert graph_violations(graph) == []
    separate, *others = graph.all
    listen, shorter = others
    assert [s.key for g in graph.all for s in g.signatures] == ["separate", "listen", "separate_7"]
    assert set(shorter.signatures[0].outputs) == {"near", "far", *model.state}
    assert set(listen.signatures[0].outputs) == set(model.state)
    assert set(separate.signatures[0].outputs) == {"near", "far", *model.state}
    kept = {tensor.buffer for tensor in stored(separate)}
    for other in others:
        shared = [tensor for tensor in stored(other) if tensor.buffer in kept]
        big = [tensor for tensor in stored(other) if tensor.content.size > 256]
        assert big and all(tensor in shared for tensor in big)


def test_shorter_chunks_give_what_keras_gives_and_go_on_with_the_same_states(model, keras_network, chunks):
    network, reference = LiteRTNetwork(model, "cpu"), KerasNetwork(keras_network, model.signal)
    assert network.timings == reference.timings != ()
    length = network.timings[0].frames
    mixed = [chunk[:, : length if n % 2 else model.signal.frames].copy() for n, chunk in enumerate(chunks)]
    for expected, found in zip(in_sequence(reference, mixed), in_sequence(network, mixed), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-5)
    alone = network.separate(mixed[3])
    assert not np.allclose(in_sequence(network, mixed)[2], alone, atol=1e-5), "what was heard before counts"


def test_chunks_of_other_lengths_are_refused(model, chunks):
    network = LiteRTNetwork(model, "cpu")
    known = r"\(1, 15, 256, 3\) or \(1, 7, 256, 3\)"
    with pytest.raises(UsageError, match=f"a chunk is float32 of shape {known}, not float32 .1, 8, 256, 3"):
        network.separate(chunks[0][:, :8].copy())
    with pytest.raises(UsageError, match=r"not float32 .1, 7, 256, 3"):
        network.listen(chunks[0][:, :7].copy(), network.begin())


def test_the_engine_keeps_to_the_latencies_of_the_card(model, toy_model):
    network = LiteRTNetwork(model, "cpu", latency=0.05)
    stream = StreamingSeparator(network)
    assert stream.latency == network.timings[-1].latency(model.signal) <= 0.05 * 16_000
    near, far = stream.push(0.1 * np.ones(16_000, np.float32))
    assert len(near) == len(far) >= 16_000 - stream.latency
    with pytest.raises(UsageError, match=r"latency 0\.01: the model offers"):
        LiteRTNetwork(model, "cpu", latency=0.01)
    with pytest.raises(UsageError, match="the model offers only"):
        LiteRTNetwork(toy_model, "cpu", latency=0.01)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({}, r"inputs are block1_time_attention, .*, not mixture"),
        ({"block1_time_attention": None}, "inputs are block1_time_attention"),
        (
            {"loudness": [1, 1, 1, 2]},
            r"input loudness is float32 \(1, 1, 1, 1\), where its card",
        ),
        ({"loudness": [1, 1, 1]}, r"state 'loudness' is \[1, 1, 1\], not the four sizes of a small tensor"),
        ({"loudness": [1, 1, 1, 2**40]}, "not the four sizes of a small tensor"),
        ({"loudness": "none"}, "state 'loudness' is 'none'"),
    ],
)
def test_a_card_that_tells_other_states_is_refused(tmp_path, model, change, error):
    path = tmp_path / model.path.name
    path.write_bytes(model.path.read_bytes())
    card = json.loads(model.path.with_suffix(".json").read_text())
    card["state"] = {k: v for k, v in (card["state"] | change).items() if v is not None} if change else {}
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(DssError, match=error):
        LiteRTNetwork(find_model(path), "cpu")


@pytest.mark.parametrize(
    ("latencies", "error"),
    [
        (3, "latencies is 3, not a list"),
        ([3], "latency 3 has not the keys advance, ahead, frames, seconds, shared"),
        ([{"seconds": 1, "frames": 7}], "has not the keys"),
        (
            [{"seconds": 1, "frames": 7, "advance": 0, "shared": 0, "ahead": 0}],
            "the numbers must be integers of at least 0",
        ),
        (
            [{"seconds": 1, "frames": 99, "advance": 1, "shared": 0, "ahead": 0}],
            "a latency has chunks of 99 frames, more than",
        ),
        (
            [{"seconds": 1, "frames": 5, "advance": 1, "shared": 0, "ahead": 0}],
            r"no signature `separate_5\(mixture\)",
        ),
    ],
)
def test_a_card_that_tells_other_latencies_is_refused(tmp_path, model, latencies, error):
    path = tmp_path / model.path.name
    path.write_bytes(model.path.read_bytes())
    card = json.loads(model.path.with_suffix(".json").read_text()) | {"latencies": latencies}
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(DssError, match=error):
        LiteRTNetwork(find_model(path), "cpu")


def test_a_card_whose_state_is_no_object_is_refused(tmp_path, model):
    path = tmp_path / model.path.name
    path.write_bytes(model.path.read_bytes())
    card = json.loads(model.path.with_suffix(".json").read_text()) | {"state": 3}
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(DssError, match="state is 3, not an object of shapes by name"):
        find_model(path)
