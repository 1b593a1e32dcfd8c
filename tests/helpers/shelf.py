"""URL scheme `shelf:///PATH` for local files, which several processes can share."""

from __future__ import annotations

import fsspec
from fsspec.implementations.local import LocalFileSystem


class Shelf(LocalFileSystem):
    """File system of local files whose copies are not atomic, as on an SFTP server."""

    protocol = ("shelf",)

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).removeprefix("shelf://"))


def register():
    """Register the URL scheme with fsspec in this process."""
    fsspec.register_implementation("shelf", Shelf, clobber=True)
