"""What mixing on the accelerator needs of the host: tables that stay there, and each step's numbers.

A draw becomes a row of numbers of fixed shape, so that one compiled step renders any batch. Speech and noise
are laid out in rows: a voice is some rows from a row on, which stays within 32-bit indices for any amount of
speech, and is a gather of long pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ..constants import SignalConfig
from ..simulation.corpus import Material
from ..simulation.recipe import KINDS, Recipe
from ..simulation.recording_chain import Capture
from ..simulation.rendering import Levels
from ..simulation.scene_sampling import KNOTS, Draw, Voice
from ..simulation.turns import Turns
from .data import Sources, chunk_length

Numbers = dict[str, NDArray[np.generic]]

ROW = 1024  # samples
SLOTS = tuple(max(counts) for counts in zip(*KINDS.values(), strict=True))  # most talkers near and far
TURNS = Turns().most  # intervals that there is room for in a voice
SLOWEST, FASTEST = 0.8, 1.25  # paces that there is room for
MARGIN = 64  # samples behind a voice, which interpolation reads
HISS = 2**20  # samples of the microphone's noise, from any of which on a scene's is cut
STRETCH = 256  # samples rendered from one exact position in the recording

VOICE = {  # the numbers of a voice: their shape and type
    "row": ((), "int32"),  # of speech, where it begins
    "shift": ((), "int32"),  # samples from there on
    "whole": ((), "int32"),  # samples of speech, in halves, that STRETCH samples of a scene take
    "part": ((), "float32"),  # and what is left of the last half
    "pace": ((), "float32"),
    "level": ((), "float32"),  # a factor; 0 leaves the slot empty
    "spans": ((TURNS, 2), "float32"),  # samples; equal ones leave the interval empty
    "timbre": ((len(KNOTS),), "float32"),  # dB
    "response": ((), "int32"),  # row of the bank's
}
SCENE = {
    "colour": ((len(KNOTS),), "float32"),  # dB
    "corner": ((), "float32"),  # Hz
    "balance": ((), "float32"),  # the far images' level over the near ones'; 0 leaves it as it is
    "hiss": ((), "int32"),  # first sample
    "floor": ((), "float32"),  # its level over the talkers'
    "noise_row": ((), "int32"),
    "noise_shift": ((), "int32"),
    "noise": ((), "float32"),  # its level over the talkers'; 0 leaves it out
    "noise_span": ((2,), "float32"),  # samples between which it is let through
    "tone": ((), "float32"),  # level of stationary noise ahead of the gain; 0 leaves it out
    "tone_first": ((), "int32"),  # sample of the hiss
    "tone_colour": ((len(KNOTS),), "float32"),  # dB
    "begins": ((), "float32"),  # sample before which there is digital silence
    "active": ((), "bool"),  # whether levels are meant over the talkers' intervals
    "free": ((), "bool"),  # whether `gain` is the mixture's level, or the device's gain
    "gain": ((), "float32"),
}
DEVICE = {  # see `Capture`
    "band": ((), "float32"),
    "drive": ((), "float32"),
    "levelling": ((), "float32"),
    "memory": ((), "int32"),
    "clips_first": ((), "bool"),
    "companded": ((), "bool"),
}


@dataclass(frozen=True)
class Tape:
    """Recordings in rows, each group followed by its own beginning: any voice is consecutive rows.

    Attributes:
        rows: (rows, ROW) int16.
        first: of each group, its first row, which begins with the sample before the group's first.
        reach: rows that a voice takes, from any of a group's samples on.
    """

    rows: NDArray[np.int16]
    first: NDArray[np.int64]
    reach: int

    @classmethod
    def of(cls, material: Material, samples: int) -> Tape:
        """Room for voices of `samples` samples."""
        reach = fft.next_fast_len(-(-(ROW + samples) // ROW), real=True)
        pieces = []
        for start, end in material.spans:
            whole = material.samples[start:end]
            pieces.append(np.resize(np.roll(whole, 1), ((len(whole) - 1) // ROW + reach, ROW)))
        first = np.cumsum([0, *(len(p) for p in pieces[:-1])])
        return cls(np.concatenate(pieces), first, reach)

    def find(self, group: int, sample: int) -> tuple[int, int]:
        """Row and shift, at least 1, of a sample of a group."""
        return int(self.first[group]) + sample // ROW, sample % ROW + 1


class Desk:
    """The tables of a run's sources, and the numbers of its batches."""

    def __init__(self, sources: Sources, signal: SignalConfig, length: int | None = None):
        """Lay out the tables for scenes of `length` samples, by default one chunk."""
        self.sources, self.signal = sources, signal
        self.length = chunk_length(signal) if length is None else length
        places, self._per_place, self.taps = sources.bank.responses.shape
        whole = self.length + self.taps
        self.speech = Tape.of(sources.speech, int(np.ceil(whole * FASTEST)) + MARGIN)
        silence = Material(np.zeros(1, np.int16), np.array([[0, 1]]), np.array([""]))
        self.noise = Tape.of(sources.noise or silence, whole)
        self.responses = sources.bank.responses.reshape(places * self._per_place, self.taps)
        self.hiss = np.random.default_rng(0).standard_normal(HISS, np.float32)

    def draws(self, recipe: Recipe, size: int, seed: Sequence[int]) -> list[tuple[int, Draw]]:
        """A batch of draws, each with its place in the bank: a function of the seed."""
        return self.sources.draws(recipe, self.signal, size, seed, self.hiss, self.length)

    def numbers(self, draws: Sequence[tuple[int, Draw]]) -> Numbers:
        """What the layer `Mixing` takes: the arrays of `number_shapes`, by name."""
        numbers = {name: np.zeros(shape, kind) for name, (shape, kind) in number_shapes(len(draws)).items()}
        numbers["pace"][:] = 1
        for i, (place, drawn) in enumerate(draws):
            self._scene(drawn, {name: numbers[name][i : i + 1] for name in SCENE | DEVICE})
            taken = [0, SLOTS[0]]  # the next slot near and far
            for voice in drawn.voices:
                far = voice.role == "far"
                slot, taken[far] = taken[far], taken[far] + 1
                pace = 1.0 if voice.pace is None else voice.pace
                if not SLOWEST <= pace <= FASTEST:
                    raise ValueError(f"a pace of {pace:.2f} lies outside {SLOWEST} to {FASTEST}")
                whole, part = divmod(2 * STRETCH * pace, 1)
                row, shift = self.speech.find(voice.speaker, voice.first)
                source = voice.response + (self.sources.bank.near_sources if far else 0)
                values: dict[str, Any] = {
                    "row": row,
                    "shift": shift,
                    "whole": whole,
                    "part": part,
                    "pace": pace,
                    "level": 10 ** (voice.level_db / 20),
                    "spans": self._spans(voice),
                    "timbre": 0 if voice.timbre is None else voice.timbre,
                    "response": place * self._per_place + source,
                }
                for name, value in values.items():
                    numbers[name][i, slot] = value
        return numbers

    @staticmethod
    def _spans(voice: Voice) -> NDArray[np.float32]:
        if len(voice.spans) > TURNS:
            raise ValueError(f"{len(voice.spans)} turns of one talker; there is room for {TURNS}")
        spans = np.zeros((TURNS, 2), np.float32)
        spans[: len(voice.spans)] = voice.spans
        return spans

    def _scene(self, drawn: Draw, row: Numbers) -> None:
        levels = {name: value for name, value in vars(Levels.of(drawn)).items() if value is not None}
        capture = asdict(levels.pop("capture", Capture()))
        first: dict[str, Any] = {
            "hiss": drawn.hiss_first,
            "begins": drawn.begins,
            "noise_span": drawn.noise_spans[0],
        }
        if "noise" in levels and drawn.noise is not None:
            first["noise_row"], first["noise_shift"] = self.noise.find(*drawn.noise)
        if drawn.tone is not None:
            first["tone_first"] = drawn.tone.first
        for name, value in (levels | capture | first).items():
            row[name][0] = value


def number_shapes(size: int) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and type of each of the numbers of `size` scenes."""
    voices = {name: ((size, sum(SLOTS), *shape), kind) for name, (shape, kind) in VOICE.items()}
    return voices | {name: ((size, *shape), kind) for name, (shape, kind) in (SCENE | DEVICE).items()}
