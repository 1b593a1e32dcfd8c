"""Fuzz tests of `make fuzz`: damaged recordings, damaged models, and kills at random moments.

Every case runs in a separate process with limits of time and memory. The case must give stems of the right
length, or one line that names the file, and must leave no half-written file. Cases are functions of (seed,
number): `--first N --count 1` repeats one case.

Sources of the ideas: AFL's mutations (Zalewski, technical details of american fuzzy lop), crash-only software
(Candea & Fox 2003).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from dss_cli.errors import DssError
from dss_cli.utils.markdown import write_section
from dss_cli.utils.tables import markdown_table
from tests.helpers import media, tiny
from tests.helpers.stub import Stub
from tools.fuzz_kills import kills

ROOT = Path(__file__).resolve().parent.parent
SECONDS, MEGABYTES = 10, 600  # limits of a case; the seconds are CPU time
PATIENCE = 6  # wall-clock limit relative to CPU time, because other programs may run
ADDRESS_SPACE = 8 << 30  # bytes; an excessive allocation fails instead of filling the memory
FINE, ODD, LARGE = 0, 77, 78  # exit codes of a case

Generator = np.random.Generator
Case = Callable[[Generator, Path], None]


# Mutations.


def mutated(data: bytes, generator: Generator, others: list[bytes]) -> bytes:
    """Apply one to four changes: bytes, cuts, gaps, repeats, zeros, headers, parts of other files."""
    content = bytearray(data)
    for _ in range(generator.integers(1, 5)):
        if not content:
            break
        kind = generator.integers(0, 8)
        at = int(generator.integers(0, len(content)))
        size = int(generator.integers(1, max(2, len(content) // 4)))
        if kind == 0:
            for place in generator.integers(0, len(content), generator.integers(1, 17)):
                content[place] = generator.integers(0, 256)
        elif kind == 1:  # in the header
            for place in generator.integers(0, min(128, len(content)), generator.integers(1, 5)):
                content[place] = generator.choice([0, 1, 0x7F, 0x80, 0xFF, int(generator.integers(0, 256))])
        elif kind == 2:
            del content[at:]
        elif kind == 3:
            del content[at : at + size]
        elif kind == 4:
            content[at:at] = content[at : at + size]
        elif kind == 5:
            content[at : at + size] = bytes(len(content[at : at + size]))
        elif kind == 6:
            content[at : at + 4] = generator.bytes(4)
        else:
            other = others[generator.integers(0, len(others))]
            content[at:] = other[min(at, len(other) - 1) :]
    return bytes(content)


def odd_json(generator: Generator, depth: int = 0) -> Any:
    """Return a value that no card should have."""
    kinds: list[Callable[[], Any]] = [
        lambda: None,
        lambda: bool(generator.integers(0, 2)),
        lambda: int(generator.choice([0, -1, 1, 2**31, 2**63 - 1])),
        lambda: 10 ** int(generator.integers(1, 400)),
        lambda: float(generator.choice([np.nan, np.inf, -1.0, 1e-300, 0.3])),
        lambda: "x" * int(generator.choice([0, 1, 100_000])),
        lambda: (
            [odd_json(generator, depth + 1) for _ in range(generator.integers(0, 4))] if depth < 5 else []
        ),
        lambda: (
            {str(n): odd_json(generator, depth + 1) for n in range(generator.integers(0, 4))}
            if depth < 5
            else {}
        ),
    ]
    return kinds[generator.integers(0, len(kinds))]()


# Audio.


def recordings(folder: Path) -> list[Path]:
    """Write half a second in every format that can be written here; return the paths."""
    samples = (0.3 * np.random.default_rng(0).standard_normal((24_000, 2))).clip(-1, 1).astype(np.float32)
    made = []
    for name in ("wav", "flac", "ogg", "opus", "mp3", "aiff", "caf", "w64", "rf64", "au"):
        path = folder / f"a.{name}"
        container, subtype = ("OGG", "OPUS") if name == "opus" else (None, None)
        sf.write(path, samples, 48_000, subtype, format=container)
        made.append(path)
    for subtype in ("FLOAT", "IMA_ADPCM", "ULAW", "PCM_24"):
        made.append(folder / f"{subtype}.wav")
        sf.write(made[-1], samples, 48_000, subtype)
    for name, codec, container in (
        *(("m4a", "aac", None), ("mp4", "aac", None), ("webm", "libopus", None), ("mkv", "aac", None)),
        *(
            ("wma", "wmav2", "asf"),
            ("aac", "aac", "adts"),
            ("alac.m4a", "alac", None),
            ("ts", "aac", "mpegts"),
        ),
    ):
        made.append(folder / f"a.{name}")
        media.encode(made[-1], samples, codec=codec, container=container)
    made.append(folder / "chained.ogg")
    made[-1].write_bytes((folder / "a.ogg").read_bytes() * 2)
    return made


def audio_case(sources: list[Path]) -> Case:
    """Return a case that separates a damaged recording into three stems."""
    from dss_cli.separation.files import Channels, separate_file

    contents = [path.read_bytes() for path in sources]

    def run(generator: Generator, folder: Path) -> None:
        which = int(generator.integers(0, len(sources)))
        path = folder / f"damaged.{sources[which].name}"
        path.write_bytes(mutated(contents[which], generator, contents))
        out = folder / "out"
        out.mkdir()
        near, far, residual = out / "n.wav", out / "f.flac", out / "r.wav"
        channels: Channels = "each" if generator.integers(0, 2) else "mix"
        try:
            report = separate_file(
                path,
                near=near,
                far=far,
                residual=residual,
                network=Stub(),
                channels=channels,
                subtype="PCM_16",
            )
        except DssError as error:
            require_line(str(error))
            left = sorted(entry.name for entry in out.iterdir())
            assert not left, f"left behind: {left}"
            return
        left = sorted(entry.name for entry in out.iterdir())
        assert left == ["f.flac", "n.wav", "r.wav"], f"left behind: {left}"
        frames = {sf.info(target).frames for target in (near, far, residual)}
        assert len(frames) == 1, f"stems of several lengths: {frames}"
        if report.rate in (8000, 16_000, 44_100, 48_000):
            assert frames == {report.frames}, f"{frames} frames instead of {report.frames}"

    return run


# Models.


def model_case() -> Case:
    """Return a case that loads and inspects a damaged model, or a model with a damaged card."""
    from dss_cli.separation.separator import load_model
    from dss_cli.tflite.inspection import inspect_model

    lite = ROOT / "models" / "lite.tflite"
    bases = [
        (tiny.pack(tiny.graph()), tiny.card(tiny.pack(tiny.graph()), "damaged")),
        (lite.read_bytes(), json.loads(lite.with_suffix(".json").read_text()) | {"name": "damaged"}),
    ]

    def run(generator: Generator, folder: Path) -> None:
        data, card = bases[0 if generator.integers(0, 4) else 1]
        kind = generator.integers(0, 4)
        text = json.dumps(card).encode()
        if kind == 0:  # a damaged file
            data = mutated(data, generator, [data])
        elif kind == 1:  # a damaged file with a matching card
            data = mutated(data, generator, [data])
            card = card | {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            text = json.dumps(card).encode()
        elif kind == 2:
            text = mutated(text, generator, [text])
        else:
            card = dict(card)
            for name in generator.choice(list(card), generator.integers(1, 4)):
                card[name] = odd_json(generator)
            if generator.integers(0, 2):
                signal_config = dict(bases[0][1]["signal"])
                signal_config[str(generator.choice(list(signal_config)))] = odd_json(generator)
                card["signal"] = signal_config
            text = json.dumps(card).encode()
        path = folder / "damaged.tflite"
        path.write_bytes(data)
        path.with_suffix(".json").write_bytes(text)
        with _RightEnding():
            inspect_model(path)
        with _RightEnding():
            network = load_model(path, "cpu", 1, warn=lambda message: None)
            shape = (1, network.signal.frames, network.signal.bins, 3)
            network.separate(generator.standard_normal(shape).astype(np.float32))

    return run


class _RightEnding:
    """Context manager that accepts a DssError of one line."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, DssError):
            require_line(str(error))
            return True
        return False


