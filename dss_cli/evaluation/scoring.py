"""The scores of one scene: what is measured of an output depends on whether anybody is in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..constants import STEMS
from ..errors import DssError
from ..metrics import attenuation, leakage, si_sdr
from .conversation import CHANGES, score_conversation
from .testset import ScoredScene

Floats = npt.NDArray[np.float32]
Row = dict[str, Any]

SILENCE = 2.0**-15  # peak of what counts as silent: one 16-bit step, as rounding and dither leave
CLEAN_DB = 40.0  # SI-SDR of a mixture beyond which there is nothing to improve
FLOOR_DB = -10 * np.log10(12 * 2.0**30)  # dBFS: the rounding of 16 bits, under which no level is told
MEASURES = ("si_sdr", "si_sdri", "attenuation", "residual")
FIGURES = tuple(f"{stem}_{measure}" for stem in STEMS for measure in MEASURES)  # of a row


def score(
    scene: ScoredScene, mixture: Floats, references: dict[str, Floats], outputs: dict[str, Floats], rate: int
) -> Row:
    """One row: who and where, and the scores. What has no meaning for the scene is None.

    An output whose reference is active has `si_sdr` and `si_sdri` (over the mixture's own; not
    where the mixture is as good as the reference: a lone talker with nothing but the microphone's
    noise). One whose reference is silent has `attenuation` (below the mixture) and `residual`
    (above the scene's noise). All in dB. A scene with one active reference has `leakage`, the share
    of energy that left by the other output, and `swapped`, whether that is more than half.

    Scenes of 10 s and more have the figures of `conversation.score_conversation` as well.

    Args:
        scene: for the row's first columns.
        mixture, references, outputs: `(samples,)` each, the latter two by stem.
        rate: of all, in Hz.

    Raises:
        DssError: a silent mixture, or outputs that are not finite.
    """
    if not mixture.any():
        raise DssError(f"{scene.files['mixture']}: silent; there is nothing to separate in it")
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
    }
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
    """When each talker begins, in seconds of what is scored."""
    return [(role, start - (scene.scored[0] if scene.scored else 0.0)) for role, start in scene.starts]


def _level(samples: Floats) -> float:
    """RMS in dB re full scale, not below the rounding of 16 bits."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return max(FLOOR_DB, 10 * np.log10(power)) if power else float(FLOOR_DB)
