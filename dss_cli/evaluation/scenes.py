"""Score one scene."""

from __future__ import annotations

from ..constants import STEMS
from .perceptual import MEASURES, measures
from .scoring import Floats, Row, score
from .systems import Outputs
from .testset import ScoredScene


def score_scene(outputs: Outputs, scene: ScoredScene, rate: int, perceptual: bool) -> Row:
    """Read a scene, separate it, and score the stems.

    Raises:
        DssError: a file is missing or damaged, or the outputs are unusable.
    """
    mixture = scene.read("mixture", rate)
    references = {stem: scene.read(stem, rate, len(mixture)) for stem in STEMS}
    made = outputs(scene, rate, len(mixture))
    if scene.scored:
        part = slice(*(round(second * rate) for second in scene.scored))
        mixture, references, made = mixture[part], _cut(references, part), _cut(made, part)
    row = score(scene, mixture, references, made, rate)
    if perceptual:
        both = measures(rate)
        for stem in STEMS:
            active = row[f"{stem}_si_sdr"] is not None
            scores = both(references[stem], made[stem]) if active else dict.fromkeys(MEASURES)
            row |= {f"{stem}_{measure}": value for measure, value in scores.items()}
    return row


def _cut(stems: dict[str, Floats], part: slice) -> dict[str, Floats]:
    return {stem: samples[part] for stem, samples in stems.items()}