def require_line(text: str) -> None:
    """Assert that a text is one line of limited length that names a file."""
    assert "\n" not in text.strip(), f"several lines: {text[:200]!r}"
    assert len(text) < 2000, f"{len(text)} characters: {text[:200]!r}"
    assert "damaged." in text or "/out/" in text, f"no file is named: {text[:200]!r}"


# One case in its own process.


def attempt(case: Case, seed: int, number: int) -> tuple[str, str]:
    """Run a case; return 'fine' or the kind of finding, and the details."""
    folder = Path(tempfile.mkdtemp(prefix="dss-fuzz-"))
    log = folder.with_suffix(".log")
    try:
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            _child(case, seed, number, folder, log)
        status = _reap(child, started + PATIENCE * SECONDS)
        if status is None:
            return "too slow", f"more than {PATIENCE * SECONDS} s by the clock"
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
            return "too slow", f"more than {SECONDS} s of the processor"
        if os.WIFSIGNALED(status):
            return "crash", signal.Signals(os.WTERMSIG(status)).name
        if os.WEXITSTATUS(status) == LARGE:
            return "too large", f"more than {MEGABYTES} MB above the initial memory"
        if os.WEXITSTATUS(status) != FINE:
            return "surprise", log.read_text(errors="replace")[-2000:]
        return "fine", ""
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        log.unlink(missing_ok=True)


