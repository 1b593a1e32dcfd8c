"""Make one scene of a test set, as a function of (seed, name of the stratum, index) and the material."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ..constants import SAMPLE_RATE
from ..simulation.corpus import Material, active_level
from ..simulation.measured_rirs import Rooms
from ..simulation.mixing import Scene, mix, render
from ..simulation.recipe import Recipe
from ..simulation.scene_sampling import draw
from .preambles import make_preamble
from .responses import PROTOCOL, draw_responses
from .stories import LEAST, MOST, STORIES, Story, draw_story
from .strata import Company, Stratum

RECIPE = Recipe(free_gain=0.0)  # levels and microphones as in training; kinds and noise from the stratum
TALKING = replace(RECIPE, active_levels=True, talker_seconds=30.0)  # settings for conversations
FULL_SCALE = 2**23  # full scale of 24-bit samples
PEAK = 0.999


@dataclass(frozen=True)
class Ingredients:
    """Material of a test set.

    Attributes:
        speech: dry speech.
        noise: environmental noise; None: only the microphone's own noise.
        categories: category of each recording of `noise`, "" if unknown.
        rooms: measured responses, or None.
    """

    speech: Material
    noise: Material | None = None
    categories: tuple[str, ...] = ()
    rooms: Rooms | None = None

    def noises(self, category: str | None) -> list[int] | None:
        """Return the groups of `noise` of one category; None (all groups) for no category."""
        if category is None:
            return None
        return [i for i, name in enumerate(self.categories) if in_category(name, category)]


def in_category(name: str, word: str) -> bool:
    """Return whether a category such as "traffic_street" contains a stratum's word such as "traffic"."""
    return word in name.lower().replace("-", "_").replace(" ", "_").split("_")


@dataclass(frozen=True)
class RenderedScene:
    """Samples of one scene as 24-bit integers (int32), with mixture = near + far + noise exactly.

    Attributes:
        mixture, near, far, noise: samples `(samples,)`.
        record: line of the scene in metadata.jsonl.
    """

    mixture: NDArray[np.int32]
    near: NDArray[np.int32]
    far: NDArray[np.int32]
    noise: NDArray[np.int32]
    record: dict[str, Any]


def scene_id(stratum: Stratum, index: int) -> str:
    """Return the name of a scene's files."""
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
    """Make scene `index` of a stratum; equal arguments give equal samples.

    Scenes are rendered at 16 kHz. For another rate each part is resampled, then rounded.

    Args:
        ingredients: material.
        stratum: stratum of the scene.
        index: index of the scene in its stratum.
        seed: seed of the test set.
        seconds: duration of scenes of strata without their own duration.
        rate: sample rate of the result in Hz.
        protocol: protocol of the simulated rooms, 1 or 2.

    Raises:
        DssError: no place passes the checks, or the material has too few talkers.
    """
    length = round((stratum.seconds or seconds) * SAMPLE_RATE)
    made = _make(ingredients, stratum.alone(), index, seed, length, protocol)
    parts, facts = made.parts, made.facts
    if stratum.company:
        parts, more = _accompanied(ingredients, stratum, stratum.company, index, seed, made, protocol)
        facts |= {"pair": scene_id(stratum.alone(), index), **more}
    if rate != SAMPLE_RATE:
        parts = [soxr.resample(p, SAMPLE_RATE, rate) for p in parts]
    loudest = max(float(np.abs(p).max()) for p in [*parts, parts[0] + parts[1] + parts[2]])
    if loudest > PEAK:  # peak of a part: the mixture itself never clips
        parts = [p * np.float32(PEAK / loudest) for p in parts]
        facts["gain_db"] += 20 * float(np.log10(PEAK / loudest))
    near_out, far_out, noise_out = (np.round(p * np.float64(FULL_SCALE)).astype(np.int32) for p in parts)
    record = {
        "id": scene_id(stratum, index),
        "index": index,
        "stratum": stratum.name,
        "kind": stratum.kind,
        "environment": stratum.environment,
        "snr_db": stratum.snr_db,
        "near_band": stratum.near_band,
        "ur0": stratum.ur0,
        "talkers": facts.pop("talkers"),
        "noise_file": facts.pop("noise", None),
        "noise_category": None,
        **facts,
        "samples": len(near_out),
    }
    if record["noise_file"] is not None and ingredients.noise is not None:
        group = ingredients.noise.names.tolist().index(record["noise_file"])
        record["noise_category"] = ingredients.categories[group] or None
    return RenderedScene(near_out + far_out + noise_out, near_out, far_out, noise_out, record)


