"""Impulse responses of shoebox rooms by image sources, with all images of one source at once.

The walls absorb differently in each octave, talkers and microphones are directive, and the air absorbs. One
impulse train per octave is filtered with the weight of the octave. The weights sum to one, so that a room
without dependence on frequency has impulses as its response.

There are 4 pi R^3 / (3 V) images within a distance of R metres in a room of V cubic metres. Beyond the
distance that contains MOST_IMAGES images, the response continues as noise. The expected energy of the noise
is the energy of the omitted images: 4 pi / V per metre of path, times the mean over the directions of arrival
of the product of three factors: the energy left by walls and air, and the squared directivities of talker and
microphone. So level and decay (which is not exponential in a room with uneven walls) are continuous in every
octave.

Sources: J. B. Allen, D. A. Berkley, Image method for efficiently simulating small-room acoustics, JASA 65
(1979); displaced images: E. De Sena et al., On the modeling of rectangular geometries in room acoustic
simulations, IEEE/ACM TASLP 23 (2015); the decay over directions and its noise: E. A. Lehmann,
A. M. Johansson, Diffuse reverberation model for efficient image-source simulation of room impulse responses,
IEEE TASLP 18 (2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ..constants import SAMPLE_RATE, SPEED_OF_SOUND
from .absorption import directions
from .directivity import Microphone, Mouth
from .octaves import AIR, BANDS, band_weights, rumble_filter

Array = NDArray[np.float64]

LEAD = 40  # samples before time 0: half the length of the interpolation of a fractional delay
MOST_IMAGES = 12_000  # images of one source
SHARP = 300  # nearest images, with fractional delays; the delays of the others are rounded to samples
CLOSED = 1e-12  # least share of energy reflected by a wall, for the logarithm
FADE = SAMPLE_RATE // 100  # samples of the fade at the end


@dataclass(frozen=True)
class Shoebox:
    """Rectangular room with a corner at the origin.

    Attributes:
        size: (3,) size in metres.
        absorption: (6, 7) share of energy absorbed by each wall per octave: x = 0, x = size, then y and z.
        jitter: largest displacement of images along each axis in metres, against the sweeping echoes of
            perfect boxes.
        order: highest order of reflections, without noise for the omitted images; None: unlimited.
    """

    size: Array
    absorption: Array
    jitter: float = 0.0
    order: int | None = None

    @property
    def volume(self) -> float:
        """Volume in cubic metres."""
        return float(np.prod(self.size))

    @property
    def losses(self) -> Array:
        """Negative logarithm of the energy left by a reflection, (6, 7)."""
        return np.asarray(-np.log(np.maximum(1 - self.absorption, CLOSED)))


@dataclass(frozen=True)
class Images:
    """Source and its images; the source itself is first.

    Attributes:
        distances: (images,) distances to the microphone in metres.
        gains: (images, 7) amplitude at the microphone per octave: 1 / r, walls, air, directivities.
    """

    distances: Array
    gains: Array

    @property
    def delays(self) -> Array:
        """Delays in samples, (images,), without LEAD."""
        return self.distances * (SAMPLE_RATE / SPEED_OF_SOUND)


def find_images(
    rng: np.random.Generator,
    box: Shoebox,
    source: Array,
    mouth: Mouth,
    microphone: Microphone,
    reach: float,
) -> Images:
    """Return the images of a source within `reach` metres of the microphone; the source is first."""
    offsets, losses, signs = [], [], []
    for axis in range(3):
        offset, loss, sign = _along(box, axis, float(source[axis]), float(microphone.position[axis]), reach)
        offsets.append(offset)
        losses.append(loss)
        signs.append(sign)
    square = (
        offsets[0][:, None, None] ** 2 + offsets[1][None, :, None] ** 2 + offsets[2][None, None, :] ** 2
    ).ravel()
    shape = [len(o) for o in offsets]
    inside = np.flatnonzero(square <= reach**2)
    index = np.unravel_index(inside, shape)
    number = [np.abs(np.arange(n) - n // 2)[i] for n, i in zip(shape, index, strict=True)]
    order = number[0] + number[1] + number[2]
    if box.order is not None:
        kept = order <= box.order
        index, order = tuple(i[kept] for i in index), order[kept]
    first = int(np.argmin(order))  # the source itself has order 0
    towards = np.stack([o[i] for o, i in zip(offsets, index, strict=True)], axis=1)
    towards += rng.uniform(-box.jitter, box.jitter, towards.shape) * (order > 0)[:, np.newaxis]
    distances = np.linalg.norm(towards, axis=1)
    # An image is a mirrored talker: its sound left the talker in the mirrored direction.
    leaving = -towards * np.stack([s[i] for s, i in zip(signs, index, strict=True)], axis=1)
    decay = losses[0][index[0]] + losses[1][index[1]] + losses[2][index[2]]
    gains = np.exp(-0.5 * (decay + AIR * distances[:, np.newaxis])) / distances[:, np.newaxis]
    gains *= mouth.gains(leaving) * microphone.gains(towards)[:, np.newaxis]
    arranged = np.r_[first, np.delete(np.arange(len(order)), first)]
    return Images(distances[arranged], gains[arranged])


def _along(
    box: Shoebox, axis: int, source: float, microphone: float, reach: float
) -> tuple[Array, Array, Array]:
    """Return offsets from the microphone, losses (images, 7) and signs of mirroring along one axis."""
    length = float(box.size[axis])
    most = int(np.ceil(reach / length)) + 1
    if box.order is not None:
        most = min(most, box.order)
    number = np.arange(-most, most + 1)
    odd = number % 2 == 1
    place = number * length + np.where(odd, length - source, source)
    low, high = box.losses[2 * axis], box.losses[2 * axis + 1]
    # Image n > 0 is reflected by the far wall first, n < 0 by the near wall, then alternately.
    first, then = (np.abs(number) + 1) // 2, np.abs(number) // 2
    at_high, at_low = np.where(number > 0, first, then), np.where(number > 0, then, first)
    loss = at_low[:, np.newaxis] * low + at_high[:, np.newaxis] * high
    return np.asarray(place - microphone), np.asarray(loss), np.where(odd, -1.0, 1.0)


def respond(
    rng: np.random.Generator,
    box: Shoebox,
    sources: Sequence[Array],
    mouths: Sequence[Mouth],
    microphone: Microphone,
    seconds: float,
) -> tuple[NDArray[np.float32], list[Images]]:
    """Simulate the responses of one room from several sources to one microphone.

    Args:
        rng: random generator for the displacement of images and the late noise.
        box: the room.
        sources: positions (3,) in metres.
        mouths: directivity of each source.
        microphone: position and directivity of the microphone.
        seconds: length of the responses, including a fade of 10 ms at the end.

    Returns:
        Responses (sources, taps), delayed by LEAD samples, with a direct sound of 1 at 1 m straight ahead;
        and the images of each source.
    """
    taps = round(seconds * SAMPLE_RATE) + LEAD
    longest = seconds * SPEED_OF_SOUND
    reach = min(longest, (3 * MOST_IMAGES * box.volume / (4 * np.pi)) ** (1 / 3))
    if box.order is not None:
        reach = longest
    size = fft.next_fast_len(taps + SAMPLE_RATE // 20, real=True)  # the filters ring at both ends
    hertz = np.asarray(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), np.float64)
    weights = band_weights(hertz) * rumble_filter(hertz)
    responses = np.zeros((len(sources), taps), np.float32)
    found = []
    for i, (source, mouth) in enumerate(zip(sources, mouths, strict=True)):
        nearest = max(reach, 1.5 * float(np.linalg.norm(source - microphone.position)))
        images = find_images(rng, box, source, mouth, microphone, nearest)
        trains = impulse_trains(images, size)
        if box.order is None:
            start = LEAD + round(nearest / SPEED_OF_SOUND * SAMPLE_RATE)
            if start < taps:
                level = np.sqrt(expected_energy(box, mouth, microphone, np.arange(start, taps) - LEAD))
                trains[:, start:taps] += level * rng.standard_normal(taps - start)
        spectrum = np.einsum("bf,bf->f", fft.rfft(trains, axis=1), weights)
        responses[i] = fft.irfft(spectrum, size)[:taps]
        found.append(images)
    responses[:, -FADE:] *= np.linspace(1, 0, FADE, dtype=np.float32)
    return responses, found


def impulse_trains(images: Images, size: int) -> Array:
    """Return one impulse train per octave, (7, size), delayed by LEAD samples.

    The SHARP nearest images are Hann-windowed sincs at their exact delay, the others single samples.
    """
    near = np.argsort(images.distances)[:SHARP]
    late = np.ones(len(images.distances), bool)
    late[near] = False
    delays = images.delays + LEAD
    at, shapes = _interpolation(delays[near])
    within = at < size
    rounded = np.round(delays[late]).astype(np.int64)
    kept = rounded < size
    rounded, rest = rounded[kept], images.gains[late][kept]
    trains = np.empty((len(BANDS), size))
    for band in range(len(BANDS)):
        values = shapes * images.gains[near, band][:, np.newaxis]
        trains[band] = np.bincount(at[within], values[within], size)
        trains[band] += np.bincount(rounded, rest[:, band], size)
    return trains


def _interpolation(delays: Array) -> tuple[NDArray[np.int64], Array]:
    """Return sample indices and values (pulses, 2 LEAD) of pulses at fractional delays of at least LEAD."""
    whole = np.floor(delays).astype(np.int64)
    steps = np.arange(1 - LEAD, LEAD + 1)
    time = steps - (delays - whole)[:, np.newaxis]
    return whole[:, np.newaxis] + steps, np.sinc(time) * (0.5 + 0.5 * np.cos(np.pi * time / LEAD))


def pulses(delays: Array, gains: Array, size: int) -> Array:
    """Return single pulses (pulses, size) as rendered by `respond`, at their delays plus LEAD.

    Args:
        delays: (pulses,) delays in samples, at least 0.
        gains: (pulses, 7) amplitude per octave.
        size: length in samples.
    """
    trains = np.zeros((len(delays), size))
    at, shapes = _interpolation(delays + LEAD)
    np.put_along_axis(trains, at, shapes, axis=1)
    hertz = np.asarray(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), np.float64)
    return np.asarray(fft.irfft(fft.rfft(trains, axis=1) * (gains @ band_weights(hertz)), size, axis=1))


def expected_energy(
    box: Shoebox, mouth: Mouth, microphone: Microphone, samples: NDArray[np.integer]
) -> Array:
    """Return the expected energy of the images per sample and octave, (7, samples), at the given samples."""
    octant = directions().T
    flips = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    arriving = (octant[:, np.newaxis] * flips).reshape(-1, 3)
    # Images that arrive from one direction have all mirrored orientations equally often.
    sent = (mouth.gains(arriving) ** 2).reshape(len(octant), 8, -1).mean(axis=1)
    heard = (microphone.gains(arriving) ** 2).reshape(len(octant), 8).mean(axis=1)
    coarse = np.linspace(samples[0], samples[-1], 32)  # the decay is smooth
    metres = coarse * (SPEED_OF_SOUND / SAMPLE_RATE)
    energy = np.einsum("db,d,dtb->bt", sent, heard, _reflected(box, octant, metres)) / len(octant)
    energy *= np.exp(-AIR[:, np.newaxis] * metres)
    energy *= 4 * np.pi / box.volume * SPEED_OF_SOUND / SAMPLE_RATE
    return np.exp(np.stack([np.interp(samples, coarse, np.log(e + 1e-300)) for e in energy]))


def _reflected(box: Shoebox, directions: Array, metres: Array) -> Array:
    """Return the share of energy left by the walls, (directions, distances, 7), as a mean over positions.

    Along an axis a path meets walls n or n + 1 times, weighted so that the mean number is exact. The walls
    alternate, starting with either of them.
    """
    left = np.ones((len(directions), len(metres), len(BANDS)))
    for axis in range(3):
        low, high = np.exp(-box.losses[2 * axis]), np.exp(-box.losses[2 * axis + 1])
        hits = np.outer(directions[:, axis], metres) / box.size[axis]
        number = np.arange(int(hits.max()) + 2)[:, np.newaxis]
        table = (low * high) ** (number // 2) * np.where(number % 2, (low + high) / 2, 1)
        fewer = hits.astype(np.int64)
        more = (hits - fewer)[:, :, np.newaxis]
        left *= table[fewer] * (1 - more) + table[fewer + 1] * more
    return left
