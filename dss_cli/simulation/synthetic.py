"""Synthetic speech for users without recordings: sufficient for trials, not for the evaluation of models."""

from __future__ import annotations

import importlib.metadata
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import soxr

from ..constants import SAMPLE_RATE
from ..errors import DssError
from .corpus import Material, even_level, joined, remembered
from .tts import SpeechVoice, Synthesiser

LANGUAGES = ("en-us", "en-gb-x-rp", "en-gb-scotland", "en-029")
VARIANTS = ("f1", "m1", "f2", "m2", "f3", "m3", "f4", "m4", "f5", "m5", "m6", "m7")
PAUSE = 0.25  # seconds between sentences
SENTENCES = (
    "The bus to the harbour leaves at twenty past nine.",
    "She keeps her old letters in a tin box under the stairs.",
    "Could you pass me the salt, and the small spoon next to it?",
    "We walked along the river until the rain became too heavy.",
    "Nobody had told him that the shop was closed on Mondays.",
    "Four large boxes of apples were standing in front of the door.",
    "If you turn left after the bridge, you will see the church.",
    "My brother plays the cello, and his daughter plays the drums.",
    "It takes about an hour to bake, so let us start with the dough.",
    "The radio said that the storm would reach us during the night.",
)


def load_synthetic() -> Material:
    """Return twelve voices of eSpeak NG, each at the same active level.

    Raises:
        DssError: the synthesiser is not installed or does not start.
    """
    try:
        version = importlib.metadata.version("espeakng-loader")
    except importlib.metadata.PackageNotFoundError:
        raise DssError(
            "without --speech the voices are synthetic, which needs a synthesiser: pip install 'dss-cli[dev]'"
        ) from None
    return remembered((version, LANGUAGES, VARIANTS, SENTENCES, PAUSE), _fresh)


def _fresh() -> Material:
    """Synthesise the voices in a new process, because the engine keeps state between sentences."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(_spoken).result()
        except (OSError, RuntimeError) as error:
            raise DssError(f"the speech synthesiser fails: {error}") from None


def _spoken() -> Material:
    synthesiser = Synthesiser()
    pause = np.zeros(round(PAUSE * SAMPLE_RATE), np.float32)
    recordings = []
    for number, variant in enumerate(VARIANTS):
        language = LANGUAGES[number % len(LANGUAGES)]
        voice = SpeechVoice(language, variant, 140 + 7 * (number % 5), 25 + 5 * number, 40 + 3 * number)
        for step in range(len(SENTENCES)):
            sentence = synthesiser.speak(SENTENCES[(number + step) % len(SENTENCES)], voice)
            samples = soxr.resample(sentence, synthesiser.sample_rate, SAMPLE_RATE).astype(np.float32)
            recordings.append((f"espeak/{language}+{variant}", np.append(even_level(samples), pause)))
    return joined(recordings)
