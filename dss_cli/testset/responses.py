"""Responses of a scene of a test set: near and far responses in one place, and facts about the place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..distances import far_limits
from ..errors import DssError
from ..simulation.measured_rirs import Rooms
from ..simulation.rir import Response, check_place
from ..simulation.room_checks import check_room
from ..simulation.rooms import simulate_room
from .strata import Stratum

Responses = tuple[Sequence[Response], Sequence[Response], dict[str, Any]]
"""Near responses, far responses, and facts about the place for JSON."""

PROTOCOL = 2  # default of a test set
RESPONSE_SECONDS = 1.0  # length of responses of protocol 1
FACADES = (3.0, 20.0)  # metres from the microphone
MOST_REDRAWS = 100


def draw_responses(
    rng: np.random.Generator, rooms: Rooms | None, stratum: Stratum, counts: tuple[int, int], protocol: int
) -> Responses:
    """Draw the place of a scene: a measured place, or a simulated place that passes the checks.

    Args:
        rng: random generator.
        rooms: measured responses, for strata of measured rooms.
        stratum: stratum of the scene.
        counts: numbers of near and far responses.
        protocol: protocol of the simulation, 1 or 2.

    Raises:
        DssError: no place passes the checks.
    """
    near_count, far_count = counts
    if stratum.environment == "measured":
        assert rooms is not None
        return rooms.draw(rng, near_count, far_count)
    furthest = far_limits(stratum.environment)[1]
    ranges = [stratum.near] * near_count + [(stratum.beyond, furthest)] * far_count
    for redraws in range(MOST_REDRAWS):
        draw = _of_protocol_1 if protocol == 1 else _of_protocol_2
        responses, where, faults = draw(rng, stratum, ranges, near_count)
        if not faults:
            return responses[:near_count], responses[near_count:], where | {"redraws": redraws}
    raise DssError(
        f"{stratum.name}: no place in {MOST_REDRAWS} draws passed the checks (the last: {faults[0]})"
    )


Drawn = tuple[list[Response], dict[str, Any], list[str]]
"""Responses, facts about the place, and failed checks."""


def _of_protocol_1(
    rng: np.random.Generator, stratum: Stratum, ranges: list[tuple[float, float]], near: int
) -> Drawn:
    from ..simulation.rooms_protocol1 import simulate_place  # imports pyroomacoustics

    place = simulate_place(
        rng,
        stratum.environment,
        ranges,
        seconds=RESPONSE_SECONDS,
        facing=[i < near for i in range(len(ranges))],
        facade=FACADES if stratum.facade else None,
    )
    responses, rt60, faults = check_place(place)
    where = {
        "rt60": place.rt60 or None,
        "rt60_measured": rt60,
        "room": place.size.tolist() if stratum.environment == "indoor" else None,
        "facade_m": place.facade,
        "microphone": place.microphone.tolist(),
    }
    return responses, where, faults


def _of_protocol_2(
    rng: np.random.Generator, stratum: Stratum, ranges: list[tuple[float, float]], near: int
) -> Drawn:
    room = simulate_room(rng, stratum.environment, ranges, near, facade=FACADES if stratum.facade else None)
    responses, rt60, faults = check_room(room)
    indoor = stratum.environment == "indoor"
    where = {
        "rt60": room.rt60 if indoor else None,
        "rt60_measured": rt60,
        "rt60_octaves": room.octaves.tolist() if indoor else None,
        "room": room.box.size.tolist() if indoor else None,
        "facade_m": room.facade,
        "microphone": room.microphone.position.tolist(),
        "directional": None if room.microphone.omni == 1 else room.microphone.axis.tolist(),
    }
    return responses, where, faults
