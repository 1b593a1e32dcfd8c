"""One scene of a test set, a function of (seed, name of the stratum, index) and the material."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ..constants import SAMPLE_RATE
from ..simulation.corpus import Material
from ..simulation.measured_rirs import Rooms
from ..simulation.mixing import Recipe, render
from .responses import PROTOCOL, draw_responses
from .strata import Stratum

RECIPE = Recipe(free_gain=0.0)  # levels and microphones as heard, kinds and noise as the stratum says
FULL_SCALE = 2**23  # of 24-bit samples
PEAK = 0.999


@dataclass(frozen=True)
class Ingredients:
    """What the scenes of a test set are made of.

    Attributes:
        speech, noise: dry material; noise None leaves the scenes with the microphone's own.
        categories: of each recording of `noise`, "" where not known.
        rooms: measured responses, or None.
    """

    speech: Material
    noise: Material | None = None
    categories: tuple[str, ...] = ()
    rooms: Rooms | None = None

    def noises(self, category: str | None) -> list[int] | None:
        """Groups of `noise` of one category; None for all."""
        if category is None:
            return None
        return [i for i, name in enumerate(self.categories) if in_category(name, category)]


def in_category(name: str, word: str) -> bool:
    """Whether a category such as "traffic_street" is what a stratum calls "traffic"."""
    return word in name.lower().replace("-", "_").replace(" ", "_").split("_")


@dataclass(frozen=True)
class RenderedScene:
    """Samples of one scene as 24-bit integers (int32): mixture = near + far + noise, exactly.

    Attributes:
        record: the scene's line of metadata.jsonl.
    """

    mixture: NDArray[np.int32]
    near: NDArray[np.int32]
    far: NDArray[np.int32]
    noise: NDArray[np.int32]
    record: dict[str, Any]


def scene_id(stratum: Stratum, index: int) -> str:
    """Name of a scene's files."""
    return f"{stratum.name}-{index:04d}"


def make_scene(
    ingredients: Ingredients,
    stratum: Stratum,
    index: int,
    seed: int,
    seconds: float,
    rate: int,
    protocol: int = PROTOCOL,
) -> RenderedScene:
    """Scene `index` of a stratum; the same arguments give the same samples.

    Rendered at 16 kHz whatever the rate in Hz is; to another one each part is resampled, then rounded.

    Raises:
        DssError: no place passes the checks, or the material has too few talkers.
    """
    name = stratum.name
    digest = hashlib.sha256(name.encode()).digest()
    rng = np.random.default_rng([seed, *np.frombuffer(digest[:16], "<u4").tolist(), index])
    near, far, where = draw_responses(rng, ingredients.rooms, stratum, protocol)
    scene = render(
        rng,
        stratum.kind,
        RECIPE,
        [r.samples for r in near],
        [r.samples for r in far],
        ingredients.speech,
        ingredients.noise if stratum.snr_db is not None else None,
        round(seconds * SAMPLE_RATE),
        stratum.snr_db,
        ingredients.noises(stratum.category),
    )
    drawn = scene.drawn
    parts = [scene.near, scene.far, scene.noise]
    if rate != SAMPLE_RATE:
        parts = [soxr.resample(p, SAMPLE_RATE, rate) for p in parts]
    loudest = max(float(np.abs(p).max()) for p in [*parts, parts[0] + parts[1] + parts[2]])
    if loudest > PEAK:  # of a part: the mixture itself never clips
        parts = [p * np.float32(PEAK / loudest) for p in parts]
        drawn["gain_db"] += 20 * float(np.log10(PEAK / loudest))
    near_out, far_out, noise_out = (np.round(p * np.float64(FULL_SCALE)).astype(np.int32) for p in parts)
    responses = {"near": near, "far": far}
    talkers = []
    for talker in drawn["talkers"]:
        response = responses[talker["role"]][talker.pop("response")]
        talkers.append({**talker, **response.facts})
    record = {
        "id": scene_id(stratum, index),
        "index": index,
        "stratum": name,
        "kind": stratum.kind,
        "environment": stratum.environment,
        "snr_db": stratum.snr_db,
        "near_band": stratum.near_band,
        "ur0": stratum.ur0,
        "talkers": talkers,
        "noise_file": drawn.pop("noise", None),
        "noise_category": None,
        **where,
        **{key: value for key, value in drawn.items() if key != "talkers"},
        "samples": len(near_out),
    }
    if record["noise_file"] is not None and ingredients.noise is not None:
        group = ingredients.noise.names.tolist().index(record["noise_file"])
        record["noise_category"] = ingredients.categories[group] or None
    return RenderedScene(near_out + far_out + noise_out, near_out, far_out, noise_out, record)
