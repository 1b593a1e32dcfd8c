"""Example with a voice-activity detector: runs, and prints the cost of its calls."""

from __future__ import annotations

import numpy as np
import soundfile

from examples.live_recogniser import main
from tests.helpers import tiny
from tests.helpers.live import tone


def test_utterances_of_the_near_talker_are_found_where_they_began(tmp_path, capsys):
    samples = np.zeros(5 * 16_000, np.float32)
    for second in (1, 3):
        samples[second * 16_000 : (second + 1) * 16_000] = tone(16_000)
    soundfile.write(tmp_path / "talk.wav", samples, 16_000)
    assert main([str(tmp_path / "talk.wav"), "--model", str(tiny.write(tmp_path))]) == 0
    first, second, *table = capsys.readouterr().out.splitlines()
    for line, start in ((first, 1.0), (second, 3.0)):
        begun, text = line.split(" s: ")
        assert abs(float(begun) - start) < 0.1
        assert text.endswith("s of speech")
    assert table[0] == "| latency | p50 | p95 | p99 | computing |"


def test_an_error_is_one_line(tmp_path, capsys):
    soundfile.write(tmp_path / "talk.wav", tone(16_000), 16_000)
    assert main([str(tmp_path / "talk.wav"), "--model", "no such model"]) == 2
    assert capsys.readouterr().err.startswith("error: no model called")