def _resident() -> float:
    """Return the resident memory of this process in kilobytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def _child(case: Case, seed: int, number: int, folder: Path, log: Path) -> None:
    status = ODD
    try:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (1, 2):
            os.dup2(null, descriptor)
        before = _resident()  # inherited from the parent by the fork
        case(np.random.default_rng((seed, number)), folder)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        status = LARGE if grown > MEGABYTES * 1000 else FINE
    except BaseException:
        log.write_text(traceback.format_exc())
    finally:
        os._exit(status)


def _reap(child: int, deadline: float) -> int | None:
    while time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


# The run.


def cases(what: str, seed: int, numbers: range, deadline: float) -> Iterator[tuple[int, str, str]]:
    """Yield number, ending and details of each case."""
    if what == "kills":
        yield from kills(seed, numbers, deadline)
        return
    with tempfile.TemporaryDirectory(prefix="dss-fuzz-") as folder:
        case = audio_case(recordings(Path(folder))) if what == "audio" else model_case()
        for number in numbers:
            if time.monotonic() > deadline:
                return
            yield number, *attempt(case, seed, number)


def main() -> int:
    """Run the cases, print findings and a line of figures; return 1 if there are findings."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("audio", "models", "kills"))
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--document", type=Path, help="write the figures into its table")
    parser.add_argument("--minutes", type=float, default=60.0, help="time after which no case starts")
    asked = parser.parse_args()
    print(
        f"{asked.what}: seed {asked.seed}, cases {asked.first} to {asked.first + asked.count - 1}", flush=True
    )
    started = time.monotonic()
    endings: Counter[str] = Counter()
    numbers = range(asked.first, asked.first + asked.count)
    for number, ending, details in cases(asked.what, asked.seed, numbers, started + 60 * asked.minutes):
        endings[ending] += 1
        if ending != "fine":
            again = f"python -m tools.fuzz {asked.what} --seed {asked.seed} --first {number} --count 1"
            print(f"{ending}: {again}\n{details}", flush=True)
    done = sum(endings.values())
    found = done - endings["fine"]
    seconds = time.monotonic() - started
    print(
        f"{asked.what}: seed {asked.seed}, {done:,} of {asked.count:,} cases in {seconds:.0f} s, "
        f"{found} findings"
    )
    if asked.document:
        figures = [f"{done:,}", f"{seconds / 60:.0f} min", str(asked.seed), str(found)]
        write_row(asked.document, asked.what, figures)
    return 1 if found else 0


def write_row(document: Path, what: str, figures: list[str]) -> None:
    """Replace the row of a run in the table of a document."""
    old = (
        document.read_text(encoding="utf-8").partition("<!-- fuzz -->")[2].partition("<!-- fuzz: end -->")[0]
    )
    rows = {
        cells[0]: cells[1:]
        for line in old.strip().splitlines()[2:]
        if (cells := [cell.strip() for cell in line.strip("| ").split("|")])
    }
    rows[what] = figures
    head = ["run", "cases", "time", "seed", "findings"]
    ordered = [[name, *rows[name]] for name in ("audio", "models", "kills") if name in rows]
    write_section(document, "fuzz", markdown_table(head, ordered, figures=True))


if __name__ == "__main__":
    sys.exit(main())
