"""Files at URLs: search, complete copies or none, and one line per error."""

from __future__ import annotations

import sys
from hashlib import sha256

import pytest

pytest.importorskip("fsspec")

from dss_cli.errors import DssError
from dss_cli.utils import urls
from tests.helpers.stub import files


@pytest.mark.parametrize(
    ("text", "expected"),
    [("s3://b/a.wav", True), ("memory://a", True), ("a/b.wav", False), ("C:\\a.wav", False), ("-", False)],
)
def test_what_is_a_url(text, expected):
    assert urls.is_url(text) is expected


def test_paths_and_urls_are_joined_as_each_is():
    assert urls.join("s3://b/x/", "y/a.wav") == "s3://b/x/y/a.wav"
    assert urls.join("x", "a.wav") == "x/a.wav".replace("/", "\\" if sys.platform == "win32" else "/")
    assert urls.join("", "a.wav") == "a.wav"
    assert urls.base_name("s3://b/x/a.wav") == "a.wav"
    assert urls.plain_path("file:///x/a.wav") == "/x/a.wav"


def test_files_come_back_as_they_went(memory, tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"sound" * 1000)
    urls.upload({"memory://x/deep/a.bin": path, "memory://x/b.bin": path})
    assert urls.find("memory://x") == ["b.bin", "deep/a.bin"]  # no file with a temporary name
    assert urls.is_folder("memory://x") and not urls.is_folder("memory://x/b.bin")
    assert urls.exists("memory://x/b.bin") and not urls.exists("memory://x/c.bin")
    urls.download("memory://x/deep/a.bin", tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == path.read_bytes()
    assert urls.sha256("memory://x/b.bin") == urls.sha256(str(path)) == sha256(path.read_bytes()).hexdigest()


def test_an_upload_that_fails_leaves_nothing(memory, tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"new")
    memory.pipe("/x/b.bin", b"old")
    ordinary = type(memory).put_file

    def put_file(self, source, target, **options):
        if "b.bin" in target:
            raise OSError(28, "No space left on device")
        ordinary(self, source, target, **options)

    monkeypatch.setattr(type(memory), "put_file", put_file)
    with pytest.raises(DssError, match=r"^memory://x/b.bin: cannot be written: .*No space left"):
        urls.upload({"memory://x/a.bin": path, "memory://x/b.bin": path})
    assert urls.find("memory://x") == ["b.bin"]
    assert memory.cat("/x/b.bin") == b"old"


def test_what_cannot_be_read_is_one_line(memory, tmp_path, monkeypatch):
    for url, reason in (
        ("memory://nothing.wav", "cannot be read: no such file"),
        ("nonsense://a.wav", "cannot be read: .*nonsense"),
    ):
        with pytest.raises(DssError, match=reason) as error:
            urls.download(url, tmp_path / "a.wav")
        assert "\n" not in str(error.value)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(DssError, match=r"pip install 'dss-cli\[cluster\]'"):
        urls.exists("memory://a.wav")
    assert [name for name in files(tmp_path) if name != "a.wav"] == []
