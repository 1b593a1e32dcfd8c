"""Places of protocol 1: rooms and outdoor places with near and far talkers, and their responses.

Indoor places are shoebox rooms by image sources with random displacement of the images (perfect shoeboxes
have sweeping echoes), and with absorption that differs between walls and frequencies. Outdoor places have
only a reflecting ground and air, as published (Bae et al. 2025), and a facade on request. Talkers are
directive, so that talkers who face away differ from talkers who are farther away.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyroomacoustics as pra
from numpy.typing import NDArray

from ..constants import SAMPLE_RATE, SPEED_OF_SOUND
from ..distances import FAR_INDOOR
from .absorption import scale_for
from .image_sources import LEAD
from .positions import stand, talker_position

BANDS = [125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0]
MOUTH_SPREAD = np.radians(50)  # largest deviation of a near talker from the microphone
MOUTH = (0.6, 0.85)  # subcardioid
MAX_ORDER = 60
GROUND = {  # absorption of the ground per octave, hard to soft (asphalt to grass)
    "hard": [0.01, 0.01, 0.02, 0.02, 0.03, 0.04],
    "soft": [0.10, 0.20, 0.35, 0.50, 0.60, 0.65],
}

assert int(pra.constants.get("frac_delay_length")) // 2 == LEAD  # half the interpolation length

FACADE = [0.02, 0.02, 0.03, 0.04, 0.05, 0.06]  # absorption of plaster and glass


@dataclass(frozen=True)
class Place:
    """Responses of one place to one microphone.

    Attributes:
        environment: "indoor" or "outdoor".
        rt60: requested reverberation time in seconds (0 outdoors).
        distances: (sources,) distances to the microphone in metres.
        responses: one float32 response per source, with true levels (1 / r for the direct path) and delays
            (plus LEAD samples).
        size: (3,) size of the room in metres; outdoors of the box whose floor is the ground.
        microphone: (3,) position in metres.
        positions: (sources, 3) positions in metres.
        gains: (sources,) directivity of each talker towards the microphone, 1 straight ahead.
        facade: distance from the microphone to a wall outdoors in metres, or None.
        reflections: delays of all reflections of each source in samples, without LEAD.
    """

    environment: str
    rt60: float
    distances: NDArray[np.float64]
    responses: list[NDArray[np.float32]]
    size: NDArray[np.float64]
    microphone: NDArray[np.float64]
    positions: NDArray[np.float64]
    gains: NDArray[np.float64]
    reflections: list[NDArray[np.float64]]
    facade: float | None = None


def simulate_place(
    rng: np.random.Generator,
    environment: str,
    ranges: Sequence[tuple[float, float]],
    rt60: tuple[float, float] = (0.15, 0.9),
    seconds: float = 0.6,
    facing: Sequence[bool] | None = None,
    facade: tuple[float, float] | None = None,
    mouth: tuple[float, float] = MOUTH,
) -> Place:
    """Draw a place and simulate one response for each range of distances.

    Args:
        rng: random generator.
        environment: "indoor" or "outdoor".
        ranges: (least, most) distance in metres for each source.
        rt60: range of reverberation times indoors in seconds.
        seconds: length of the responses, including a fade at the end.
        facing: for each source, whether the talker approximately faces the microphone; by default the near
            talkers do.
        facade: range of the distance of one reflecting wall outdoors in metres; None: no wall.
        mouth: range of the omnidirectional share p of a source: 1 is a point source, 0.5 a cardioid.
    """
    if facing is None:
        facing = [most < FAR_INDOOR[0] for _, most in ranges]
    while True:
        wall = None if facade is None else float(rng.uniform(*facade))
        room, asked = _indoor(rng, rt60, seconds) if environment == "indoor" else _outdoor(rng, wall)
        size = np.asarray(room.shoebox_dim)
        microphone = stand(rng, size, environment)
        if wall is not None:
            microphone[0] = wall
        drawn = [talker_position(rng, size, microphone, span) for span in ranges]
        positions = [position for position in drawn if position is not None]
        if len(positions) == len(ranges):
            break
    room.add_microphone(microphone)
    for position, towards_us in zip(positions, facing, strict=True):
        room.add_source(position, directivity=_mouth(rng, microphone - position, towards_us, mouth))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pra.random.seed(int(rng.integers(2**31)))  # seed of the displacement of images
        room.image_source_model()
        for source in room.sources:  # the sources themselves are not displaced
            source.images[:, source.orders == 0] = source.position[:, np.newaxis]
        room.compute_rir()
    return Place(
        environment,
        asked,
        np.array([np.linalg.norm(p - microphone) for p in positions]),
        [_trim(response, seconds) for response in room.rir[0]],
        size,
        microphone,
        np.array(positions),
        np.array([_gain(source, microphone) for source in room.sources]),
        [_reflections(source, microphone) for source in room.sources],
        wall,
    )


def _indoor(rng: np.random.Generator, rt60: tuple[float, float], seconds: float) -> tuple[pra.ShoeBox, float]:
    while True:
        size = np.array([rng.uniform(2.8, 9.0), rng.uniform(2.5, 7.0), rng.uniform(2.3, 3.6)])
        asked = rng.uniform(*rt60)
        try:
            pra.inverse_sabine(asked, size)
        except ValueError:  # the room is too large for such a short time
            continue
        tilt = rng.uniform(-0.25, 0.25) * np.linspace(-1, 1, len(BANDS)) + 1.0
        walls = np.exp(rng.normal(0.0, 0.4, 6))
        area = np.array([size[1] * size[2]] * 2 + [size[0] * size[2]] * 2 + [size[0] * size[1]] * 2)
        walls *= area.sum() / (walls * area).sum()  # the same mean absorption, distributed unevenly
        mean = scale_for(asked, size, walls)  # Sabine's formula holds only in diffuse fields
        if mean is None or mean * walls.max() * tilt.max() > 0.97:
            continue
        materials = {
            name: pra.Material({"coeffs": list(mean * share * tilt), "center_freqs": BANDS})
            for name, share in zip(("east", "west", "north", "south", "floor", "ceiling"), walls, strict=True)
        }
        order = int(np.ceil(SPEED_OF_SOUND * min(seconds, 1.2 * asked) / size.min()))
        room = pra.ShoeBox(
            size,
            fs=SAMPLE_RATE,
            materials=materials,
            max_order=min(order, MAX_ORDER),
            use_rand_ism=True,
            max_rand_disp=0.05,
            air_absorption=True,
        )
        return room, float(asked)


def _outdoor(rng: np.random.Generator, facade: float | None) -> tuple[pra.ShoeBox, float]:
    share = rng.uniform()
    hard, soft = np.array(GROUND["hard"]), np.array(GROUND["soft"])
    open_air = pra.Material({"coeffs": [1.0] * len(BANDS), "center_freqs": BANDS})
    ground = {"coeffs": list(share * soft + (1 - share) * hard), "center_freqs": BANDS}
    materials = dict.fromkeys(("east", "west", "north", "south", "ceiling"), open_air)
    materials["floor"] = pra.Material(ground)
    if facade is not None:
        materials["west"] = pra.Material({"coeffs": FACADE, "center_freqs": BANDS})
    room = pra.ShoeBox(
        [40.0, 40.0, 10.0],
        fs=SAMPLE_RATE,
        materials=materials,
        max_order=1 if facade is None else 2,  # includes the facade's echo from the ground
        air_absorption=True,
    )
    return room, 0.0


def _mouth(
    rng: np.random.Generator, towards: NDArray[np.float64], facing: bool, mouth: tuple[float, float]
) -> pra.directivities.CardioidFamily:
    """Draw a talker of the cardioid family, who approximately faces the microphone or looks anywhere."""
    azimuth = np.arctan2(towards[1], towards[0])
    turn = MOUTH_SPREAD if facing else np.pi
    direction = pra.directivities.DirectionVector(
        azimuth=azimuth + rng.uniform(-turn, turn), colatitude=np.pi / 2, degrees=False
    )
    return pra.directivities.CardioidFamily(direction, p=rng.uniform(*mouth))


def _gain(source: pra.SoundSource, microphone: NDArray[np.float64]) -> float:
    azimuth, colatitude, _ = pra.doa.cart2spher((microphone - source.position)[:, np.newaxis])
    return float(source.directivity.get_response(azimuth, colatitude, degrees=False)[0])


def _reflections(source: pra.SoundSource, microphone: NDArray[np.float64]) -> NDArray[np.float64]:
    images = source.images[:, source.orders > 0]
    return np.linalg.norm(images - microphone[:, np.newaxis], axis=0) * SAMPLE_RATE / SPEED_OF_SOUND


def _trim(response: NDArray[np.floating], seconds: float) -> NDArray[np.float32]:
    """Cut a response to `seconds` with a fade of 10 ms, which avoids a click."""
    length = round(seconds * SAMPLE_RATE)
    trimmed = np.array(response[:length], dtype=np.float32)
    if len(response) > length:
        fade = SAMPLE_RATE // 100
        trimmed[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return trimmed
