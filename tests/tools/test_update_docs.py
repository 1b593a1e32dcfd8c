"""Generated parts of the documents: what the command needs."""

from __future__ import annotations

import subprocess
import sys

from tests.helpers.documented import ROOT


def test_the_plain_install_updates_documents():
    hidden = "import sys; sys.modules['msgspec'] = None; import tools.update_docs"
    subprocess.run([sys.executable, "-c", hidden], cwd=ROOT, check=True)
