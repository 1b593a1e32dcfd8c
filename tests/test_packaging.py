"""Installed package: the wheel, the command in it, and the README's statements about both."""

from __future__ import annotations

import email
import hashlib
import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from email.message import Message
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from dss_cli.errors import ExitCode
from dss_cli.metrics import si_sdr_improvement
from dss_cli.page.assets import HOME, SCRIPTS, STYLES

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "two_talkers.flac"
RUNTIME = {"ai-edge-litert", "numpy", "soundfile", "soxr", "typer", "rich", "platformdirs"}
TRAINING = ("tensorflow", "keras", "torch", "jax", "pyroomacoustics", "scipy")
CARDS = sorted((ROOT / "models").glob("*.json"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_wheel_carries_every_model_with_its_card(wheel: Path) -> None:
    assert CARDS, "models/ holds no model card: the wheel would separate nothing"
    with zipfile.ZipFile(wheel) as archive:
        for path in CARDS:
            card = json.loads(archive.read(f"dss_cli/models/{path.name}"))
            model = archive.read(f"dss_cli/models/{path.stem}.tflite")
            assert hashlib.sha256(model).hexdigest() == card["sha256"], path.stem


def test_wheel_carries_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    released = "-".join(wheel.name.split("-")[:2])
    package, info, data = "dss_cli/", f"{released}.dist-info/", f"{released}.data/data/share/"
    assert [name for name in names if not name.startswith((package, info, data))] == []
    sources = {str(path.relative_to(ROOT).as_posix()) for path in ROOT.glob("dss_cli/**/*.py")}
    templates = {f"dss_cli/{folder}/templates/*" for folder in ("evaluation", "page")}
    read = {str(path.relative_to(ROOT).as_posix()) for pattern in templates for path in ROOT.glob(pattern)}
    player = {f"dss_cli/{HOME}/{name}" for name in (*SCRIPTS, *STYLES)}
    assert read and sources | read | player | {"dss_cli/benchmark/schema.json"} <= names
    assert {name for name in names if name.startswith(f"dss_cli/{HOME}/")} == player
    assert not [name for name in names if name.endswith((".pyc", ".tmp")) or "/test_" in name]
    configs = {path.name for path in (ROOT / "configs").glob("*.toml")}
    assert configs == {name.removeprefix("dss_cli/configs/") for name in names if "/configs/" in name}
    models = {name.removeprefix("dss_cli/models/") for name in names if name.startswith("dss_cli/models/")}
    assert models == {"README.md", *(f"{card.stem}{end}" for card in CARDS for end in (".json", ".tflite"))}
    assert f"{info}licenses/LICENSE" in names


def test_the_wheel_finds_the_files_of_its_pages(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = "from dss_cli.page import assets; print(assets.__file__); assets.load_assets('')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", script]
    found = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)
    assert Path(found.strip()).is_relative_to(tmp_path)


def test_wheel_needs_the_runtime_and_the_extras_bring_the_rest(metadata: Message) -> None:
    requirements = metadata.get_all("Requires-Dist", [])
    plain = {re.split(r"[^\w.-]", line)[0].lower() for line in requirements if "extra ==" not in line}
    assert plain == RUNTIME
    assert metadata["License-Expression"] == "Apache-2.0"


def test_licence_text_is_the_one_that_the_metadata_names() -> None:
    lines = [line.strip() for line in (ROOT / "LICENSE").read_text().splitlines()]
    assert lines[1:3] == ["Apache License", "Version 2.0, January 2004"]


def test_help_loads_nothing_heavy() -> None:
    heavy = (*TRAINING, "ai_edge_litert", "soundfile", "soxr")
    script = (
        "import sys\n"
        "from dss_cli.__main__ import main\n"
        "sys.argv = ['dss', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        f"print('loaded:', *sorted(set({heavy!r}) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "separate" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded:"


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_links_lead_to_files(readme: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", readme)
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


@pytest.fixture(scope="module")
def use() -> str:
    return (ROOT / "docs" / "user" / "use.md").read_text(encoding="utf-8")


def test_the_exit_codes_are_documented(use: str) -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", use, re.MULTILINE)}
    assert documented == {int(code) for code in ExitCode}


def test_the_readme_and_the_guide_speak_of_options_that_exist(readme: str, use: str) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", readme + use, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if "dss separate" in line]
    named = {option for line in lines for option in re.findall(r"(?<!\w)--[a-z][a-z-]*", line)}
    assert named
    command = [sys.executable, "-m", "dss_cli", "separate", "--help"]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    shown = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert named <= set(re.findall(r"--[a-z][a-z-]*", shown.stdout))


def test_links_between_the_pages_lead_to_files() -> None:
    for page in (*ROOT.glob("docs/**/*.md"), ROOT / "models" / "README.md", ROOT / "CHANGELOG.md"):
        links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not (page.parent / link).is_file()] == [], page
        assert not re.search(r"training-log\.md|sections? \d+ of", page.read_text(encoding="utf-8")), page


def test_every_page_stands_in_the_menu_of_the_site() -> None:
    menu = set(re.findall(r"- ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert menu == {path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")}


def test_the_readme_is_one_screen(readme: str) -> None:
    assert len(readme.splitlines()) < 90


def correlation(path: Path, reference: Path) -> float:
    first, second = (np.asarray(soundfile.read(one, dtype="float64")[0]) for one in (path, reference))
    both: npt.NDArray[np.float64] = np.corrcoef(first, second)
    return float(both[0, 1])


@pytest.mark.slow
def test_installed_command_puts_the_near_talker_into_the_near_stem(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    binaries = home / ("Scripts" if os.name == "nt" else "bin")
    python = str(binaries / "python")
    pip = [python, "-m", "pip", "--quiet", "--quiet", "--disable-pip-version-check"]
    # The installed command must not use this checkout or the test environment.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    probe = [*pip, "download", "--no-deps", "--dest", str(tmp_path / "probe"), "platformdirs"]
    if subprocess.run(probe, env=clean, cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("the package index is unreachable: the wheel cannot be installed from it")
    subprocess.run([*pip, "install", str(wheel)], env=clean, cwd=tmp_path, check=True)

    find = f"import importlib.util as u; print([m for m in {TRAINING!r} if u.find_spec(m)])"
    found = subprocess.check_output([python, "-c", find], env=clean, cwd=tmp_path, text=True)
    assert found.strip() == "[]"

    near, far = tmp_path / "near.flac", tmp_path / "far.flac"
    command = [binaries / "dss", "separate", EXAMPLE, "--near", near, "--far", far]
    done = subprocess.run(
        [str(part) for part in command], env=clean, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == ExitCode.OK, done.stderr
    mixture = soundfile.read(EXAMPLE, dtype="float32")[0]
    for stem, other, bar in ((near, far, 4.5), (far, near, 7.5)):  # dB of SI-SDR improvement
        reference = EXAMPLE.with_name(f"two_talkers.{stem.stem}.flac")
        estimate, truth = (soundfile.read(path, dtype="float32")[0] for path in (stem, reference))
        assert si_sdr_improvement(estimate, truth, mixture) >= bar, stem.stem
        assert soundfile.info(stem).frames == soundfile.info(EXAMPLE).frames
        assert correlation(stem, reference) > correlation(other, reference), stem.stem
