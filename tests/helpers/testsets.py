"""Small material for `dss simulate-test-set`, and readers of test sets."""

from __future__ import annotations

import json

import numpy as np

from tests.helpers import synth


def talker(seed, seconds=3.0, rate=16_000):
    """Return a hoarse hum with a syllable rhythm, float32 (samples, 1)."""
    t = np.arange(int(seconds * rate)) / rate
    hum = sum(np.sin(2 * np.pi * (110 + 23 * seed) * k * t) / k for k in range(1, 12))
    breath = synth.noise(len(t), seed=seed)[:, 0]
    return (0.05 * (hum + breath) * (1 + np.sin(2 * np.pi * 3 * t + seed)))[:, np.newaxis].astype(np.float32)


def write_material(root):
    """Write the folders `speech` (six talkers) and `noise` (rain, wind), without manifests."""
    for seed in range(6):
        (root / "speech" / f"t{seed}").mkdir(parents=True)
        synth.write(root / "speech" / f"t{seed}" / "a.wav", talker(seed))
    for number, name in enumerate(("rain", "wind")):
        (root / "noise" / name).mkdir(parents=True)
        synth.write(root / "noise" / name / "x.wav", synth.noise(48_000, seed=10 + number, peak=0.2))
    return root


def write_rooms(folder):
    """Write room A (near and far at two microphones, calibrated), B (near only) and C (far only)."""
    lines = ["path,room,distance_m,calib_gain_db"]
    for name, room, distance, gain in (
        ("A_near_ch1", "A", 0.5, 0.0),
        ("A_far_ch1", "A", 2.0, -12.0),
        ("A_near_ch2", "A", 0.5, 0.0),
        ("A_far_ch2", "A", 2.0, -12.0),
        ("B_ch1", "B", 0.5, 0.0),
        ("C_ch1", "C", 2.0, 0.0),
    ):
        response = np.zeros((8000, 1), np.float32)
        time = np.arange(6000) / 16_000
        response[2000:, 0] = 0.05 * synth.noise(6000, seed=len(lines))[:, 0] * 10 ** (-3 * time / 0.3)
        response[2000] = 0.5  # each file is at full scale; the calibration gives the original level
        synth.write(folder / f"{name}.wav", response, subtype="FLOAT")
        lines.append(f"{name}.wav,{room},{distance},{gain}")
    (folder / "MANIFEST.csv").write_text("\n".join(lines) + "\n")
    return folder


def contents(path):
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def records(path):
    return [json.loads(line) for line in (path / "metadata.jsonl").read_text().splitlines()]
