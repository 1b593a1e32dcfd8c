"""Example of a voice assistant with `LiveSeparator`: separation, voice activity detection, recogniser.

    python examples/live_recogniser.py examples/conversation.flac

A file replaces the microphone, 20 ms at a time; `is_speech` replaces a voice-activity detector (Silero,
WebRTC), `recognise` a recogniser (Whisper, Vosk). Both receive only the near talker. At the end the script
prints the cost of the calls.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

import numpy as np
import soundfile
from numpy.typing import NDArray

from dss_cli.errors import DssError
from dss_cli.live import LiveSeparator
from dss_cli.live.separator import LATENCY
from dss_cli.utils.tables import markdown_table

Floats = NDArray[np.float32]

FRAME_SECONDS = 0.02
SPEECH_DB = -45.0  # level of a frame above which it counts as speech
PAUSE_SECONDS = 0.6  # seconds of silence at the end of an utterance


def microphone(path: str) -> tuple[int, Iterator[Floats]]:
    """Return rate and frames of a recording, as from a microphone."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono, size = samples.mean(axis=1), round(FRAME_SECONDS * rate)
    return rate, (mono[start : start + size] for start in range(0, len(mono), size))


def is_speech(frame: Floats) -> bool:
    """Stand for a voice-activity detector."""
    return 10 * np.log10(np.mean(np.square(frame)) + 1e-12) > SPEECH_DB


def utterances(frames: Iterator[Floats], rate: int) -> Iterator[tuple[float, Floats]]:
    """Cut a live signal at its pauses: the second at which each utterance begins, and its samples."""
    spoken: list[Floats] = []
    silent = seconds = begun = 0.0
    for frame in frames:
        length = len(frame) / rate
        if is_speech(frame):
            begun, silent = (begun if spoken else seconds), 0.0
            spoken.append(frame)
        elif spoken:
            spoken.append(frame)
            silent += length
            if silent >= PAUSE_SECONDS:
                yield begun, np.concatenate(spoken)
                spoken = []
        seconds += length
    if spoken:
        yield begun, np.concatenate(spoken)


def recognise(utterance: Floats, rate: int) -> str:
    """Stand for a recogniser."""
    return f"{len(utterance) / rate:.1f} s of speech"


def main(arguments: list[str] | None = None) -> int:
    """Run the example; gives its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recording")
    parser.add_argument("--latency", type=float, default=LATENCY)
    parser.add_argument("--model", default="lite")
    given = parser.parse_args(arguments)
    rate, frames = microphone(given.recording)
    calls: list[float] = []
    try:
        separator = LiveSeparator(given.model, rate, latency=given.latency, delegate="cpu")

        def near() -> Iterator[Floats]:
            for frame in frames:
                begun = time.perf_counter()
                separated = separator.push(frame)
                calls.append(time.perf_counter() - begun)
                yield separated
            yield separator.flush()

        for start, utterance in utterances(near(), rate):
            print(f"{start - separator.latency:6.1f} s: {recognise(utterance, rate)}")
    except DssError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    cells = [f"{1000 * float(np.percentile(calls, p)):.1f} ms" for p in (50, 95, 99)]
    head = ["latency", "p50", "p95", "p99", "computing"]
    share = f"{sum(calls) / (len(calls) * FRAME_SECONDS):.0%}"
    print(markdown_table(head, [[f"{separator.latency:.3f} s", *cells, share]]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
