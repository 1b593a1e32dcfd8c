"""Scores of one scene; the measures of an output depend on whether its reference is active."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..constants import STEMS
from ..errors import DssError
from ..metrics import attenuation, leakage, si_sdr
from .conversation import CHANGES, LONG, score_conversation
from .speech_activity import FIGURES as ACTIVITY
from .speech_activity import score_activity
from .testset import ScoredScene

Floats = npt.NDArray[np.float32]
Row = dict[str, Any]

SILENCE = 2.0**-15  # peak of a silent reference: one 16-bit step, by rounding and dither
CLEAN_DB = 40.0  # SI-SDR of a mixture above which improvement is not scored
FLOOR_DB = -10 * np.log10(12 * 2.0**30)  # dBFS of 16-bit rounding noise, the lowest level reported
MEASURES = ("si_sdr", "si_sdri", "attenuation", "residual")
FIGURES = tuple(f"{stem}_{measure}" for stem in STEMS for measure in MEASURES)  # columns of a row


def score(
    scene: ScoredScene, mixture: Floats, references: dict[str, Floats], outputs: dict[str, Floats], rate: int
) -> Row:
    """Return the row of one scene: its description and its scores; undefined scores are None.

    An output with an active reference has `si_sdr` and `si_sdri` (improvement over the mixture; undefined if
    the mixture is nearly equal to the reference, as for a lone talker with only the microphone's noise). An
    output with a silent reference has `attenuation` (relative to the mixture) and `residual` (relative to the
    scene's noise). These scores are in dB. A scene with one active reference has `leakage`, the share of
    energy in the other output, and `swapped`, whether that share exceeds one half. Scenes of 10 s or more
    also have the figures of `conversation.score_conversation`.

    Args:
        scene: description of the scene.
        mixture: samples of the mixture `(samples,)`.
        references, outputs: samples `(samples,)` by stem.
        rate: sample rate in Hz.

    Raises:
        DssError: the mixture is silent, or an output is not finite.
    """
    if not mixture.any():
        raise DssError(f"{scene.files['mixture']}: silent; there is nothing to separate")
    row: Row = {
        "id": scene.id,
        "stratum": scene.stratum,
        "kind": scene.kind,
        "environment": scene.environment,
        "snr_db": scene.snr_db,
        "ur0": scene.ur0,
        "near_m": scene.near_m,
        "far_m": scene.far_m,
        "pair": scene.pair,
        **dict.fromkeys((*FIGURES, "leakage", "swapped", *CHANGES)),
        **score_conversation(references, outputs, rate, _starts(scene)),
        **dict.fromkeys((*ACTIVITY, "activity")),
    }
    if len(mixture) >= LONG * rate:
        row |= score_activity(references, outputs, rate)
    active = [stem for stem in STEMS if np.abs(references[stem]).max() > SILENCE]
    noise_level = _level(mixture - references["near"] - references["far"])
    for stem in STEMS:
        reference, output = references[stem], outputs[stem]
        if stem in active:
            row[f"{stem}_si_sdr"] = si_sdr(output, reference)
            if (unprocessed := si_sdr(mixture, reference)) <= CLEAN_DB:
                row[f"{stem}_si_sdri"] = row[f"{stem}_si_sdr"] - unprocessed
        else:
            row[f"{stem}_attenuation"] = attenuation(mixture, output)
            row[f"{stem}_residual"] = _level(output) - noise_level
    if len(active) == 1:
        (right,) = active
        (wrong,) = set(STEMS) - {right}
        row["leakage"] = leakage(outputs[right], outputs[wrong])
        row["swapped"] = row["leakage"] > 0.5
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}


def _starts(scene: ScoredScene) -> list[tuple[str, float]]:
    """Return role and start of each talker, in seconds of the scored part."""
    return [(role, start - (scene.scored[0] if scene.scored else 0.0)) for role, start in scene.starts]


def _level(samples: Floats) -> float:
    """Return the RMS level in dB re full scale, at least the level of 16-bit rounding noise."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return max(FLOOR_DB, 10 * np.log10(power)) if power else float(FLOOR_DB)
