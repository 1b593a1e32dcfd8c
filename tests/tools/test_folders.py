"""Permitted imports between the folders of the package, and their picture in the architecture document."""

from __future__ import annotations

from graphlib import CycleError
from pathlib import Path

import pytest

from tools.folders import LABEL, floors, folders, imported, picture

ROOT = Path(__file__).parents[2]
GROUND = {"_version", "constants", "distances", "errors", "utils"}
MAY = {  # permitted imports, in addition to the ground floor
    "metrics": set(),
    "energy": set(),
    "audio": set(),
    "runtime": set(),
    "cluster": set(),
    "page": {"audio"},
    "separation": {"audio", "cluster", "page", "runtime"},
    "tflite": {"runtime"},
    "diagnostics": {"energy", "runtime"},
    "benchmark": {"audio", "energy", "live", "metrics", "runtime", "separation", "tflite"},
    "live": {"audio", "runtime", "separation"},
    "network": set(),
    "simulation": set(),
    "testset": {"cluster", "simulation"},
    "training": {"metrics", "network", "separation", "simulation"},
    "export": {"metrics", "network", "runtime", "separation", "tflite"},
    "evaluation": {"audio", "cluster", "export", "metrics", "page", "runtime", "separation", "testset"},
    "web": set(),
    "dss_cli": {"metrics", "runtime", "separation"},
    "__main__": {"cli"},
}
BELOW = {  # permitted imports within the ground floor
    "_version": set(),
    "errors": set(),
    "constants": {"errors"},
    "distances": set(),
    "utils": {"_version", "errors"},
}
RUNTIME = {
    "audio",
    "benchmark",
    "cluster",
    "diagnostics",
    "energy",
    "live",
    "metrics",
    "page",
    "runtime",
    "separation",
    "tflite",
} | GROUND
TRAINERS = {"h5py", "jax", "keras", "pyroomacoustics", "scipy", "tensorflow", "torch"}


@pytest.fixture(scope="module")
def modules():
    return imported()


def test_folders_import_what_they_may_and_nothing_else(modules):
    found = folders(modules)
    allowed = {name: GROUND | others for name, others in MAY.items()} | BELOW
    allowed["cli"] = found.keys() - {"__main__", "dss_cli"}
    assert found.keys() == allowed.keys(), "every folder has its place here"
    assert {name: found[name] - allowed[name] for name in found if found[name] - allowed[name]} == {}


def test_what_is_allowed_is_used(modules):
    found = folders(modules)
    assert {name: others - found[name] for name, others in MAY.items() if others - found[name]} == {}


def test_there_are_no_circles(modules):
    heights = {name: height for height, names in enumerate(floors(folders(modules))) for name in names}
    for name, targets in folders(modules).items():
        assert all(heights[target] < heights[name] for target in targets)
    with pytest.raises(CycleError):
        floors({"one": {"other"}, "other": {"one"}})


def test_the_runtime_wing_needs_nothing_that_trains(modules):
    wing = {name: targets for name, targets in modules.items() if folders({name: set()}).keys() <= RUNTIME}
    assert len(wing) > 40
    needed = {name: {target.split(".")[0] for target in targets} & TRAINERS for name, targets in wing.items()}
    assert {name: trainers for name, trainers in needed.items() if trainers} == {}


def test_the_picture_in_the_architecture_is_todays():
    text = (ROOT / "docs" / "development" / "architecture.md").read_text(encoding="utf-8")
    shown = text.partition(f"<!-- {LABEL} -->")[2].partition(f"<!-- {LABEL}: end -->")[0]
    assert shown.strip() == picture(), "python -m tools.update_docs folders"


def test_relative_and_absolute_imports_are_read_wherever_they_stand(tmp_path):
    package = tmp_path / "house"
    (package / "room").mkdir(parents=True)
    (package / "__init__.py").write_text("from .room.door import knob\n")
    (package / "room" / "__init__.py").write_text("")
    (package / "room" / "door.py").write_text("import numpy as np\n\ndef f():\n    from .. import floor\n")
    (package / "floor.py").write_text("import house.room.door\nfrom . import room\n")
    found = imported(package)
    assert found["house"] == {"house.room.door"}
    assert found["house.room.door"] == {"numpy", "house.floor"}
    assert found["house.floor"] == {"house.room.door", "house.room"}
    assert folders(found, "house") == {"house": {"room"}, "room": {"floor"}, "floor": {"room"}}
