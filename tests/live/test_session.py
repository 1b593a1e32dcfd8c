"""Session between fakes of microphone and loudspeaker: drift, gaps, recordings, failures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import soundfile

from dss_cli.errors import DssError, UsageError
from dss_cli.live import LiveSeparator
from dss_cli.live.drift import LIMIT, DriftController
from dss_cli.live.recording import Recording
from dss_cli.live.reserve import MARGIN_SECONDS, MOST_SECONDS, Reserve
from dss_cli.live.ring import Ring
from dss_cli.live.session import (
    BLOCK_SECONDS,
    LiveSession,
    computing_seconds,
    latency_that_works,
    level,
    too_slow,
)
from dss_cli.runtime.timing import Timing
from tests.helpers.live import LATENCY, Sharing, tone
from tests.helpers.stub import SMALL


class End:
    """Microphone or loudspeaker without a sound card."""

    def __init__(self, rate=16_000, seconds=2.0):
        self.rate, self.queue = rate, Ring(round(seconds * rate))
        self.lost = self.starved = 0


def session(source=None, sink=None, **options):
    source, sink = source or End(), sink or End()
    separator = LiveSeparator(Sharing(), source.rate, latency=LATENCY)
    return LiveSession(separator, source, sink, **options)


def noise(seconds=0.5):
    """Return low-frequency noise, which a shift by half a sample changes little."""
    white = np.random.default_rng(0).standard_normal(round(16_000 * seconds))
    return (0.1 * np.convolve(white, np.hanning(40) / 4, "same")).astype(np.float32)


def played(live, sink, samples):
    """Return the output of a loudspeaker that plays without waiting."""
    out = []
    for block in np.array_split(samples, len(samples) // 320):
        live.process(block)
        out.append(sink.queue.read(len(block)))
    return np.concatenate(out)


def offset(found, samples):
    """Return the delay of a signal in samples, from the correlation."""
    return int(np.argmax(np.correlate(found, samples[:3000], "valid")))


def test_a_ring_keeps_the_order_and_says_what_did_not_fit():
    ring, generator = Ring(100), np.random.default_rng(0)
    written, read, lost = [], [], 0
    for number in range(200):
        block = np.arange(number * 50, number * 50 + generator.integers(0, 50), dtype=np.float32)
        left = ring.write(block)
        lost += left
        written.append(block[: len(block) - left])
        read.append(ring.read(int(generator.integers(0, 50))))
        assert len(ring) <= 100
    read.append(ring.read(1000))
    np.testing.assert_array_equal(np.concatenate(read), np.concatenate(written))
    assert lost > 0 and len(ring) == 0


def test_a_ring_between_two_threads_loses_nothing():
    ring, sent, got = Ring(1000), np.arange(200_000, dtype=np.float32), []

    def write():
        left = sent
        while len(left):
            block, fits = left[:333], 0
            fits = len(block) - ring.write(block)
            left = left[fits:]

    thread = threading.Thread(target=write)
    thread.start()
    count = 0
    while count < len(sent):
        got.append(ring.read(777))
        count += len(got[-1])
    thread.join()
    np.testing.assert_array_equal(np.concatenate(got), sent)


@pytest.mark.parametrize("ppm", [200, -200, 1000])
def test_an_hour_of_drift_neither_fills_nor_empties_the_queue(ppm):
    """The clock of the input is `ppm` fast, and chunks arrive in bursts of 160 ms; a gap needs 200 ms."""
    target, burst, seconds = 0.2, 0.16, 0.02
    control, length, factor = DriftController(target), target, 1.0
    lengths, drifts, owed = [], [], 0.0
    for _ in range(round(3600 / seconds)):
        owed += seconds * (1 + ppm * 1e-6) / factor
        length -= seconds
        if owed >= burst:
            length, owed = length + owed, 0.0
        factor = control.update(length + owed, seconds)
        lengths.append(length + owed)
        drifts.append(control.drift)
    settled = np.array(lengths[round(600 / seconds) :])
    assert np.abs(settled - target).max() < 0.01
    assert np.abs(np.array(lengths) - target).max() < 0.08
    assert drifts[-1] == pytest.approx(ppm * 1e-6, abs=5e-6)


def test_a_queue_that_is_a_little_longer_than_asked_for_is_left_alone():
    control = DriftController(0.1)
    assert all(control.update(0.13, 0.02) == pytest.approx(1.0, abs=1e-9) for _ in range(1000))
    assert control.target == pytest.approx(0.13)
    control.restart(0.1)
    assert [control.update(0.5, 0.02) for _ in range(1000)][-1] > 1.001, "far too long is not"
    assert control.target == pytest.approx(0.15)


def test_a_correction_is_too_small_to_be_heard():
    control = DriftController(0.1)
    for length in (5.0, 0.0):
        assert all(abs(control.update(length, 0.02) - 1) <= 1.001 * LIMIT for _ in range(10_000))


def test_sound_is_played_from_clocks_that_are_apart_without_a_gap_or_a_jump():
    """In a minute at 1040 ppm, a tone stays smooth, and the queue keeps its target length."""
    source, sink = End(8000), End(8000)
    live = session(source, sink)
    phase, heard, lengths = 0, [], []
    for number in range(3000):
        size = 160 + (number % 6 == 0)
        instants = phase + np.arange(size)
        phase += size
        live.process((0.5 * np.sin(2 * np.pi * 200 * instants / 8000)).astype(np.float32))
        block = sink.queue.read(160)
        lengths.append(len(sink.queue))
        heard.append(block)
        assert len(block) == 160, f"a gap after {number} blocks"
    joined = np.concatenate(heard)[8000:]
    assert np.abs(np.diff(joined)).max() < 1.05 * 0.375 * 2 * np.pi * 200 / 8000
    assert np.ptp(lengths[1:]) < 0.05 * 8000, "without a correction it were 0.062"
    assert 300 < live.status.drift_ppm < 1100, "found within minutes"
    assert live.status.lost == 0


def test_what_was_heard_comes_out_as_late_as_it_says():
    sink = End()
    live = session(sink=sink)
    samples = noise()
    found = played(live, sink, samples)
    late = offset(found, samples)
    silence = round(16_000 * (live.status.latency - live._separator.latency))
    assert late == pytest.approx(silence + live._separator.delay, abs=40)
    assert not found[: late - 400].any()
    np.testing.assert_allclose(found[late + 800 : 4000], 0.75 * samples[800 : 4000 - late], atol=0.02)


def test_the_microphone_is_passed_through_as_late_as_the_stems():
    sink, samples = End(), noise()
    live = session(sink=sink)
    live.passthrough = True
    found = played(live, sink, samples)
    late = offset(found, samples)
    np.testing.assert_allclose(found[late + 800 : 4000], samples[800 : 4000 - late], atol=0.03)
    assert live.status.passthrough
    live.passthrough = False
    assert offset(played(live, sink, samples), samples) == pytest.approx(late, abs=60)


def test_a_loudspeaker_that_sleeps_costs_sound_that_is_counted():
    source, sink = End(), End()
    live = session(source, sink)
    for block in np.array_split(tone(16_000, 3.0), 150):
        live.process(block)
    assert live.status.lost > 0
    assert len(sink.queue) < 16_000
    sink.queue.read(32_000)
    live.process(tone(16_000, 0.02))
    assert len(sink.queue) > 0, "it goes on"


def test_the_queue_is_longer_after_each_gap_up_to_a_limit():
    sink = End()
    live = session(sink=sink, computing=0.1)
    lengths = []
    for _ in range(12):
        live.process(tone(16_000, 0.02))
        lengths.append(len(sink.queue) / 16_000)
        sink.queue.read(32_000)  # the loudspeaker has played everything: a gap
    growing = round((MOST_SECONDS - 0.1) / MARGIN_SECONDS) - 1
    steps = np.diff(lengths)
    np.testing.assert_allclose(steps[:growing], MARGIN_SECONDS, atol=2e-3)
    np.testing.assert_allclose(steps[growing:], 0.0, atol=2e-3)
    assert lengths[0] == pytest.approx(0.1 + MARGIN_SECONDS + 2 * BLOCK_SECONDS, abs=3e-3)
    assert lengths[-1] == pytest.approx(MOST_SECONDS + 2 * BLOCK_SECONDS, abs=3e-3)


def test_a_chunk_that_takes_longer_than_the_limit_keeps_its_queue():
    reserve = Reserve(0.7)
    reserve.grow()
    assert reserve.seconds == pytest.approx(0.7 + MARGIN_SECONDS)


def test_the_thread_takes_what_comes_and_stops_when_it_is_told():
    source, sink = End(), End()
    live = session(source, sink, keep="both")
    live.start()
    source.queue.write(tone(16_000, 0.5))
    until = time.monotonic() + 20
    while live.status.seconds < 0.5 and time.monotonic() < until:
        time.sleep(0.01)
    live.choose("far")
    status = live.status
    live.stop()
    assert status.seconds == pytest.approx(0.5)
    assert (status.keep, status.lost, status.starved) == ("far", 0, 0)
    assert status.near_db == pytest.approx(20 * np.log10(0.75 * 0.5 / np.sqrt(2)), abs=0.5)
    assert status.near_db - status.far_db == pytest.approx(20 * np.log10(6), abs=0.5)
    assert 0 < status.load < 50
    assert set(status.to_dict()) >= {"seconds", "near_db", "far_db", "load", "latency", "lost", "starved"}


def test_a_network_that_fails_ends_the_session_with_its_error():
    class Failing(Sharing):
        def separate(self, mixture):
            raise DssError("LiteRT failed")

    source = End()
    live = LiveSession(LiveSeparator(Failing(), latency=LATENCY), source, End())
    live.start()
    source.queue.write(tone(16_000, 1.0))
    assert not live.wait(20), "it has ended"
    with pytest.raises(DssError, match="LiteRT failed"):
        live.stop()


def test_numbers_that_are_none_are_taken_for_silence():
    live = session()
    live.process(np.array([np.nan, np.inf, 0.5] * 200, np.float32))
    assert np.isfinite(live.status.near_db)


def test_a_recording_is_aligned_and_starts_with_the_first_sound(tmp_path):
    with Recording(tmp_path / "take", 16_000) as recording:
        live = session(record=recording)
        samples = tone(16_000, 1.0)
        for block in np.array_split(samples, 50):
            live.process(block)
    delay = live._separator.delay
    for name, gain in (("mixture", 1.0), ("near", 0.75), ("far", 0.125)):
        found, _ = soundfile.read(tmp_path / "take" / f"{name}.wav")
        assert len(found) == len(samples) - delay
        np.testing.assert_allclose(found, gain * samples[:-delay], atol=2e-4)


def test_a_recording_goes_on_in_further_files(tmp_path):
    with Recording(tmp_path, 16_000, largest=3000) as recording:
        for _ in range(5):
            recording.write(dict.fromkeys(("mixture", "near", "far"), np.zeros(1000, np.float32)))
    assert [soundfile.info(p).frames for p in sorted(tmp_path.glob("near*.wav"))] == [1000] * 5
    assert (tmp_path / "near.5.wav").exists()


def test_a_recording_replaces_no_other_and_needs_a_folder(tmp_path):
    Recording(tmp_path, 16_000).close()
    with pytest.raises(UsageError, match="exists already"):
        Recording(tmp_path, 16_000)
    (tmp_path / "file").write_text("")
    with pytest.raises(DssError, match="the folder cannot be created"):
        Recording(tmp_path / "file" / "folder", 16_000)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_recording_is_whole_up_to_the_kill(tmp_path):
    program = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from dss_cli.live.recording import Recording\n"
        "recording = Recording(Path(sys.argv[1]), 16_000)\n"
        "block = np.full(320, 0.5, np.float32)\n"
        "while True:\n"
        "    recording.write({'mixture': block, 'near': block, 'far': block})\n"
        "    print(recording.frames, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "take")], stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if int(line) > 32_000:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    for name in ("mixture", "near", "far"):
        samples, rate = soundfile.read(tmp_path / "take" / f"{name}.wav")
        assert rate == 16_000 and len(samples) > 32_000
        np.testing.assert_array_equal(samples, 0.5)


class Slow(Sharing):
    """Network that takes 30 ms for a chunk of any length."""

    timings = (Timing(10, 2, 2, 1), Timing(10, 6, 2, 1), Timing(12, 10, 2, 0))  # 16, 48 and 80 ms

    def separate(self, mixture):
        time.sleep(0.03)
        return super().separate(mixture)


def make(seconds):
    return LiveSeparator(Slow(), latency=seconds)


def test_a_computer_that_is_too_slow_is_told_the_latency_that_works(monkeypatch):
    latencies = [timing.seconds(SMALL) for timing in Slow.timings]
    separator = make(latencies[0])
    assert computing_seconds(separator) >= 0.03
    computing = 0.03  # independent of the load of the computer
    monkeypatch.setattr("dss_cli.live.session.computing_seconds", lambda separator: computing)
    problem = too_slow(separator, computing, make, latencies)
    assert latency_that_works(make, latencies) == latencies[1]
    assert str(problem) == (
        "latency 0.064 s needs a chunk every 16 ms, and one takes 30 ms here: --latency 0.096 works here"
    )
    assert too_slow(make(latencies[2]), 0.03, make, latencies) is None
    assert "no latency of this model works here" in str(too_slow(separator, computing, make, latencies[:1]))


def test_levels_are_told_down_to_silence():
    assert level(np.full(100, 0.5, np.float32)) == pytest.approx(-6.02, abs=0.01)
    assert level(np.zeros(100, np.float32)) == level(np.zeros(0, np.float32)) == -120.0
