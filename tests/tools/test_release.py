"""Parts of a release: reproducible bytes, checksums, an unprivileged image, workflows."""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from dss_cli._version import __version__
from dss_cli.errors import DssError
from tools import release
from tools.command_files import BASH, FISH, MAN, ZSH

ROOT = Path(__file__).parents[2]
EPOCH = "1700000000"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return release.build(tmp_path_factory.mktemp("dist"), EPOCH)


def test_a_second_build_gives_the_same_bytes(built, tmp_path):
    assert [path.name for path in built] == [
        f"dss_cli-{__version__}-py3-none-any.whl",
        f"dss_cli-{__version__}.tar.gz",
    ]
    assert release.sums(release.build(tmp_path, EPOCH)) == release.sums(built)
    other = release.build(tmp_path / "later", str(int(EPOCH) + 100_000), ["wheel"])
    assert release.sums(other) != release.sums(built[:1]), "the times are those that were asked for"


def test_sums_are_what_sha256sum_reads(tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    assert release.sums([tmp_path / "a"]) == f"{hashlib.sha256(b'content').hexdigest()}  a\n"


def test_the_wheel_installs_man_page_and_completions(built):
    with zipfile.ZipFile(built[0]) as wheel:
        data = {n.partition(".data/data/share/")[2] for n in wheel.namelist() if ".data/data/share/" in n}
    assert data == {MAN, BASH, ZSH, FISH}


def test_the_source_archive_holds_what_tests_need(built):
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in ("configs/lite.toml", "tests/conftest.py", "tools/release.py", "Makefile", "mkdocs.yml"):
        assert name in names
    assert not [name for name in names if name.startswith(("build/", "dist/", ".venv"))]


def test_a_folder_that_holds_files_is_refused(tmp_path):
    (tmp_path / "old.whl").touch()
    with pytest.raises(DssError, match="holds files already"):
        release.release(tmp_path)


def test_the_wheel_of_the_page_needs_a_built_page(tmp_path, monkeypatch):
    monkeypatch.setattr(release, "PAGE", tmp_path / "nothing")
    with pytest.raises(DssError, match="`make web` builds the page"):
        release.build_page(tmp_path, EPOCH)


def test_the_wheel_of_the_page_has_the_version_of_the_command_and_holds_the_page(tmp_path):
    project = tmp_path / "web"
    shutil.copytree(release.WEB / "dss_cli_web", project / "dss_cli_web")
    shutil.copy(release.WEB / "pyproject.toml", project)
    (tmp_path / "dss_cli").mkdir()
    shutil.copy(ROOT / "dss_cli" / "_version.py", tmp_path / "dss_cli")
    (tmp_path / "build" / "web").mkdir(parents=True)
    (tmp_path / "build" / "web" / "index.html").write_text("<!doctype html>")
    (wheel,) = release.build(tmp_path / "dist", EPOCH, ["wheel"], project)
    assert wheel.name == f"dss_cli_web-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {"dss_cli_web/__init__.py", "dss_cli_web/site/index.html"}


def instructions(text):
    """Return pairs of instruction and arguments, without comments and with continued lines joined."""
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def lint(text):
    """Return the faults of a Dockerfile."""
    steps = instructions(text)
    of = {name: [what for one, what in steps if one == name] for name, _ in steps}
    wrong = [
        f"not pinned, or not slim: {what}" for what in of["FROM"] if not re.match(r"\S+:[\d.]+-slim\b", what)
    ]
    if of.get("USER", ["root"])[-1] in ("root", "0"):
        wrong.append("runs as root")
    if of.get("ENTRYPOINT") != ['["dss"]']:
        wrong.append("the entry point is not dss")
    wrong += [f"ADD: {what}" for what in of.get("ADD", [])]
    caching = (what for what in of.get("RUN", []) if "pip install" in what and "--no-cache-dir" not in what)
    return wrong + [f"keeps a cache: {what}" for what in caching]


def test_the_image_is_slim_and_runs_dss_without_rights():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert lint(text) == []
    for name, what in instructions(text):
        if name == "COPY" and not what.startswith("--from"):
            assert all((ROOT / source).exists() for source in what.split()[:-1]), what
    allowed = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = {s for n, w in instructions(text) if n == "COPY" and "--from" not in w for s in w.split()[:-1]}
    assert copied == set(allowed), ".dockerignore lets in what is copied, and nothing else"


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("FROM python:latest", "not pinned"),
        ("USER root", "runs as root"),
        ('ENTRYPOINT ["sh"]', "the entry point"),
        ("RUN pip install dss", "keeps a cache"),
        ("ADD . /", "ADD"),
    ],
)
def test_the_lint_finds_what_is_wrong(line, wrong):
    good = 'FROM python:3.12-slim\nUSER dss\nENTRYPOINT ["dss"]\n'
    assert lint(good) == []
    name = line.split()[0]
    bad = re.sub(rf"^{name} .*$", line, good, flags=re.MULTILINE) if name in good else f"{good}{line}\n"
    assert any(found.startswith(wrong) for found in lint(bad))


def test_workflows_run_targets_that_exist_and_hold_no_password():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    workflows = {path.stem: path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml")}
    assert workflows.keys() == {"test", "docs", "release"}
    for text in workflows.values():
        assert set(re.findall(r"make ([a-z-]+)", text)) <= targets
        assert "secrets." not in text and "password" not in text.replace("no password", "")
        assert text.count("permissions:") >= 1
    assert "id-token: write" in workflows["release"], "trusted publishing"
