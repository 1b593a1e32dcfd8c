"""Streams of one Ogg file, one after the other, as one sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from .blocks import BlockBuffer, at_one_rate

Floats = NDArray[np.float32]

_STEP = 1 << 16  # frames that are decoded at a time


class ChainedSound(BlockBuffer):
    """The links of a chained Ogg file, decoded by libsndfile each on its own, hence exact to the sample.

    Args:
        links: what opens each of them, in order.
        name: the recording as messages call it.

    Attributes:
        samplerate, channels, subtype: of the first link; another rate is converted to that one.
        frames: None: the links are opened one by one.
        log: what libsndfile noted of the first link.

    Raises:
        DssError: a link that cannot be opened, or has another number of channels; also `read`.
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
        """The links that could not be decoded to their end."""
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
