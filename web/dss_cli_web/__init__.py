"""The built page of dss: a folder of static files, served by `dss web`."""

from pathlib import Path

FOLDER = Path(__file__).parent / "site"
