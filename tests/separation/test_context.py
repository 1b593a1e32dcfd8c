"""Context in the engine: any blocks, one state per channel, recording for files, past for pipes."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from dss_cli import Separator, StreamingSeparator
from dss_cli.constants import SignalConfig
from dss_cli.errors import UsageError
from dss_cli.separation import listening
from dss_cli.separation.files import separate_file
from dss_cli.separation.listening import chunks_ahead
from tests.helpers.stub import SMALL, Remembering

SIGNAL = SMALL
SECOND = SIGNAL.sample_rate


@pytest.fixture
def ahead(monkeypatch):
    """Set the look-ahead to four chunks."""
    monkeypatch.setattr(listening, "AHEAD_SECONDS", 4 * SIGNAL.chunk_seconds)
    return 4 * SIGNAL.frames * SIGNAL.hop


def noise(samples, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def streamed(network, samples, context, sizes):
    stream = StreamingSeparator(network, context=context)
    parts, start = [], 0
    for size in sizes:
        parts.append(stream.push(samples[start : start + size]))
        start += size
    parts += [stream.push(samples[start:]), stream.flush()]
    return [np.concatenate(stem) for stem in zip(*parts, strict=True)]


@pytest.mark.parametrize("context", ["recording", "past", "none"])
def test_blocks_of_any_size_give_the_same_samples(ahead, context):
    samples = np.concatenate([noise(7 * ahead // 2), np.zeros(ahead, np.float32), noise(ahead, 1)])
    whole = streamed(Remembering(), samples, context, [])
    for sizes in ([1, 2, 3] * 50, [ahead + 17] * 3, [len(samples) // 2]):
        for stem, expected in zip(streamed(Remembering(), samples, context, sizes), whole, strict=True):
            np.testing.assert_array_equal(stem, expected)
    assert len(whole[0]) == len(samples)


@pytest.mark.parametrize("length", [1, 100, 20 * 128, 21 * 128, 25_000])
def test_as_many_samples_leave_as_came_whatever_is_ahead(ahead, length):
    samples = noise(length)
    near, far = streamed(Remembering(), samples, "recording", [])
    assert len(near) == len(far) == length
    np.testing.assert_allclose(near + far, samples, atol=1e-6)  # the shares of this network sum to one


def test_the_recording_is_heard_before_its_first_chunk_is_separated(ahead):
    """The last three of four chunks are loud: only the context `recording` includes them from the start."""
    faint = np.zeros(ahead // 4, np.float32)
    faint[::100] = 1e-7
    samples = np.concatenate([faint, noise(3 * ahead // 4)])
    shares = {}
    for context in ("recording", "past"):
        near, _ = streamed(Remembering(), samples, context, [])
        shares[context] = np.linalg.norm(near[: ahead // 8]) / np.linalg.norm(samples[: ahead // 8])
    assert shares["past"] == pytest.approx(0.5, abs=0.01), "an even guess"
    assert shares["recording"] == pytest.approx(0.75, abs=0.06)


def test_what_lies_further_ahead_than_that_is_not_waited_for(ahead):
    network = Remembering()
    stream = StreamingSeparator(network, context="recording")
    samples = noise(3 * stream.latency)
    near, _ = stream.push(samples)
    assert len(samples) - len(near) <= stream.latency
    assert stream.latency > ahead > StreamingSeparator(network).latency


def test_each_channel_has_its_own_state():
    recording = np.stack([noise(SECOND), np.zeros(SECOND, np.float32)], axis=1)
    both = Separator(Remembering()).separate(recording, SECOND)
    alone = Separator(Remembering()).separate(recording[:, 0], SECOND)
    np.testing.assert_array_equal(both.near[:, 0], alone.near)


def test_a_network_without_context_says_so(scaling_network):
    network = scaling_network(SIGNAL)
    for context in listening.CONTEXTS:
        assert StreamingSeparator(network, context=context).context == "none"
    assert StreamingSeparator(Remembering()).context == "past"
    assert Separator(Remembering()).context == "recording"
    assert Separator(Remembering()).stream().context == "past"


def test_an_unknown_context_is_refused():
    with pytest.raises(UsageError, match="context 'future': choose one of recording, past, none"):
        StreamingSeparator(Remembering(), context="future")


def test_a_file_is_heard_and_its_report_says_on_what_it_was_decided(tmp_path):
    soundfile.write(tmp_path / "in.wav", noise(SECOND), SECOND)
    network = Remembering()
    report = separate_file(tmp_path / "in.wav", near=tmp_path / "near.wav", network=network)
    assert report.context == report.to_dict()["context"] == "recording"
    assert network.listened > 0 and report.warnings == []
    past = separate_file(
        tmp_path / "in.wav", near=tmp_path / "near.wav", network=network, context="past", overwrite=True
    )
    assert past.context == "past"


def test_a_model_without_context_is_told_where_context_was_asked_for(tmp_path, scaling_network):
    soundfile.write(tmp_path / "in.wav", noise(SECOND), SECOND)
    said: list[str] = []
    network = scaling_network(SIGNAL)
    options = {"near": tmp_path / "near.wav", "network": network, "warn": said.append, "overwrite": True}
    assert separate_file(tmp_path / "in.wav", **options).context == "none"
    assert said == []
    assert separate_file(tmp_path / "in.wav", context="past", **options).context == "none"
    assert said == ["the model carries no context: each chunk is separated alone"]


def test_chunks_ahead_are_whole_and_at_least_one():
    assert chunks_ahead(SignalConfig(hop=256, frames=188)) == 15
    assert chunks_ahead(SignalConfig(hop=256, frames=16_000)) == 1
