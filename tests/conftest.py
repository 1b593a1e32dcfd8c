"""Shared fixtures: synthetic signals, networks that need no model, command lines."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
from hypothesis import settings

from dss_cli.__main__ import main
from dss_cli.constants import SignalConfig
from dss_cli.runtime.registry import find_model
from tests.helpers import testsets, tiny
from tests.helpers.stub import Stub

# A shell that runs the tests in the background makes them, and every process they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup` has the end of the terminal ignored, likewise

# The timing on a loaded machine says nothing about the code.
settings.register_profile("dss", deadline=None, max_examples=30)
settings.load_profile("dss")

Floats = npt.NDArray[np.float32]


def pytest_collection_modifyitems(items):
    """Move files with slow tests to the beginning: no process waits for a slow test at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def noise() -> Callable[..., Floats]:
    """Reproducible noise, float32 at about -20 dBFS: `noise(samples, seed=0)`."""

    def make(samples: int, seed: int = 0) -> Floats:
        generator = np.random.default_rng(seed)
        return (0.1 * generator.standard_normal(samples)).astype(np.float32)

    return make


class ScalingNetwork:
    """Network that gives fixed shares of the (linear) mixture to near and far, and counts its calls."""

    def __init__(self, signal: SignalConfig, near: float = 0.5, far: float = 0.5) -> None:
        self.signal, self.overlap = signal, 0.25
        self.factors = [share**signal.exponent for share in (near, far)]
        self.calls = 0

    def separate(self, mixture: Floats) -> tuple[Floats, Floats]:
        assert mixture.shape == (1, self.signal.frames, self.signal.bins, 3)
        assert mixture.dtype == np.float32
        self.calls += 1
        near, far = (np.float32(factor) * mixture[..., 1:] for factor in self.factors)
        return near, far


@pytest.fixture
def scaling_network() -> type[ScalingNetwork]:
    """Class of the network: `scaling_network(signal, near=0.5, far=0.5)`."""
    return ScalingNetwork


@pytest.fixture
def no_gpu(monkeypatch):
    """Hide every driver from the Vulkan loader."""
    for variable in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES"):
        monkeypatch.setenv(variable, "/nonexistent.json")


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory):
    """Model of the `toy` configuration with random weights (new weights pass half the mixture)."""
    pytest.importorskip("tensorflow", reason="the network is converted by TensorFlow")
    from dss_cli.export.convert import convert
    from dss_cli.network import build, configuration

    network = build("toy", batch=1)
    generator = np.random.default_rng(0)
    network.set_weights([w + 0.2 * generator.standard_normal(w.shape) for w in network.get_weights()])
    folder = tmp_path_factory.mktemp("toy")
    return find_model(tiny.write(folder, "toy", convert(network), configuration("toy").signal))


# Command lines.


@pytest.fixture
def feed(monkeypatch):
    """`feed(data)` sends bytes to standard input through a real pipe."""
    threads = []

    def write(data: bytes) -> None:
        receiver, sender = os.pipe()

        def send() -> None:
            with os.fdopen(sender, "wb") as pipe, contextlib.suppress(BrokenPipeError):
                pipe.write(data)

        threads.append(threading.Thread(target=send))
        threads[-1].start()
        monkeypatch.setattr(sys, "stdin", os.fdopen(receiver, "rb", buffering=0))

    yield write
    if threads:
        sys.stdin.close()
    for thread in threads:
        thread.join(timeout=10)
        assert not thread.is_alive()


@pytest.fixture
def stub(monkeypatch):
    """Network that needs no model: three quarters near, an eighth far."""
    network = Stub()
    calls = []

    def load_model(*arguments, warn, **options):
        calls.append((arguments, options))
        if network.fallback_reason:
            warn(f"running on the CPU: {network.fallback_reason}")
        return network

    monkeypatch.setattr("dss_cli.separation.separator.load_model", load_model)
    network.calls = calls
    return network


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recording(here, noise):
    """`recording(name, seconds=1, rate=16000, channels=1)` writes 24-bit noise."""

    def write(name, seconds=1.0, rate=16_000, channels=1):
        samples = noise(int(seconds * rate) * channels).reshape(-1, channels)
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        sf.write(here / name, samples, rate, subtype="PCM_24")
        return samples

    return write


@pytest.fixture
def dss(capfd):
    """`dss(*arguments)` runs main() in this process: exit code, stdout, lines of stderr."""

    def run(*arguments):
        numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
        before, hook = {number: signal.getsignal(number) for number in numbers}, sys.unraisablehook
        try:
            status = main([str(argument) for argument in arguments])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            sys.unraisablehook = hook
        out, err = capfd.readouterr()
        return status, out, err.splitlines()

    return run


@pytest.fixture
def stubbed(here):
    """Start of a command line that runs `dss` on the stub; `stubbed(changes)` runs Python code first."""

    def arguments(changes=""):
        script = here.parent / f"{here.name}-stub.py"
        script.write_text(
            f"import sys, time\nsys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
            f"from tests.helpers.stub import Stub\nimport dss_cli.separation.separator\n{changes}\n"
            "dss_cli.separation.separator.load_model = lambda *a, **o: Stub()\n"
            "from dss_cli.__main__ import main\nsys.exit(main())\n"
        )
        return [sys.executable, str(script)]

    return arguments


@pytest.fixture
def memory():
    """Empty file system of memory:// URLs."""
    system = pytest.importorskip("fsspec").filesystem("memory")

    def clear():
        system.store.clear()
        system.pseudo_dirs[:] = [""]

    clear()
    yield system
    clear()


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Folders of dry speech and of noise; the cache of decoded files is a temporary folder."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
            patch.setenv(name, str(tmp_path_factory.mktemp("cache")))
        yield testsets.write_material(tmp_path_factory.mktemp("material"))


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    """Measured responses of rooms, with their manifest."""
    return testsets.write_rooms(tmp_path_factory.mktemp("rooms"))


@pytest.fixture(scope="module")
def cluster():
    """Dask cluster of two processes."""
    pytest.importorskip("distributed")
    from tests.helpers.clusters import local_cluster

    with local_cluster(2) as cluster:
        yield cluster
