"""Dry speech and noise for scenes, read once into flat arrays."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import platformdirs
import soundfile
import soxr
from numpy.typing import NDArray

from ..constants import SAMPLE_RATE
from ..errors import DssError
from ..utils.atomic_write import write_files

SPEECH_RMS = 0.05  # -26 dBFS: active level of each dry utterance, at 1 m
AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif"}

# Errors that NumPy raises for a damaged .npz or another file.
DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Material:
    """Concatenated recordings in groups (speech: by talker; noise: by recording).

    Attributes:
        samples: all recordings, concatenated, int16 at 16 kHz.
        spans: (groups, 2) start and end of each group in `samples`.
        names: names of the groups: speaker, or path of the noise recording.
        notes: lines for the user about how the files were read.
    """

    samples: NDArray[np.int16]
    spans: NDArray[np.int64]
    names: NDArray[np.str_]
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Total duration in seconds."""
        return len(self.samples) / SAMPLE_RATE

    def draw_start(self, rng: np.random.Generator, group: int) -> int:
        """Draw a random sample position in a group, counted from the start of the group."""
        start, end = self.spans[group]
        return int(rng.integers(end - start))

    def take(self, group: int, first: int, length: int) -> NDArray[np.float32]:
        """Return `length` samples (float32) of a group from its sample `first` on, cyclically."""
        start, end = self.spans[group]
        index = start + (first + np.arange(length)) % (end - start)
        return self.samples[index].astype(np.float32) / 32768.0


def load_speech(folder: Path, split: str | None = None) -> Material:
    """Read dry speech by talker, with each utterance at the same active level.

    Args:
        folder: folder with a MANIFEST.csv (path, speaker, split), or with one subfolder per talker.
        split: split of the manifest to read; None reads all rows.

    Raises:
        DssError: there is no audio, a file cannot be read, or the manifest lacks the columns or the split.
    """
    return _load(Path(folder), split, "speaker", speech=True)


def load_noise(folder: Path, split: str | None = None) -> Material:
    """Read noise by recording, with unchanged levels.

    Arguments and errors as `load_speech`.
    """
    return _load(Path(folder), split, "path", speech=False)


def _load(folder: Path, split: str | None, key: str, speech: bool) -> Material:
    try:
        os.scandir(folder).close()
    except OSError as error:
        reason = (
            "no such folder" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        )
        raise DssError(f"{folder}: {reason}") from error
    listing = _listing(folder, split, key)
    if not listing:
        raise DssError(f"{folder}: no audio files (WAV, FLAC, Ogg, Opus or MP3)")
    state = [(name, str(path), *_state(path)) for name, path in listing]
    return remembered((str(folder.resolve()), speech, state), lambda: _read(folder, listing, speech))


def remembered(key: object, make: Callable[[], Material]) -> Material:
    """Return the result of `make`, from the user's cache if there is one for an equal key.

    Raises:
        DssError: the cache cannot be written.
    """
    digest = hashlib.sha256(repr(key).encode()).hexdigest()
    cache = Path(platformdirs.user_cache_dir("dss")) / "material" / f"{digest[:16]}.npz"
    # A damaged file of the cache is made again.
    with contextlib.suppress(*DAMAGED), np.load(cache) as data:
        return Material(data["samples"], data["spans"], data["names"], tuple(data["notes"].tolist()))
    material = make()
    arrays = {**vars(material), "notes": np.array(material.notes, dtype=np.str_)}
    write_files({cache: partial(np.savez, **arrays)})
    return material


def joined(recordings: Iterable[tuple[str, NDArray[np.float32]]]) -> Material:
    """Join recordings (group, samples) at 16 kHz; recordings of a group must be consecutive."""
    pieces = [np.zeros(0, np.int16)]
    spans: list[list[int]] = []
    names: list[str] = []
    position = 0
    for name, piece in recordings:
        pieces.append(np.round(np.clip(piece, -1, 1) * 32767).astype(np.int16))
        if not names or names[-1] != name:
            names.append(name)
            spans.append([position, position])
        position += len(piece)
        spans[-1][1] = position
    return Material(np.concatenate(pieces), np.array(spans), np.array(names, np.str_))


