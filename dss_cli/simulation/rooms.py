"""Places of protocol 2: rooms similar to measured ones, outdoor places, and their responses.

Rooms range from a small office to a hall; small rooms are drier. Reverberation decreases with frequency.
Talkers are directive, and most of them approximately face the microphone. One microphone of four is a
cardioid. docs/experiments/02-rooms.md has the table of simulated and measured rooms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .absorption import absorption_per_octave, octave_rt60
from .directivity import Microphone, Mouth, mouth
from .image_sources import Images, Shoebox, respond
from .octaves import BANDS
from .positions import MARGIN, stand, talker_position

Array = NDArray[np.float64]
Range = tuple[float, float]

LONGEST = 1.3  # longest response in seconds
OUTDOOR_SECONDS = 0.2  # length of a response outdoors, which includes the reflections of ground and facade
RT60 = (0.1, 1.4)  # seconds, in the octaves of 500 Hz to 2 kHz

SIZES: tuple[tuple[float, tuple[Range, Range, Range]], ...] = (  # share, then metres along x, y and z
    (0.20, ((2.5, 4.5), (3.0, 4.5), (2.3, 2.8))),  # offices, bedrooms
    (0.30, ((4.0, 8.0), (3.0, 6.0), (2.4, 3.2))),  # living rooms, meeting rooms
    (0.28, ((6.0, 12.0), (5.0, 9.0), (2.6, 4.0))),  # classrooms, open offices
    (0.22, ((10.0, 25.0), (8.0, 15.0), (3.5, 8.0))),  # halls
)
MEDIAN_VOLUME = 60.0  # cubic metres
LIVE = (0.58, 0.85, 0.40)  # median RT60 at that volume, exponent of the volume, spread of the logarithm
SOFT = (0.105, 0.15, 0.30)  # the same for damped rooms, treated or furnished
DRY = 0.44  # share of damped rooms
TREBLE = (0.70, 0.18, 0.5, 1.0)  # ratio of RT60 at 4 kHz and 500 Hz: median, spread of the logarithm, limits
BASS = (1.15, 0.2, 0.75, 1.7)  # ratio of RT60 at 125 Hz and 500 Hz: the same
UNEVEN = 0.05  # standard deviation of each octave's logarithm around this profile
WALLS = 0.4  # standard deviation of the logarithm of the absorption between walls
JITTER = 0.05  # largest displacement of images in metres

FACING = {  # distances in metres, and share of talkers who approximately face the microphone
    "indoor": (
        (1.0, 1.2, 2.4, 3.7),
        (0.93, 0.97, 0.97, 0.17),
    ),  # far talkers in a room usually speak to others
    "outdoor": ((0.8, 2.4), (0.94, 0.6)),
}
NEARLY = np.radians(25)  # largest deviation of facing talkers
AWAY = np.radians(115)  # least deviation of talkers who look away
NOD = np.radians(15)  # standard deviation of the elevation of mouths
MOUTH_SHARE = (1.0, 1.2)  # range of the talkers' directivity, relative to `MOUTH_INDEX`
CARDIOID = 0.25  # share of directional microphones
AIMS = (0.3, 0.5, 0.2)  # shares of cardioids that point at a near talker, at a far talker, elsewhere
LEAST_GAIN = 0.05  # least sensitivity towards any talker: a talker in the null would not be heard

GROUND = np.array(  # absorption of the ground per octave, from asphalt to grass
    [[0.01, 0.01, 0.02, 0.02, 0.03, 0.04, 0.05], [0.10, 0.20, 0.35, 0.50, 0.60, 0.65, 0.70]]
)
FACADE = np.array([0.02, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07])  # absorption of plaster and glass
OPEN = np.array([40.0, 40.0, 10.0])  # metres of the box whose floor is the ground


@dataclass(frozen=True)
class Room:
    """Place of protocol 2 with its responses to one microphone.

    Attributes:
        environment: "indoor" or "outdoor".
        rt60: requested reverberation time in seconds, middle octaves (0 outdoors).
        octaves: (7,) requested reverberation time per octave (0 outdoors).
        box: walls; outdoors only the ground and possibly a facade.
        microphone: position and directivity of the microphone.
        positions: (sources, 3) positions of the talkers in metres.
        mouths: directivity of each talker.
        distances: (sources,) distances to the microphone in metres.
        responses: (sources, taps) float32, delayed by image_sources.LEAD samples.
        images: images of each source.
        facade: distance from the microphone to a wall outdoors in metres, or None.
    """

    environment: str
    rt60: float
    octaves: Array
    box: Shoebox
    microphone: Microphone
    positions: Array
    mouths: tuple[Mouth, ...]
    distances: Array
    responses: NDArray[np.float32]
    images: tuple[Images, ...]
    facade: float | None = None


def simulate_room(
    rng: np.random.Generator,
    environment: str,
    ranges: Sequence[Range],
    near: int,
    rt60: Range = RT60,
    seconds: float = LONGEST,
    facade: Range | None = None,
) -> Room:
    """Draw a place and simulate one response for each range of distances.

    Args:
        rng: random generator.
        environment: "indoor" or "outdoor".
        ranges: (least, most) distance in metres for each source.
        near: number of near talkers, who come first.
        rt60: limits of the reverberation time indoors in seconds.
        seconds: longest response; shorter if the room decays earlier.
        facade: range of the distance of one reflecting wall outdoors in metres; None: no wall.
    """
    while True:
        wall = None if facade is None else float(rng.uniform(*facade))
        box, octaves = _indoor(rng, rt60) if environment == "indoor" else _outdoor(rng, wall)
        place = stand(rng, box.size, environment)
        if wall is not None:
            place[0] = wall
        drawn = [talker_position(rng, box.size, place, span) for span in ranges]
        positions = [position for position in drawn if position is not None]
        if len(positions) < len(ranges):
            continue
        microphone = _microphone(rng, place, positions, near)
        towards = place - np.array(positions)
        if np.abs(microphone.gains(-towards)).min() > LEAST_GAIN:
            break
    mouths = tuple(_mouth(rng, way, environment) for way in towards)
    length = OUTDOOR_SECONDS
    if environment == "indoor":
        length = min(seconds, 1.1 * float(octaves.max()) + 0.05)
    responses, images = respond(rng, box, positions, mouths, microphone, length)
    return Room(
        environment,
        float(octaves[2:5].mean()),
        octaves,
        box,
        microphone,
        np.array(positions),
        mouths,
        np.linalg.norm(towards, axis=1),
        responses,
        tuple(images),
        wall,
    )


def _indoor(rng: np.random.Generator, limits: Range) -> tuple[Shoebox, Array]:
    shares = np.array([share for share, _ in SIZES])
    while True:
        spans = SIZES[int(rng.choice(len(SIZES), p=shares))][1]
        size = np.array([rng.uniform(*span) for span in spans])
        median, growth, spread = SOFT if rng.uniform() < DRY else LIVE
        middle = median * (np.prod(size) / MEDIAN_VOLUME) ** growth * np.exp(rng.normal(0, spread))
        asked = float(np.clip(middle, *limits)) * _profile(rng)
        walls = np.exp(rng.normal(0, WALLS, 6))
        absorption = absorption_per_octave(asked, size, walls)
        reached = octave_rt60(size, absorption)
        if np.abs(np.log(reached[2:5] / asked[2:5])).max() < 0.05:  # the walls can reach that time
            return Shoebox(size, absorption, JITTER), reached


def _profile(rng: np.random.Generator) -> Array:
    """Draw the reverberation time per octave relative to the middle octaves, (7,)."""
    treble, bass = (
        float(np.clip(median * np.exp(rng.normal(0, spread)), low, high))
        for median, spread, low, high in (TREBLE, BASS)
    )
    octave = np.log2(BANDS / 500)
    slope = np.where(octave > 0, np.log(treble) / 3 * octave, -np.log(bass) / 2 * octave)
    slope += rng.normal(0, UNEVEN, len(BANDS))
    return np.exp(slope - slope[2:5].mean())


def _outdoor(rng: np.random.Generator, facade: float | None) -> tuple[Shoebox, Array]:
    share = rng.uniform()
    absorption = np.ones((6, len(BANDS)))
    absorption[4] = share * GROUND[1] + (1 - share) * GROUND[0]
    if facade is not None:
        absorption[0] = FACADE
    order = 1 if facade is None else 2  # includes the facade's echo from the ground
    return Shoebox(OPEN, absorption, order=order), np.zeros(len(BANDS))


def _microphone(rng: np.random.Generator, place: Array, positions: Sequence[Array], near: int) -> Microphone:
    """Draw a microphone: three of four are omnidirectional; a cardioid points at a talker or elsewhere."""
    directional = rng.uniform() < CARDIOID
    aim = int(rng.choice(3, p=AIMS))
    axis = rng.normal(size=3) * [1, 1, 0.4]
    if aim == 0 and near:
        axis = positions[int(rng.integers(near))] - place
    elif aim == 1 and near < len(positions):
        axis = positions[int(rng.integers(near, len(positions)))] - place
    return Microphone(place, axis / np.linalg.norm(axis), 0.5 if directional else 1.0)


def _mouth(rng: np.random.Generator, towards: Array, environment: str) -> Mouth:
    """Draw a talker who approximately faces the microphone, or looks away (more often at a distance)."""
    facing = float(np.interp(np.linalg.norm(towards), *FACING[environment]))
    faces = rng.uniform() < facing
    turn = rng.uniform(0, NEARLY) if faces else rng.uniform(AWAY, np.pi)
    azimuth = np.arctan2(towards[1], towards[0]) + turn * rng.choice([-1, 1])
    nod = rng.normal(0, NOD)
    if faces:
        nod += np.arctan2(towards[2], np.hypot(towards[0], towards[1]))
    axis = np.array([np.cos(azimuth) * np.cos(nod), np.sin(azimuth) * np.cos(nod), np.sin(nod)])
    return mouth(axis, rng.uniform(*MOUTH_SHARE))


assert MARGIN > JITTER  # an image never meets the microphone