@dataclass(frozen=True)
class _Made:
    """Scene at 16 kHz: near, far and noise, and the facts for its record."""

    parts: list[NDArray[np.float32]]
    facts: dict[str, Any]


def _make(
    ingredients: Ingredients, stratum: Stratum, index: int, seed: int, length: int, protocol: int
) -> _Made:
    """Make scene `index` of a stratum without company; the name of the stratum is part of the seed."""
    rng = _random(seed, stratum.name, index)
    story = None
    if stratum.kind in STORIES:
        most = MOST[stratum.kind][1]
        if stratum.environment == "measured" and ingredients.rooms is not None:
            most = ingredients.rooms.most_far(LEAST[stratum.kind][0])
        story = draw_story(rng, stratum.kind, index, length, most)
    counts = (len(story.near), len(story.far)) if story else LEAST[stratum.kind]
    near, far, where = draw_responses(rng, ingredients.rooms, stratum, counts, protocol)
    responses = [r.samples for r in near], [r.samples for r in far]
    speech = ingredients.speech
    noise = ingredients.noise if stratum.snr_db is not None else None
    noises = ingredients.noises(stratum.category)
    if story:
        scene = _tell(rng, stratum, story, responses, speech, noise, length, noises)
        where["form"] = story.form
    else:
        scene = render(rng, stratum.kind, RECIPE, *responses, speech, noise, length, stratum.snr_db, noises)
    talkers = []
    for talker in scene.drawn["talkers"]:
        response = (near if talker["role"] == "near" else far)[talker.pop("response")]
        talkers.append({**talker, **response.facts})
    return _Made([scene.near, scene.far, scene.noise], {**where, **scene.drawn, "talkers": talkers})


def _random(seed: int, name: str, index: int) -> np.random.Generator:
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest[:16], "<u4").tolist(), index])


def _tell(
    rng: np.random.Generator,
    stratum: Stratum,
    story: Story,
    responses: tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]],
    speech: Material,
    noise: Material | None,
    length: int,
    noises: list[int] | None,
) -> Scene:
    """Mix a conversation."""
    taps = max(len(r) for side in responses for r in side)
    drawn = draw(
        rng,
        stratum.kind,
        TALKING,
        (len(responses[0]), len(responses[1])),
        taps,
        speech,
        noise,
        length,
        stratum.snr_db,
        noises,
        spans=(story.near, story.far),
    )
    if story.same:
        comes, *rest = drawn.voices
        was = next(voice for voice in rest if voice.role == "far")
        comes = replace(was, role="near", response=comes.response, spans=comes.spans)
        drawn = replace(drawn, voices=(comes, *rest))
    return mix(drawn, *responses, speech, noise)


def _accompanied(
    ingredients: Ingredients,
    stratum: Stratum,
    company: Company,
    index: int,
    seed: int,
    made: _Made,
    protocol: int,
) -> tuple[list[NDArray[np.float32]], dict[str, Any]]:
    """Add company before or after a scene; return the parts, and the facts that change."""
    name = f"{stratum.alone().name}-{company.sound}"
    samples = round(company.seconds * SAMPLE_RATE)
    if company.sound == "recording":
        other = _make(ingredients, stratum.alone(), index, seed + 1, samples, protocol)
        beside = other.parts
    else:
        loud = active_level(made.parts[0] + made.parts[1])
        sound = make_preamble(_random(seed, name, index), company.sound, samples, loud)
        beside = [np.zeros_like(sound), np.zeros_like(sound), sound]
    order = (made.parts, beside) if company.after else (beside, made.parts)
    start = 0.0 if company.after else company.seconds
    talkers = [
        {**talker, "turns_s": [[low + start, high + start] for low, high in talker["turns_s"]]}
        for talker in made.facts["talkers"]
    ]
    scored = [start, start + len(made.parts[0]) / SAMPLE_RATE]
    facts = {"company": company.name, "scored_s": scored, "talkers": talkers}
    return [np.concatenate(both) for both in zip(*order, strict=True)], facts