def _read(folder: Path, listing: Sequence[tuple[str, Path]], speech: bool) -> Material:
    oddities = {
        "not at 16 kHz: resampled": 0,
        "of several channels: the first is used": 0,
        "silent: left out": 0,
    }

    def recordings() -> Iterator[tuple[str, NDArray[np.float32]]]:  # one at a time, to save memory
        for name, path in listing:
            piece, rate, channels = read_mono(path)
            if speech:
                piece = even_level(piece)
            silent = not np.any(piece)
            for what, so in zip(oddities, (rate != SAMPLE_RATE, channels > 1, silent), strict=True):
                oddities[what] += so
            if not silent:
                yield name, piece

    material = joined(recordings())
    if not len(material.spans):
        raise DssError(f"{folder}: every audio file there is silent")
    notes = [f"{folder}: {n} of {len(listing)} files {what}" for what, n in oddities.items() if n]
    return replace(material, notes=tuple(notes))


def _listing(folder: Path, split: str | None, key: str) -> list[tuple[str, Path]]:
    """Return (group, file) pairs, sorted by group.

    Raises:
        DssError: the manifest cannot be read, or lacks the columns or the split.
    """
    manifest = folder / "MANIFEST.csv"
    if manifest.exists():
        try:
            with manifest.open(newline="", encoding="utf-8") as handle:
                every = list(csv.DictReader(handle))
        except OSError as error:
            raise DssError(f"{manifest}: cannot be read: {error.strerror}") from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise DssError(f"{manifest}: not a CSV file in UTF-8: {error}") from error
        rows = [row for row in every if split is None or row.get("split") == split]
        if every and not rows:
            there = sorted({row["split"] for row in every if row.get("split")})
            has = f"there is {', '.join(there)}" if there else "there is no column split"
            raise DssError(f"{manifest}: no line of split {split!r}; {has}")
        try:
            first = rows[0]["path"] if rows else ""
            beside = not (folder / first).exists() and (folder.parent / first).exists()
            root = folder.parent if beside else folder
            return sorted((row[key], root / row["path"]) for row in rows)
        except (KeyError, TypeError):
            columns = " and ".join(dict.fromkeys(("path", key)))
            raise DssError(f"{manifest}: every line needs {columns}") from None
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES)
    return sorted((p.parent.name if key == "speaker" else p.relative_to(folder).as_posix(), p) for p in files)


def _state(path: Path) -> tuple[int, int]:
    """Return size and modification time of a file, so that a changed file is read again."""
    try:
        status = path.stat()
    except OSError as error:
        raise DssError(f"{path}: cannot be read: {error.strerror}; repair it or leave it out") from error
    return status.st_size, status.st_mtime_ns


def read_mono(path: Path) -> tuple[NDArray[np.float32], int, int]:
    """Return the first channel of a file at 16 kHz, and the file's own rate and number of channels.

    Raises:
        DssError: the file cannot be read, or has samples that are not finite.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        reason = getattr(error, "error_string", None) or str(error)
        raise DssError(f"{path}: cannot be read: {reason.rstrip('.')}; repair it or leave it out") from error
    if not np.isfinite(samples).all():
        raise DssError(f"{path}: samples that are not numbers; repair it or leave it out")
    mono = samples[:, 0]  # one channel, because a sum of channels would be comb-filtered
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE)
    return mono, rate, samples.shape[1]


def even_level(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale samples to an `active_level` of SPEECH_RMS; nearly silent samples become silence."""
    level = active_level(samples)
    return samples * np.float32(SPEECH_RMS / level) if level > 1e-5 else samples * 0


def active_level(samples: NDArray[np.float32]) -> float:
    """Return the RMS of the 20 ms frames within 30 dB of the loudest one; 0 for less than one frame."""
    frame = SAMPLE_RATE // 50
    usable = len(samples) // frame * frame
    if not usable:
        return 0.0
    power = np.mean(samples[:usable].reshape(-1, frame) ** 2, axis=1)
    active = power[power > power.max() * 1e-3]
    return float(np.sqrt(active.mean())) if len(active) else 0.0
