"""Listening page of one recording: player, timeline of who spoke, levels, warnings, facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._version import __version__
from ..constants import SAMPLE_RATE, STEMS
from ..distances import FAR_OUTDOOR, NEAR
from ..errors import UsageError
from .assets import load_assets, style_sheet, templates
from .embedded import Embedded, Span, Track
from .sound import TRACKS, Excerpt, check_mp3

if TYPE_CHECKING:
    from jinja2 import Template

EXTENSIONS = (".html", ".htm")
MOST_SECONDS = 3600  # the player holds the samples of three tracks in memory, 11 MB a minute
MOST_BYTES = 64_000_000  # of a whole page
_TEXT_BYTES = 3_000_000  # of this, for everything but the sound: an hour of short turns, script, style
AUDIO_BYTES = (MOST_BYTES - _TEXT_BYTES) * 3 // 4  # base64 takes 4 characters for 3 bytes


@dataclass(frozen=True)
class Speech:
    """Speech in a recording.

    Attributes:
        spans: intervals in seconds, ordered, by stem.
        levels: mean level during speech in dB re full scale, by stem; missing without speech.
    """

    spans: Mapping[str, Sequence[Span]]
    levels: Mapping[str, float]


def check_page(path: str, option: str = "--page") -> None:
    """Check that a page can be made at a path: extension, template engine, MP3 encoder.

    Raises:
        UsageError: the extension is not .html.
        DssError: the extra `report` is not installed, or libsndfile writes no MP3.
    """
    if not path.lower().endswith(EXTENSIONS):
        raise UsageError(f"{option} {path}: the extension must be .html")
    _template(option)
    check_mp3()


def excerpt(rate: float) -> Excerpt:
    """Return an empty excerpt within the limits of a page, for blocks at a rate in Hz."""
    return Excerpt(rate, AUDIO_BYTES, MOST_SECONDS)


def cut(sounds: Excerpt, seconds: float) -> str | None:
    """Return one line if a recording of `seconds` does not fit into its finished excerpt, else None."""
    held = sounds.frames / SAMPLE_RATE
    if seconds - held < 0.1:
        return None
    return (
        f"the page holds the first {clock(held)} of {clock(seconds)}, at most {clock(MOST_SECONDS)} and "
        f"{MOST_BYTES // 1_000_000} MB; cut the recording for pages of its other parts"
    )


def listening_page(
    name: str,
    sounds: Excerpt,
    speech: Speech,
    seconds: float,
    facts: Mapping[str, str],
    warnings: Sequence[str],
) -> str:
    """Return the page as HTML. Equal arguments give equal pages: no time of the day, no paths.

    Args:
        name: name of the recording.
        sounds: finished excerpt of recording and stems.
        speech: speech in the whole recording.
        seconds: duration of the recording.
        facts: further facts about recording and separation, by label.
        warnings: lines about the recording and this run.
    """
    template = _template("--page")
    tracks = [Track(track, TRACKS[track], parts) for track, parts in sounds.tracks.items()]
    held = sounds.frames / SAMPLE_RATE
    turns = sorted((begin, min(end, held), stem) for stem in STEMS for begin, end in speech.spans[stem])
    turns = [turn for turn in turns if turn[0] < held]
    gain = min(1.0, 1 / sounds.peak) if sounds.peak else 1.0
    return template.render(
        assets=load_assets(style_sheet(template.environment, "listening.css")),
        name=name,
        recording=Embedded(
            SAMPLE_RATE,
            sounds.frames,
            tracks,
            sounds.segment,
            sounds.lead,
            gain,
            {stem: [(begin, end) for begin, end, who in turns if who == stem] for stem in STEMS},
        ),
        stems=[_row(stem, speech, seconds) for stem in STEMS],
        both=_share(_overlap(speech), seconds),
        turns=[(begin, clock(begin), stem, f"{end - begin:.1f}") for begin, end, stem in turns],
        held=clock(held),
        megabytes=f"{sum(len(part) for track in tracks for part in track.parts) / 1e6:.1f}",
        facts=list(facts.items()),
        warnings=warnings,
        near=NEAR,
        far=FAR_OUTDOOR,
        version=__version__,
    )


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds: `1:05`, `1:00:05`."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _row(stem: str, speech: Speech, seconds: float) -> dict[str, str]:
    spoken = sum(end - begin for begin, end in speech.spans[stem])
    level = speech.levels.get(stem)
    return {
        "stem": stem,
        "speaks": _share(spoken, seconds),
        "turns": str(len(speech.spans[stem])),
        "level": "-" if level is None else f"{level:.1f} dB".replace("-", "\N{MINUS SIGN}"),
    }


def _share(spoken: float, seconds: float) -> str:
    time = f"{spoken:.1f} s" if spoken < 60 else clock(spoken)
    return f"{time} ({100 * spoken / seconds:.0f} %)"


def _overlap(speech: Speech) -> float:
    """Return the seconds in which both stems contain speech."""
    first, second = (list(speech.spans[stem]) for stem in STEMS)
    total, other = 0.0, 0
    for begin, end in first:
        while other < len(second) and second[other][1] <= begin:
            other += 1
        at = other
        while at < len(second) and second[at][0] < end:
            total += min(end, second[at][1]) - max(begin, second[at][0])
            at += 1
    return total


def _template(option: str) -> Template:
    return templates(__package__, option).get_template("listening.html")
