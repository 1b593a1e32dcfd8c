"""Files about a recording that appear together with its stems: speech activity and the listening page."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ..audio import AudioReader
from ..audio.targets import check_targets
from ..constants import STEMS
from ..errors import UsageError
from ..page.listening import EXTENSIONS as PAGE
from ..page.listening import Speech, check_page, clock, cut, excerpt, listening_page
from ..utils.descriptors import PIPE, is_stream
from ..utils.urls import sha256
from .activity import Activity, ActivityMeter
from .activity_files import EXTENSIONS as ACTIVITY
from .activity_files import activity_text, check_extension
from .multichannel import Stems

if TYPE_CHECKING:
    from ..page.sound import Excerpt
    from ..runtime.network import Network

PathLike = str | os.PathLike[str]
_CHECKS: dict[str, Callable[[str], None]] = {"activity": check_extension, "page": check_page}
_EXTENSIONS = {"activity": ACTIVITY, "page": PAGE}


class Documents:
    """Documents of one recording, which collect what they need blockwise.

    Args:
        requested: path by kind, `activity` or `page`; None for none.
        source: path of the recording, or '-'.
        overwrite: allow files that exist.

    Attributes:
        names: requested paths as given, by kind.

    Raises:
        UsageError: a path is not a file of a known extension, or exists (see `check_targets`).
        DssError: a page is requested, but cannot be made here (see `check_page`).
    """

    def __init__(self, requested: Mapping[str, PathLike | None], source: PathLike, overwrite: bool) -> None:
        self.names = {kind: os.fspath(path) for kind, path in requested.items() if path is not None}
        for kind, name in self.names.items():
            check_document(kind, name)
        self._source = os.fspath(source)
        self._files = check_targets(self.names, source, overwrite).files if self.names else {}
        self._meter: ActivityMeter | None = None
        self._excerpt: Excerpt | None = None

    def begin(self, rate: int) -> None:
        """Begin to collect, for blocks at a rate in Hz."""
        if self.names:
            self._meter = ActivityMeter(rate)
        if "page" in self.names:
            self._excerpt = excerpt(rate)

    def push(self, estimated: Stems, written: Stems) -> None:
        """Add a block of the stems as estimated (for the speech) and as written (for the page)."""
        if self._meter is not None:
            self._meter.push(estimated.near, estimated.far)
        if self._excerpt is not None:
            self._excerpt.push(written.near + written.far + written.residual, written.near, written.far)

    def finish(
        self,
        reader: AudioReader,
        settings: Mapping[str, str],
        warnings: Sequence[str],
        warn: Callable[[str], None],
        paths: Sequence[str],
    ) -> tuple[Activity | None, dict[Path, Callable[[], bytes]]]:
        """Return the speech (None without documents) and, by path, functions that return the contents.

        Args:
            reader: reader of the recording, at its end.
            settings: facts about the separation, for the page.
            warnings: list of the lines given to `warn`, which may grow until the contents are made.
            warn: receives a line if the recording does not fit into its page.
            paths: paths that warnings may contain; the page shows their names only.
        """
        if self._meter is None:
            return None, {}
        heard = self._meter.finish()
        if (sounds := self._excerpt) is not None:
            sounds.finish()
        name = PurePath(reader.name).name

        def activity() -> bytes:
            text = activity_text(heard, self.names["activity"], name)
            return text.encode(errors="surrogateescape")

        def page() -> bytes:
            assert sounds is not None
            speech = Speech(heard.spans, heard.levels)
            if message := cut(sounds, heard.seconds):
                warn(message)
            said = [_without_folders(line, (reader.name, *paths)) for line in warnings]
            said = [line.removeprefix(f"{name}: ") for line in said]
            facts = {"Recording": self._recording(reader, heard.seconds), **settings}
            text = listening_page(name, sounds, speech, heard.seconds, facts, said)
            return text.encode(errors="replace")

        contents = {"activity": activity, "page": page}
        return heard, {path: contents[kind] for kind, path in self._files.items()}

    def _recording(self, reader: AudioReader, seconds: float) -> str:
        channels = "1 channel" if reader.channels == 1 else f"{reader.channels} channels"
        text = f"{clock(seconds)}, {reader.format} {reader.subtype}, {reader.samplerate} Hz, {channels}"
        if self._source == PIPE or is_stream(self._source):
            return text
        return f"{text}, sha256 {sha256(self._source)}"


def check_document(kind: str, path: str) -> None:
    """Check that a document of a kind, `activity` or `page`, can be made at a path.

    Raises:
        UsageError: the path is a pipe or a device, or its extension is unknown.
        DssError: a page cannot be made here (see `check_page`).
    """
    _CHECKS[kind](path)
    if is_stream(path):
        raise UsageError(f"--{kind} {path}: must be a file")


def for_each(kind: str, path: str) -> bool:
    """Return whether an option names only an extension: a document for each recording, beside its stems."""
    return path.lower() in _EXTENSIONS[kind]


def network_facts(network: Network) -> dict[str, str]:
    """Return facts about a network, for the page."""
    model = getattr(network, "model", None)
    if model is None:
        return {"Model": type(network).__name__}
    text = f"{model.name}, sha256 {model.card['sha256']}"
    return {"Model": f"{text}; untrained: it separates nothing" if model.untrained else text}


def speech_shares(heard: Activity | None) -> dict[str, float] | None:
    """Return the share of the recording with speech by stem, rounded; None without documents."""
    return None if heard is None else {stem: round(heard.share(stem), 4) for stem in STEMS}


def _without_folders(text: str, paths: Sequence[str]) -> str:
    """Return a message without folders: a page may go to others, and equal runs give equal pages."""
    for path in paths:
        text = text.replace(path, PurePath(path).name)
    return text
