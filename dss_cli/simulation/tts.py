"""Text-to-speech by eSpeak NG, from the wheel of `espeakng-loader`, through ctypes."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

# Constants of espeak-ng's speak_lib.h.
_SYNCHRONOUS = 2  # audio goes to the callback; espeak_Synth returns at the end
_CHARS_UTF8 = 1
_PARAMETER_RATE = 1  # words per minute
_PARAMETER_PITCH = 3  # 0 to 100
_PARAMETER_RANGE = 4  # 0 (monotone) to 100
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_SILENCE = 1e-3  # level below which samples around a sentence count as silence


@dataclass(frozen=True)
class SpeechVoice:
    """Parameters of a synthetic voice."""

    language: str  # such as "en-us"
    variant: str  # one of espeak-ng-data/voices/!v, such as "f3"
    words_per_minute: int
    pitch: int  # 0 to 100
    pitch_range: int  # 0 (monotone) to 100


class Synthesiser:
    """eSpeak NG engine, loaded once.

    The engine keeps state between sentences, so equal samples require the same sequence of sentences in a new
    process.

    Raises:
        ImportError: `espeakng-loader` is not installed.
        RuntimeError: the library does not start.
    """

    def __init__(self) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path()
        self._variants = Path(data) / "voices" / "!v"
        self.sample_rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), 0)
        if self.sample_rate <= 0:
            raise RuntimeError(f"eSpeak NG did not start with its data in {data}")
        self._blocks: list[npt.NDArray[np.int16]] = []
        self._callback = _CALLBACK(self._receive)  # a reference is needed, because C holds only a pointer
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(0))

    def _receive(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if samples and count > 0:
            # The engine reuses its buffer, hence the copy.
            self._blocks.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0

    def speak(self, text: str, voice: SpeechVoice) -> npt.NDArray[np.float64]:
        """Return one sentence at `sample_rate`, (samples,) with full scale at 1, without silence around it.

        Raises:
            RuntimeError: there is no such voice, or the engine returns no samples.
        """
        # For an unknown variant, eSpeak silently uses its default voice.
        if not (self._variants / voice.variant).is_file():
            raise RuntimeError(f"eSpeak NG has no voice variant {voice.variant!r}")
        name = f"{voice.language}+{voice.variant}"
        if self._library.espeak_SetVoiceByName(name.encode()):
            raise RuntimeError(f"eSpeak NG has no voice {name!r}")
        for parameter, value in (
            (_PARAMETER_RATE, voice.words_per_minute),
            (_PARAMETER_PITCH, voice.pitch),
            (_PARAMETER_RANGE, voice.pitch_range),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)

        self._blocks.clear()
        data = text.encode()
        self._library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 0, 0, _CHARS_UTF8, None, None)
        if not self._blocks:
            raise RuntimeError(f"eSpeak NG said nothing for {text!r}")
        samples = np.concatenate(self._blocks) / 2.0**15
        loud = np.flatnonzero(np.abs(samples) > _SILENCE)
        return samples[loud[0] : loud[-1] + 1]
