"""Hours of audio in bounded memory: the whole command with LiteRT, in a separate process."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from dss_cli.constants import SignalConfig
from dss_cli.runtime.registry import list_models
from tests.helpers import tiny

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from Linux's /proc"),
]

RATE = 8000
LIMIT = 350  # MB of resident memory
TOLERANCE = 10  # MB between two runs
ALLOWANCE = 20  # MB for the packet table of an MP4: about 10 MB per hour
CHUNKS = SignalConfig(hop=256, frames=188)  # chunks of three seconds, for a network with very little work

# VmHWM belongs to this program only; ru_maxrss would include the memory of pytest.
COMMAND = """
import sys
from pathlib import Path
from dss_cli.__main__ import main

code = main()
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
sys.exit(code)
"""


def silence(path: Path, seconds: int) -> Path:
    """Write a sparse 16-bit mono WAV of silence."""
    size = seconds * RATE * 2
    layout = struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    sizes = (struct.pack("<I", number) for number in (36 + size, size))
    path.write_bytes(b"RIFF%bWAVEfmt %bdata%b" % (next(sizes), layout, next(sizes)))
    with path.open("r+b") as file:
        file.truncate(44 + size)
    return path


def peak_memory(folder: Path, model: Path, source: Path) -> float:
    """Return the peak memory of `dss separate` on a recording, in MB."""
    target = folder / "near.flac"
    options = ["--near", target, "--model", model, "--delegate", "cpu", "--overwrite", "--quiet"]
    command = [sys.executable, "-c", COMMAND, "separate", source, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return int(done.stdout) / 1000


def test_two_hours_take_no_more_memory_than_one(tmp_path):
    model = tiny.write(tmp_path, data=tiny.pack(tiny.graph(CHUNKS)), signal=CHUNKS)
    one = peak_memory(tmp_path, model, silence(tmp_path / "a.wav", 3600))
    assert one <= LIMIT
    assert peak_memory(tmp_path, model, silence(tmp_path / "a.wav", 7200)) <= one + TOLERANCE


def test_an_hour_of_m4a_takes_no_more_memory_than_a_minute(tmp_path):
    media = pytest.importorskip("tests.helpers.media", reason="the extra `formats` is not installed")
    model = tiny.write(tmp_path, data=tiny.pack(tiny.graph(CHUNKS)), signal=CHUNKS)
    peaks = []
    for seconds in (60, 3600):
        source = tmp_path / f"{seconds}.m4a"
        media.encode(source, np.zeros((seconds * RATE, 1), np.float32), rate=RATE)
        peaks.append(peak_memory(tmp_path, model, source))
        assert sf.info(tmp_path / "near.flac").frames == seconds * RATE
    assert peaks[1] <= min(LIMIT, peaks[0] + ALLOWANCE)


@pytest.mark.parametrize("model", list_models(), ids=lambda model: model.name)
def test_every_bundled_model_stays_within_the_limit(tmp_path, model):
    assert peak_memory(tmp_path, model.path, silence(tmp_path / "a.wav", 60)) <= LIMIT
