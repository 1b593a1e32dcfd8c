"""Access to files behind URLs (s3://, gs://, sftp://, ...) through fsspec, part of the extra `cluster`."""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import DssError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_LOCAL = "file://"
# Object stores: an upload appears complete or not at all, and a rename would copy the object.
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "tos"})


def is_url(text: str) -> bool:
    """Return whether a text is a URL; a Windows path with a drive letter is not."""
    return bool(_URL.match(text))


def plain_path(text: str) -> str:
    """Return the path of a file:// URL; any other text is returned unchanged."""
    return text.removeprefix(_LOCAL) if text.startswith(_LOCAL) else text


def join(folder: str, relative: str) -> str:
    """Return the path or URL of `relative` inside a folder, which is a path or a URL too."""
    if is_url(folder):
        return f"{folder.rstrip('/')}/{relative}"
    return str(Path(folder) / relative)


def base_name(text: str) -> str:
    """Return the last part of a path or URL."""
    return posixpath.basename(text.rstrip("/")) if is_url(text) else Path(text).name


def is_folder(url: str) -> bool:
    """Return whether a URL is a folder, or a prefix of the names of stored objects.

    Raises:
        DssError: the file system cannot be reached or read.
    """
    with _told(url, "read"):
        system, path = _open(url)
        return bool(system.isdir(path))


def exists(url: str) -> bool:
    """Return whether a URL exists.

    Raises:
        DssError: the file system cannot be reached or read.
    """
    with _told(url, "read"):
        system, path = _open(url)
        return bool(system.exists(path))


def find(url: str) -> list[str]:
    """Return the relative paths of all files under a URL, sorted; an empty list if the URL does not exist.

    Raises:
        DssError: the file system cannot be reached or read.
    """
    with _told(url, "read"):
        system, path = _open(url)
        system.invalidate_cache()
        root = path.rstrip("/") + "/"
        return sorted(name.removeprefix(root) for name in system.find(path) if name.startswith(root))


def download(url: str, path: Path) -> None:
    """Copy the file behind a URL to a local path.

    Raises:
        DssError: the URL cannot be read.
    """
    with _told(url, "read"):
        system, source = _open(url)
        system.get_file(source, str(path))


def upload(files: Mapping[str, Path]) -> None:
    """Copy local files, given by URL, to their URLs; each target appears complete or not at all.

    Step one copies the files under temporary names, step two renames them. Files for object stores are
    uploaded directly in step two. A failure in step one leaves no target; a failure in step two keeps the
    earlier targets.

    Raises:
        DssError: a URL cannot be written.
    """
    pending: list[tuple[str, Any, str, str]] = []
    try:
        for url, path in files.items():
            with _told(url, "written"):
                system, target = _open(url)
                if _is_store(system):
                    pending.append((url, system, str(path), target))
                    continue
                parent, name = posixpath.split(target)
                system.makedirs(parent, exist_ok=True)
                temporary = posixpath.join(parent, f".{name}.{secrets.token_hex(4)}.part")
                pending.append((url, system, temporary, target))
                system.put_file(str(path), temporary)
        while pending:
            url, system, source, target = pending[0]
            with _told(url, "written"):
                if _is_store(system):
                    system.put_file(source, target)
                else:
                    if system.exists(target):
                        system.rm_file(target)
                    system.mv(source, target)
            pending.pop(0)
    finally:
        for _, system, source, _ in pending:
            if not _is_store(system):
                with contextlib.suppress(Exception):
                    system.rm_file(source)


def sha256(text: str) -> str:
    """Return the SHA-256 of a local file or of the file behind a URL, in hexadecimal.

    Raises:
        DssError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with _told(text, "read"), _open_file(text) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _open_file(text: str) -> Any:
    if not is_url(text):
        return Path(text).open("rb")
    system, path = _open(text)
    return system.open(path, "rb")


def _is_store(system: Any) -> bool:
    protocols = (system.protocol,) if isinstance(system.protocol, str) else system.protocol
    return not _WHOLE.isdisjoint(protocols)


def _open(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise DssError(f"{url}: URLs need more packages: pip install 'dss-cli[cluster]' ({error})") from None
    system, path = fsspec.core.url_to_fs(url)
    return system, path


@contextlib.contextmanager
def _told(url: str, what: str) -> Iterator[None]:
    """Turn any error of a file system, whatever its class, into a DssError of one line."""
    try:
        yield
    except DssError:
        raise
    except FileNotFoundError as error:
        raise DssError(f"{url}: cannot be {what}: no such file") from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DssError(f"{url}: cannot be {what}: {reason}") from error
