"""Distance-based source separation: separate the near and the far talkers of a recording.

    from dss_cli import Separator, separate_file

    stems = Separator().separate(array, sample_rate)  # (frames,) or (frames, channels)
    stems.near, stems.far, stems.residual

    separate_file("meeting.wav", near="near.wav", far="far.wav")

Importing the package loads no other module; each name is loaded at its first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .errors import DssError, UsageError
    from .metrics import si_sdr
    from .runtime.registry import list_models
    from .separation.files import separate_file
    from .separation.multichannel import Stems
    from .separation.separator import Separator, load_model
    from .separation.streaming import StreamingSeparator

__all__ = [
    "DssError",
    "Separator",
    "Stems",
    "StreamingSeparator",
    "UsageError",
    "__version__",
    "list_models",
    "load_model",
    "separate_file",
    "si_sdr",
]

_HOMES = {
    "DssError": "errors",
    "UsageError": "errors",
    "Separator": "separation.separator",
    "Stems": "separation.multichannel",
    "StreamingSeparator": "separation.streaming",
    "list_models": "runtime.registry",
    "load_model": "separation.separator",
    "separate_file": "separation.files",
    "si_sdr": "metrics",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
