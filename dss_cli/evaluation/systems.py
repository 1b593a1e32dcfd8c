"""Systems to score: a model or trained weights that separate each scene, or existing stems in a folder."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ..constants import STEMS
from ..errors import DssError
from ..runtime.registry import anywhere, find_model
from ..runtime.timing import choose_timing
from ..separation import separator
from ..separation.files import separate_file
from ..separation.listening import Context, used_context
from .testset import ScoredScene, TestSet, read_part

if TYPE_CHECKING:
    from ..runtime.network import Network

Floats = npt.NDArray[np.float32]
Outputs = Callable[[ScoredScene, int, int], dict[str, Floats]]  # scene, rate, frames -> stems


class System(Protocol):
    """System to score. A system can be pickled for other processes; its opened form need not.

    Attributes:
        packages: packages that affect the stems, in addition to those of every system.
    """

    packages: ClassVar[tuple[str, ...]]

    @property
    def name(self) -> str:
        """Name of the system in tables."""

    def open(self, warn: Callable[[str], None]) -> tuple[dict[str, Any], Outputs]:
        """Return a description for JSON, and a function that returns the stems of a scene.

        Raises:
            DssError: the model cannot be used.
        """

    def anywhere(self) -> System:
        """Return the system with absolute paths, for processes in other working directories."""

    def check(self, test_set: TestSet) -> None:
        """Check the system for a test set before any work.

        Raises:
            DssError: a stem or a card is missing.
        """


@dataclass(frozen=True)
class ModelSystem:
    """Model that separates each scene, loaded by `separator.load_model`."""

    name: str
    model: str
    delegate: str = "auto"
    threads: int | None = None
    gpu_precision: str = "float32"
    context: Context = "recording"
    latency: float | None = None

    packages: ClassVar[tuple[str, ...]] = ()

    def anywhere(self) -> System:
        """See `System`."""
        return replace(self, model=anywhere(self.model))

    def open(self, warn: Callable[[str], None]) -> tuple[dict[str, Any], Outputs]:
        """See `System`."""
        card = find_model(self.model).card
        threads = self.threads or 1  # processes share the scenes instead
        network = separator.load_model(
            self.model,
            self.delegate,
            threads,
            gpu_precision=self.gpu_precision,
            latency=self.latency,
            warn=warn,
        )
        about = {
            "name": self.name,
            "kind": "model",
            "sha256": card["sha256"],
            "delegate": network.used,
            "fallback_reason": network.fallback_reason,
            "gpu_precision": network.gpu_precision,
            **_decided(network, self.context, self.latency),
        }
        return about, _separating(network, self.context, self.latency)

    def check(self, test_set: TestSet) -> None:
        """See `System`; nothing to check."""


@dataclass(frozen=True)
class WeightsSystem:
    """Trained weights `NAME.weights.h5` with their card, run by Keras without an export."""

    path: Path
    title: str | None = None
    context: Context = "recording"
    latency: float | None = None

    packages: ClassVar[tuple[str, ...]] = ("keras", "tensorflow")

    def anywhere(self) -> System:
        """See `System`."""
        return replace(self, path=self.path.absolute())

    @property
    def name(self) -> str:
        """See `System`; without a title `NAME.weights`, to distinguish it from the model NAME."""
        return self.title or self.path.stem

    def open(self, warn: Callable[[str], None]) -> tuple[dict[str, Any], Outputs]:
        """See `System`; imports Keras and its backend."""
        from ..export.keras_network import load_trained, trained_configuration

        network = load_trained(self.path)
        about = {
            "name": self.name,
            "kind": "weights",
            "configuration": trained_configuration(self.path),
            "sha256": hashlib.sha256(self.path.read_bytes()).hexdigest(),
            "delegate": "keras",
            **_decided(network, self.context, self.latency),
        }
        return about, _separating(network, self.context, self.latency)

    def check(self, test_set: TestSet) -> None:
        """See `System`."""
        from ..export.keras_network import trained_configuration

        trained_configuration(self.path)


def _decided(network: Network, context: Context, latency: float | None) -> dict[str, Any]:
    """Return the context in use and, if a latency is given, the latency of the chosen timing in seconds."""
    decided: dict[str, Any] = {"context": used_context(network, context)}
    if latency is not None:
        decided["latency"] = choose_timing(network, latency).seconds(network.signal)
    return decided


def _separating(network: Network, context: Context, latency: float | None) -> Outputs:
    """Return a function that separates the mixture's file as `dss separate` does, into float WAV files."""

    def outputs(scene: ScoredScene, rate: int, frames: int) -> dict[str, Floats]:
        with tempfile.TemporaryDirectory(prefix="dss-") as folder:
            paths = {stem: Path(folder, f"{stem}.wav") for stem in STEMS}
            separate_file(
                scene.files["mixture"],
                near=paths["near"],
                far=paths["far"],
                network=network,
                context=context,
                latency=latency,
                subtype="FLOAT",
                strict=True,
            )
            return {stem: read_part(path, rate, frames) for stem, path in paths.items()}

    return outputs


@dataclass(frozen=True)
class StemsFolder:
    """Folder of stems by any tool: `near/ID.*` and `far/ID.*`, or `ID.near.*` and `ID.far.*`."""

    folder: Path

    packages: ClassVar[tuple[str, ...]] = ()

    def anywhere(self) -> System:
        """See `System`."""
        return replace(self, folder=self.folder.absolute())

    @property
    def name(self) -> str:
        """See `System`."""
        return self.folder.resolve().name

    def open(self, warn: Callable[[str], None]) -> tuple[dict[str, Any], Outputs]:
        """See `System`."""
        files = self._index()

        def outputs(scene: ScoredScene, rate: int, frames: int) -> dict[str, Floats]:
            return {stem: read_part(self._file(files, scene, stem), rate, frames) for stem in STEMS}

        return {"name": self.name, "kind": "stems"}, outputs

    def check(self, test_set: TestSet) -> None:
        """See `System`."""
        files = self._index()
        for scene in test_set.scenes:
            for stem in STEMS:
                self._file(files, scene, stem)

    def _index(self) -> dict[str, list[Path]]:
        """Return the files by `near/ID`, `far/ID`, `ID.near` and `ID.far`."""
        if not self.folder.is_dir():
            raise DssError(f"{self.folder}: no such folder of stems")
        files: dict[str, list[Path]] = {}
        for path in sorted(
            p for part in ("*", *(f"{stem}/*" for stem in STEMS)) for p in self.folder.glob(part)
        ):
            files.setdefault(path.relative_to(self.folder).with_suffix("").as_posix(), []).append(path)
        return files

    def _file(self, files: dict[str, list[Path]], scene: ScoredScene, stem: str) -> Path:
        found = [
            path for name in (f"{stem}/{scene.id}", f"{scene.id}.{stem}") for path in files.get(name, [])
        ]
        if not found:
            raise DssError(f"{self.folder / stem / scene.id}.*: missing; every scene needs near and far")
        if len(found) > 1:
            raise DssError(f"{found[0]}: {found[1]} exists too; remove one of them")
        return found[0]
