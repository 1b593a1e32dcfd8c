"""Where a scene of protocol 2 happens: rooms as measured ones are, and open places; the responses of one.

Rooms reach from a small office to a hall; small ones are drier. Reverberation falls with frequency. Talkers
are directive, most of them face the microphone or nearly; one microphone of four is a cardioid. See
docs/experiments/02-rooms.md for the table of simulated and measured rooms.
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

LONGEST = 1.3  # seconds of a response that are kept
OUTDOOR_SECONDS = 0.2  # of a response outdoors, by when ground and facade have answered
RT60 = (0.1, 1.4)  # seconds, in the octaves of 500 Hz to 2 kHz

SIZES: tuple[tuple[float, tuple[Range, Range, Range]], ...] = (  # share, then metres along x, y and z
    (0.20, ((2.5, 4.5), (3.0, 4.5), (2.3, 2.8))),  # offices, bedrooms
    (0.30, ((4.0, 8.0), (3.0, 6.0), (2.4, 3.2))),  # living rooms, meeting rooms
    (0.28, ((6.0, 12.0), (5.0, 9.0), (2.6, 4.0))),  # classrooms, open offices
    (0.22, ((10.0, 25.0), (8.0, 15.0), (3.5, 8.0))),  # halls
)
MEDIAN_VOLUME = 60.0  # cubic metres
LIVE = (0.58, 0.85, 0.40)  # median RT60 at that volume, its exponent of the volume, spread of its logarithm
SOFT = (0.105, 0.15, 0.30)  # the same of rooms full of soft things, treated or furnished
DRY = 0.44  # share of those
TREBLE = (0.70, 0.18, 0.5, 1.0)  # RT60 at 4 kHz over that at 500 Hz: median, spread of its logarithm, limits
BASS = (1.15, 0.2, 0.75, 1.7)  # RT60 at 125 Hz over that at 500 Hz, likewise
UNEVEN = 0.05  # standard deviation of each octave's logarithm around that
WALLS = 0.4  # standard deviation of the logarithm of the absorption from wall to wall
JITTER = 0.05  # metres by which images are displaced

FACING = {  # metres, and the share of talkers who face the microphone or nearly at that distance
    "indoor": (
        (1.0, 1.2, 2.4, 3.7),
        (0.93, 0.97, 0.97, 0.17),
    ),  # those at the other end of a room speak to somebody else
    "outdoor": ((0.8, 2.4), (0.94, 0.6)),
}
NEARLY = np.radians(25)  # how far they may look past it
AWAY = np.radians(115)  # at least, of those who look away
NOD = np.radians(15)  # standard deviation of the angle by which mouths point up or down
MOUTH_SHARE = (1.0, 1.2)  # of a mouth's directivity, from talker to talker
CARDIOID = 0.25  # share of directional microphones
AIMS = (0.3, 0.5, 0.2)  # shares of those that point at a near talker, at a far one and elsewhere
LEAST_GAIN = 0.05  # of a microphone towards any talker: one in its null is not heard

GROUND = np.array(  # absorption of the ground per octave, from asphalt to grass
    [[0.01, 0.01, 0.02, 0.02, 0.03, 0.04, 0.05], [0.10, 0.20, 0.35, 0.50, 0.60, 0.65, 0.70]]
)
FACADE = np.array([0.02, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07])  # absorption of plaster and glass
OPEN = np.array([40.0, 40.0, 10.0])  # metres of the box whose floor is the ground


@dataclass(frozen=True)
class Room:
    """A place of protocol 2 with its responses to one microphone.

    Attributes:
        environment: "indoor" or "outdoor".
        rt60: asked reverberation time in seconds, middle octaves (0 outdoors).
        octaves: (7,) asked reverberation time per octave (0 outdoors).
        box: walls; outdoors the ground, perhaps a facade, and nothing else.
        microphone: where and how one listens.
        positions: (sources, 3) metres.
        mouths: the talkers' directivity.
        distances: (sources,) metres to the microphone.
        responses: (sources, taps) float32, image_sources.LEAD samples late.
        images: of each source.
        facade: metres from the microphone to a wall outdoors, or None.
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
    """Draw a place and simulate one response per range of distances.

    Args:
        rng: all randomness comes from here.
        environment: "indoor" or "outdoor".
        ranges: (least, most) distance in metres for each source.
        near: how many of the sources are near talkers, who come first.
        rt60: limits of the reverberation time indoors, in seconds.
        seconds: greatest length of a response; it ends where the room has fallen silent.
        facade: range of the distance, in metres, of one reflecting wall outdoors; None leaves it out.
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
        if np.abs(np.log(reached[2:5] / asked[2:5])).max() < 0.05:  # walls can be as dry as that
            return Shoebox(size, absorption, JITTER), reached


def _profile(rng: np.random.Generator) -> Array:
    """Reverberation time per octave over that of the middle ones."""
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
    order = 1 if facade is None else 2  # the facade's echo off the ground as well
    return Shoebox(OPEN, absorption, order=order), np.zeros(len(BANDS))


def _microphone(rng: np.random.Generator, place: Array, positions: Sequence[Array], near: int) -> Microphone:
    """Three of four hear all around; a cardioid points at a near talker, at a far one or elsewhere."""
    directional = rng.uniform() < CARDIOID
    aim = int(rng.choice(3, p=AIMS))
    axis = rng.normal(size=3) * [1, 1, 0.4]
    if aim == 0 and near:
        axis = positions[int(rng.integers(near))] - place
    elif aim == 1 and near < len(positions):
        axis = positions[int(rng.integers(near, len(positions)))] - place
    return Microphone(place, axis / np.linalg.norm(axis), 0.5 if directional else 1.0)


def _mouth(rng: np.random.Generator, towards: Array, environment: str) -> Mouth:
    """A talker who speaks about towards the microphone, or anywhere: the further off, the more often."""
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
