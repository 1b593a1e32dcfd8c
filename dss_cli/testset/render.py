"""One scene of a test set, a function of (seed, name of the stratum, index) and the material."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ..constants import SAMPLE_RATE
from ..errors import DssError
from ..simulation.corpus import Material
from ..simulation.limits import FAR_INDOOR, FAR_OUTDOOR
from ..simulation.measured_rirs import Rooms
from ..simulation.mixing import KINDS, Recipe, render
from ..simulation.rir import Response, check_place
from ..simulation.rooms import simulate_place
from .strata import Stratum

RECIPE = Recipe(free_gain=0.0)  # levels and microphones as heard, kinds and noise as the stratum says
RESPONSE_SECONDS = 1.0
FACADES = (3.0, 20.0)  # metres from the microphone
MOST_REDRAWS = 100
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
    ingredients: Ingredients, stratum: Stratum, index: int, seed: int, seconds: float, rate: int
) -> RenderedScene:
    """Scene `index` of a stratum; the same arguments give the same samples.

    Rendered at 16 kHz whatever the rate in Hz is; to another one each part is resampled, then rounded.

    Raises:
        DssError: no place passes the checks, or the material has too few talkers.
    """
    name = stratum.name
    digest = hashlib.sha256(name.encode()).digest()
    rng = np.random.default_rng([seed, *np.frombuffer(digest[:16], "<u4").tolist(), index])
    near, far, where = _responses(rng, ingredients, stratum)
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


def _responses(
    rng: np.random.Generator, ingredients: Ingredients, stratum: Stratum
) -> tuple[Sequence[Response], Sequence[Response], dict[str, Any]]:
    """Responses near and far in one place, and what there is to say of the place."""
    near_count, far_count = KINDS[stratum.kind]
    if stratum.environment == "measured":
        assert ingredients.rooms is not None
        return ingredients.rooms.draw(rng, near_count, far_count)
    furthest = (FAR_INDOOR if stratum.environment == "indoor" else FAR_OUTDOOR)[1]
    ranges = [stratum.near] * near_count + [(stratum.beyond, furthest)] * far_count
    facing = [True] * near_count + [False] * far_count
    for redraws in range(MOST_REDRAWS):
        place = simulate_place(
            rng,
            stratum.environment,
            ranges,
            seconds=RESPONSE_SECONDS,
            facing=facing,
            facade=FACADES if stratum.facade else None,
        )
        responses, rt60, faults = check_place(place)
        if not faults:
            where = {
                "rt60": place.rt60 or None,
                "rt60_measured": rt60,
                "room": place.size.tolist() if stratum.environment == "indoor" else None,
                "facade_m": place.facade,
                "microphone": place.microphone.tolist(),
                "redraws": redraws,
            }
            return responses[:near_count], responses[near_count:], where
    raise DssError(
        f"{stratum.name}: no place in {MOST_REDRAWS} draws passed the checks (the last: {faults[0]})"
    )
