"""Length of the loudspeaker's queue: the computing time of a chunk and a margin, which grows after gaps."""

from __future__ import annotations

MARGIN_SECONDS = 0.1  # with 0.03, four gaps in an hour on an idle virtual machine; experiment 11
MOST_SECONDS = 0.5  # limit of the growth


class Reserve:
    """Seconds of sound between the session and the loudspeaker's callback.

    A gap shows that the computer needs more time than measured at the start. The reserve then grows by
    another margin, so that gaps with the same cause do not continue for the rest of a session.

    Args:
        computing: measured seconds of the network per chunk.

    Attributes:
        seconds: present length.
    """

    def __init__(self, computing: float) -> None:
        self.seconds = computing + MARGIN_SECONDS

    def grow(self) -> None:
        """Add a margin after a gap."""
        self.seconds = max(self.seconds, min(self.seconds + MARGIN_SECONDS, MOST_SECONDS))
