"""Scenes of the example recordings as data: rooms, positions, voices, sentences and their times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dss_cli.simulation.tts import SpeechVoice

Point = tuple[float, float, float]  # metres, from the room's corner


@dataclass(frozen=True)
class Talker:
    """One voice at one position. Angles are in degrees, seen from the microphone."""

    distance: float  # metres
    azimuth: float
    elevation: float
    level: float  # dB, relative to the other talker at equal distance
    voice: SpeechVoice
    sentences: tuple[tuple[float, str], ...]  # start in seconds, text

    @property
    def direction(self) -> npt.NDArray[np.float64]:
        """Unit vector from the microphone to the talker, (3,)."""
        azimuth, elevation = np.radians([self.azimuth, self.elevation])
        return np.array(
            [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        )


@dataclass(frozen=True)
class Scene:
    """One example recording, with the files NAME.flac, NAME.near.flac, NAME.far.flac and NAME.json."""

    name: str
    seconds: float
    seed: int
    room: Point
    microphone: Point
    rt60: float  # requested time in seconds; with jitter the measured time (in the JSON) is longer
    facing: float  # directivity towards the microphone: 0 omnidirectional, 0.5 cardioid
    snr: float  # dB, both talkers relative to the noise
    step: int  # samples are multiples of these 16-bit steps; coarser steps give smaller files
    talkers: dict[str, Talker]  # by stem

    @property
    def frames(self) -> int:
        """Length in samples."""
        return round(self.seconds * SAMPLE_RATE)


SAMPLE_RATE = 16_000  # Hz

TWO_TALKERS = Scene(
    name="two_talkers",
    seconds=10.0,
    seed=20_250_103,
    room=(5.6, 4.3, 2.7),
    microphone=(1.9, 1.7, 1.2),
    rt60=0.36,
    facing=0.0,
    snr=25.0,
    step=1,
    talkers={
        "near": Talker(
            distance=0.4,
            azimuth=200.0,
            elevation=12.0,
            level=0.0,
            voice=SpeechVoice("en-us", "f3", words_per_minute=165, pitch=62, pitch_range=55),
            sentences=(
                (0.3, "The kettle is on, and two blue cups are waiting on the table."),
                (5.2, "Give me a minute, I am still looking for the sugar."),
            ),
        ),
        # A talker across a room raises the voice, so that the level does not reveal the distance.
        "far": Talker(
            distance=3.0,
            azimuth=35.0,
            elevation=8.0,
            level=4.0,
            voice=SpeechVoice("en-gb-scotland", "m3", words_per_minute=150, pitch=28, pitch_range=45),
            sentences=(
                (2.3, "Bring them over to the window, the light is much better here."),
                (6.5, "You will find it behind the flour, on the second shelf."),
            ),
        ),
    },
)

# A dry, furnished room with as much direct sound as in measured rooms: the talkers face the microphone.
# The far talker speaks at length early in the scene, so that few chunks have both talkers for comparison.
CONVERSATION = Scene(
    name="conversation",
    seconds=40.0,
    seed=20_260_411,
    room=(4.7, 3.9, 2.6),
    microphone=(1.6, 1.5, 0.9),
    rt60=0.17,
    facing=0.5,
    snr=32.0,
    step=8,
    talkers={
        "near": Talker(
            distance=0.45,
            azimuth=215.0,
            elevation=25.0,
            level=0.0,
            voice=SpeechVoice("en-gb-x-rp", "m7", words_per_minute=160, pitch=38, pitch_range=60),
            sentences=(
                (0.3, "Come in, the recorder is running. How was the walk along the river?"),
                (16.2, "I remember that bridge, we used to fish there. Did the water reach the old mill?"),
                (27.0, "My brother wanted a bakery in it. He bought a ton of bricks, an oven and a bell."),
                (35.2, "Fine, bring the map along, and a torch for the stairs."),
            ),
        ),
        "far": Talker(
            distance=2.2,
            azimuth=40.0,
            elevation=10.0,
            level=5.0,
            voice=SpeechVoice("en-029", "f2", words_per_minute=170, pitch=55, pitch_range=50),
            sentences=(
                (
                    4.5,
                    "Longer than I thought. The path was under water, so I went over the hill by the chapel.",
                ),
                (
                    9.45,
                    "There a farmer showed me a bridge of planks, and his dog came with me up to the road.",
                ),
                (14.1, "My tea was cold by then."),
                (21.5, "Only the cellar. The wheel still turns, but nobody has ground any flour since May."),
                (31.2, "And what became of the bell? I would like to see it tomorrow."),
            ),
        ),
    },
)

SCENES = (TWO_TALKERS, CONVERSATION)
