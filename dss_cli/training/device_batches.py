"""Data for mixing on the accelerator: tables that are copied once, and the numbers of each step.

A drawn scene is encoded in arrays of fixed shape, so that one compiled step renders any batch. Speech and
noise are stored in rows, and a voice is a number of consecutive rows. So indices stay within 32 bits for any
amount of speech, and a voice is read in long contiguous pieces.
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
SLOTS = tuple(max(counts) for counts in zip(*KINDS.values(), strict=True))  # most near and far talkers
TURNS = Turns().most  # largest number of intervals of a voice
SLOWEST, FASTEST = 0.8, 1.25  # range of paces
MARGIN = 64  # samples after a voice that the interpolation reads
HISS = 2**20  # samples of microphone noise; a scene uses a section from a random first sample
STRETCH = 256  # samples rendered from one exactly computed position in the recording

VOICE = {  # arrays of a voice: shape and type
    "row": ((), "int32"),  # first row in the speech table
    "shift": ((), "int32"),  # first sample, counted from that row
    "whole": ((), "int32"),  # half samples of speech per STRETCH samples of a scene, whole part
    "part": ((), "float32"),  # fractional part of the same
    "pace": ((), "float32"),
    "level": ((), "float32"),  # factor; 0: empty slot
    "spans": ((TURNS, 2), "float32"),  # samples; equal values: empty interval
    "timbre": ((len(KNOTS),), "float32"),  # dB
    "response": ((), "int32"),  # row in the table of responses
}
SCENE = {
    "colour": ((len(KNOTS),), "float32"),  # dB
    "corner": ((), "float32"),  # Hz
    "balance": ((), "float32"),  # level of far relative to near images; 0: unchanged
    "hiss": ((), "int32"),  # first sample
    "floor": ((), "float32"),  # level relative to the talkers
    "noise_row": ((), "int32"),
    "noise_shift": ((), "int32"),
    "noise": ((), "float32"),  # level relative to the talkers; 0: none
    "noise_span": ((2,), "float32"),  # interval of the noise in samples
    "tone": ((), "float32"),  # level of stationary noise before the gain; 0: none
    "tone_first": ((), "int32"),  # first sample in the hiss
    "tone_colour": ((len(KNOTS),), "float32"),  # dB
    "begins": ((), "float32"),  # end of the digital silence at the start, in samples
    "active": ((), "bool"),  # whether levels refer to the talkers' intervals
    "free": ((), "bool"),  # whether `gain` is the level of the mixture, and not the gain of the device
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
    """Recordings in rows; each group is followed by its own start, so that any voice is in consecutive rows.

    Attributes:
        rows: (rows, ROW) int16.
        first: first row of each group; the row starts with the sample before the group's first sample.
        reach: number of rows of a voice, from any sample of a group on.
    """

    rows: NDArray[np.int16]
    first: NDArray[np.int64]
    reach: int

    @classmethod
    def of(cls, material: Material, samples: int) -> Tape:
        """Lay out material for voices of `samples` samples."""
        reach = fft.next_fast_len(-(-(ROW + samples) // ROW), real=True)
        pieces = []
        for start, end in material.spans:
            whole = material.samples[start:end]
            pieces.append(np.resize(np.roll(whole, 1), ((len(whole) - 1) // ROW + reach, ROW)))
        first = np.cumsum([0, *(len(p) for p in pieces[:-1])])
        return cls(np.concatenate(pieces), first, reach)

    def find(self, group: int, sample: int) -> tuple[int, int]:
        """Return row and shift (at least 1) of a sample of a group."""
        return int(self.first[group]) + sample // ROW, sample % ROW + 1


class Desk:
    """Tables of a run's sources, and encoder of its batches."""

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
        """Draw a batch of scenes, each with its place in the bank, as a function of the seed."""
        return self.sources.draws(recipe, self.signal, size, seed, self.hiss, self.length)

    def numbers(self, draws: Sequence[tuple[int, Draw]]) -> Numbers:
        """Encode a batch for the layer `Mixing`, as the arrays of `number_shapes` by name.

        Raises:
            ValueError: a scene exceeds the range of paces or the number of intervals.
        """
        numbers = {name: np.zeros(shape, kind) for name, (shape, kind) in number_shapes(len(draws)).items()}
        numbers["pace"][:] = 1
        for i, (place, drawn) in enumerate(draws):
            self._scene(drawn, {name: numbers[name][i : i + 1] for name in SCENE | DEVICE})
            taken = [0, SLOTS[0]]  # next free slot of near and far
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
            raise ValueError(f"{len(voice.spans)} turns of one talker; at most {TURNS} are supported")
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
    """Return shape and type of the arrays of `size` scenes, by name."""
    voices = {name: ((size, sum(SLOTS), *shape), kind) for name, (shape, kind) in VOICE.items()}
    return voices | {name: ((size, *shape), kind) for name, (shape, kind) in (SCENE | DEVICE).items()}
