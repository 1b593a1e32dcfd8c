"""`dss live` with real parts: a separate PulseAudio daemon, PortAudio, and a model without cost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dss_cli.metrics import si_sdr
from tests.helpers import tiny
from tests.helpers.sound_server import RATE, ROOM, SPEAKER, missing, sound_server

pytest.importorskip("sounddevice", reason="the extra live, and PortAudio", exc_type=ImportError)
pytestmark = [
    pytest.mark.skipif(missing() is not None, reason=f"no {missing()}"),
    pytest.mark.slow,
    pytest.mark.alone,
]

ROOT = Path(__file__).parents[2]
SECONDS = float(os.environ.get("DSS_LIVE_SECONDS", "8"))  # length of the recording; 600 for the long run


@pytest.fixture(scope="module")
def server():
    folder = Path(tempfile.mkdtemp(prefix="dss-"))  # the path of a socket must be short
    try:
        with sound_server(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("model"))


@pytest.fixture
def live(server, model):
    """Start `dss live`, which ends with the test; `said` collects its output."""
    started = []

    def start(*options):
        process = subprocess.Popen(
            [sys.executable, "-m", "dss_cli", "live", "--model", str(model), *options],
            env={**server.environment, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def started(process):
    """Wait for the first JSON line of a running session."""
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return json.loads(line)


def ended(process):
    """End the session like `kill`; return the last status and the messages."""
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    statuses = [json.loads(line) for line in out.splitlines()]
    return (statuses[-1] if statuses else None), err


def voice(seconds, rate=RATE):
    """Return low-frequency noise in syllables, with one peak in the autocorrelation."""
    generator = np.random.default_rng(0)
    samples = np.convolve(generator.standard_normal(round(seconds * rate)), np.hanning(160) / 16, "same")
    syllables = 0.3 + np.abs(np.sin(2 * np.pi * 2.3 * np.arange(len(samples)) / rate))
    return (0.1 * samples * syllables).astype(np.float32)


def offset(long, short):
    """Return the position of `short` in `long`, by correlation."""
    size = len(long) + len(short)
    spectrum = np.fft.rfft(long, size) * np.conj(np.fft.rfft(short, size))
    return int(np.argmax(np.fft.irfft(spectrum, size)[: len(long)]))


def aligned_db(found, expected):
    """Return the SI-SDR in dB of each tenth of a second at its best position, because two clocks drift."""
    size, values = RATE // 10, []
    start = offset(found, expected)
    for first in range(RATE, len(expected) - 2 * RATE, size):
        part = expected[first : first + size]
        near = found[max(0, start + first - RATE // 2) : start + first + size + RATE // 2]
        at = offset(near, part)
        values.append(si_sdr(near[at : at + size], part) if at + size <= len(near) else -100.0)
    return np.array(values)


def test_a_recording_comes_out_of_the_virtual_microphone_separated(server, live, model, tmp_path):
    samples, idle = voice(SECONDS), os.getloadavg()[0] < 1.0
    soundfile.write(tmp_path / "talk.wav", samples, RATE)
    process = live("--virtual", "dss test", "--json", "--record", str(tmp_path / "take"))
    started(process)
    assert "dss_dss_test_microphone" in server.names("sources")
    recorder = server.recorder("dss_dss_test_microphone", tmp_path / "heard.wav")
    time.sleep(1)
    server.play(tmp_path / "talk.wav")
    time.sleep(2)
    recorder.terminate()
    recorder.wait(20)
    status, said = ended(process)
    if idle:
        assert status["seconds"] > SECONDS
        assert status["lost"] == status["starved"] == 0, said
    assert "ALSA" not in said, "C libraries keep their lines"
    heard, rate = soundfile.read(tmp_path / "heard.wav", dtype="float32")
    assert rate == RATE
    options = ["--near", "near.wav", "--latency", "0.25", "--model", str(model), "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "dss_cli", "separate", "talk.wav", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    near, _ = soundfile.read(tmp_path / "near.wav", dtype="float32")
    levels = aligned_db(heard, near)
    assert np.median(levels) > 20.0 if idle else levels.max() > 12.0, levels
    # Mixture and near of the recording are aligned and complete: they contain all played sound.
    mixture, _ = soundfile.read(tmp_path / "take" / "mixture.wav", dtype="float32")
    recorded, take_rate = soundfile.read(tmp_path / "take" / "near.wav", dtype="float32")
    assert len(mixture) == len(recorded)
    loud = np.abs(mixture) > 0.02
    gain = np.dot(mixture[loud], recorded[loud]) / np.dot(mixture[loud], mixture[loud])
    assert gain == pytest.approx(tiny.NEAR_GAIN ** (1 / tiny.SIGNAL.exponent), rel=0.05)
    if idle:
        assert np.count_nonzero(np.abs(mixture) > 1e-4) > 0.8 * SECONDS * take_rate
    assert not [name for name in server.names("sources") if "dss" in name], "the microphone has gone"


def test_killed_in_the_middle_the_recording_is_whole_and_the_microphone_gone(server, live, tmp_path):
    process = live("--virtual", "killed", "--json", "--record", str(tmp_path / "take"))
    before = started(process)
    while before["seconds"] < 2.0:
        before = json.loads(process.stdout.readline())
    assert "dss_killed_microphone" in server.names("sources")
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    lengths = set()
    for name in ("mixture", "near", "far"):
        samples, rate = soundfile.read(tmp_path / "take" / f"{name}.wav")
        lengths.add(len(samples))
        assert len(samples) > 1.5 * rate
    assert max(lengths) - min(lengths) <= rate / 10
    until = time.monotonic() + 20
    while "dss_killed_microphone" in server.names("sources"):
        assert time.monotonic() < until, "it should have gone with the program"
        time.sleep(0.2)
    assert not [name for name in server.names("sinks") if "dss" in name]


def test_a_microphone_that_disappears_is_waited_for(server, live):
    process = live("--json")
    started(process)
    for sink in (ROOM, SPEAKER):
        server.pactl("suspend-sink", sink, "1")
    time.sleep(6)
    assert process.poll() is None
    for sink in (ROOM, SPEAKER):
        server.pactl("suspend-sink", sink, "0")
    time.sleep(4)
    assert process.poll() is None
    _, said = ended(process)
    assert "Traceback" not in said
    assert "is lost; waiting for it" in said


def test_devices_are_listed_and_unknown_ones_refused_in_one_line(server):
    def run(*options):
        return subprocess.run(
            [sys.executable, "-m", "dss_cli", "live", *options],
            env={**server.environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )

    listed = run("--list", "--json")
    devices = json.loads(listed.stdout)["devices"]
    assert {"number", "name", "inputs", "outputs", "rate", "default"} <= set(devices[0])
    assert any(device["default"] == "both" for device in devices)
    assert "NUMBER" in run("--list").stdout
    unknown = run("--input", "no such microphone")
    assert unknown.returncode == 2
    assert unknown.stderr.splitlines() == [
        "dss: error: --input no such microphone: no such input device; `dss live --list` shows the devices"
    ]
