"""Decode the consecutive streams of a chained Ogg file as one sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from .blocks import BlockBuffer, at_one_rate

Floats = NDArray[np.float32]

_STEP = 1 << 16  # frames decoded at a time


class ChainedSound(BlockBuffer):
    """Links of a chained Ogg file, each decoded separately by libsndfile, hence exact to the sample.

    Args:
        links: functions that open the links, in order.
        name: name of the recording, for messages.

    Attributes:
        samplerate, channels, subtype: rate in Hz, channels and encoding of the first link; links of other
            rates are converted to its rate.
        frames: None, because the links are opened one by one.
        log: libsndfile's log of the first link.

    Raises:
        DssError: a link cannot be opened, or has another number of channels. `read` raises it too.
    """

    frames: int | None = None

    def __init__(self, links: Sequence[Callable[[], sf.SoundFile]], name: str) -> None:
        first = links[0]()
        self.samplerate: int = first.samplerate
        self.channels: int = first.channels
        self.subtype: str = first.subtype
        self.log: str = first.extra_info
        self._broken: list[str] = []
        pieces = self._decoded(first, links[1:])
        super().__init__(at_one_rate(pieces, self.samplerate, self.channels, name), self.channels)

    def complaints(self, delivered: int) -> list[str]:
        """Return a message if a link was not decoded to its end, else an empty list."""
        return self._broken

    def _decoded(
        self, link: sf.SoundFile, others: Sequence[Callable[[], sf.SoundFile]]
    ) -> Iterator[tuple[Floats, int]]:
        for number, following in enumerate([*others, None], start=1):
            frames = 0
            while len(block := self._block(link, number)):
                frames += len(block)
                yield block, link.samplerate
            if frames < link.frames and not self._broken:
                self._broken.append(
                    f"truncated: {frames} of the {link.frames} frames of stream {number} of its chain"
                )
            link.close()
            if following is not None:
                link = following()

    def _block(self, link: sf.SoundFile, number: int) -> Floats:
        block = np.empty((_STEP, link.channels), np.float32)
        try:
            return link.read(out=block)  # type: ignore[no-any-return]
        except sf.SoundFileError as error:
            reason = getattr(error, "error_string", str(error)).strip(" .")
            self._broken.append(f"damaged: stream {number} of its chain ends early ({reason})")
            return block[:0]
