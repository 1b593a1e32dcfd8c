"""Search for models, and refusals before LiteRT reads a file."""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dss_cli.errors import DssError, UsageError
from dss_cli.runtime import registry
from tests.helpers import tiny

SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
CONTENT = tiny.pack(tiny.graph())


@pytest.fixture
def shelves(tmp_path, monkeypatch):
    """Empty bundled folder and empty user folder."""
    bundled, own = tmp_path / "bundled", tmp_path / "own"
    bundled.mkdir()
    own.mkdir()
    monkeypatch.setattr(registry, "folders", lambda: [bundled, own])
    return bundled, own


def change_card(path: Path, **values) -> None:
    card_path = path.with_suffix(".json")
    card = json.loads(card_path.read_text()) | values
    card_path.write_text(json.dumps({k: v for k, v in card.items() if v is not None}))


def test_a_name_is_found_in_either_folder(shelves):
    bundled, own = shelves
    paths = {"tiny": tiny.write(bundled), "mine": tiny.write(own, "mine")}
    for name, path in paths.items():
        model = registry.find_model(name)
        assert (model.name, model.path, model.signal) == (name, path, tiny.SIGNAL)
        assert model.card == tiny.card(CONTENT, name)
    assert [model.name for model in registry.list_models()] == ["tiny", "mine"]


@pytest.mark.parametrize("as_text", [True, False])
def test_a_path_is_found_anywhere(tmp_path, shelves, as_text):
    path = tiny.write(tmp_path)
    assert registry.find_model(str(path) if as_text else path).path == path


def test_a_file_in_the_current_folder_is_a_path(tmp_path, shelves, monkeypatch):
    tiny.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert registry.find_model("tiny.tflite").name == "tiny"


def test_an_unknown_name_lists_what_exists(shelves):
    bundled, own = shelves
    with pytest.raises(UsageError, match="no model called 'light': there is none"):
        registry.find_model("light")
    tiny.write(bundled, "lite")
    tiny.write(own, "mine")
    with pytest.raises(UsageError, match="no model called 'light': there is lite, mine"):
        registry.find_model("light")


def test_a_bundled_model_comes_before_the_users_of_that_name(shelves):
    bundled, own = shelves
    first, hidden = tiny.write(bundled), tiny.write(own)
    said = []
    assert registry.find_model("tiny").path == first
    assert [model.path for model in registry.list_models(said.append)] == [first]
    assert said == [f"{hidden}: hidden by {first}; use its path"]


def test_a_damaged_model_is_named_and_the_others_are_listed(shelves):
    bundled, own = shelves
    broken = tiny.write(bundled, "broken")
    broken.write_bytes(b"")
    tiny.write(own)
    said = []
    assert [model.name for model in registry.list_models(said.append)] == ["tiny"]
    assert len(said) == 1 and said[0].startswith(f"{broken}: 0 bytes where the card says")
    with pytest.raises(DssError, match=r"broken\.tflite"):
        registry.find_model("broken")


@given(length=st.integers(0, len(CONTENT) - 1))
@SAME_FOLDER
def test_a_truncated_file_is_refused(tmp_path, length):
    path = tiny.write(tmp_path)
    path.write_bytes(CONTENT[:length])
    with pytest.raises(DssError, match=f"tiny.tflite: {length} bytes where the card says"):
        registry.load(path)


@given(place=st.integers(0, len(CONTENT) - 1), change=st.integers(1, 255))
@SAME_FOLDER
def test_one_changed_byte_is_refused(tmp_path, place, change):
    path = tiny.write(tmp_path)
    damaged = bytearray(CONTENT)
    damaged[place] ^= change
    path.write_bytes(damaged)
    with pytest.raises(DssError, match=r"tiny\.tflite: damaged, or another file"):
        registry.load(path)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"schema": 2}, "schema 2 is not 1"),
        ({"schema": None}, "schema None is not 1"),
        ({"sha256": None, "bytes": None}, "no bytes, sha256 in the model card"),
        ({"overlap": None}, "no overlap in the model card"),
        ({"overlap": 0.51}, r"overlap 0\.51 lies outside 0 to 0\.5"),
        ({"overlap": "0.25"}, "overlap '0.25' lies outside"),
        ({"overlap": True}, "overlap True lies outside"),
        ({"overlap": float("nan")}, "overlap nan lies outside"),
        ({"name": "lite"}, "the card of 'lite', not of 'tiny'"),
        ({"signal": 16000}, "signal is 16000, not an object"),
        ({"signal": {"hop": 128}}, "signal constants missing or unknown"),
        ({"signal": tiny.SIGNAL.to_dict() | {"hop": 100}}, "hop=100"),
        ({"signal": tiny.SIGNAL.to_dict() | {"exponent": "x"}}, "tiny.json"),
        ({"signal": tiny.SIGNAL.to_dict() | {"frames": 10**9}}, "frames=1000000000 are more than"),
        ({"signal": tiny.SIGNAL.to_dict() | {"window": 1 << 20, "bins": 1 << 19}}, "window=1048576"),
        ({"signal": tiny.SIGNAL.to_dict() | {"sample_rate": 1}}, "sample_rate=1 lies outside 8000 to 192000"),
        ({"signal": tiny.SIGNAL.to_dict() | {"frames": [1] * 10_000}}, r"frames=\[1, 1, .*\.\.\.\] is not"),
        ({"signal": dict.fromkeys(map(str, range(10_000)))}, "missing or unknown"),
        ({"name": "x" * 100_000}, r"the card of 'x+\.\.\.x+', not of"),
        ({"training": []}, r"training is \[\], not an object"),
        ({"scores": "good"}, "scores is 'good', not an object"),
        ({"parameters": "many"}, "parameters is 'many', not a whole number"),
        ({"bytes": True}, "bytes is True, not a whole number"),
    ],
)
def test_a_card_that_is_not_right_is_refused(tmp_path, values, reason):
    path = tiny.write(tmp_path)
    change_card(path, **values)
    with pytest.raises(DssError, match=reason) as caught:
        registry.load(path)
    assert str(path.with_suffix(".json")) in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("overlap", [0, 0.1, 0.5])
def test_the_cards_overlap_is_the_models(tmp_path, overlap):
    path = tiny.write(tmp_path)
    change_card(path, overlap=overlap)
    assert registry.load(path).overlap == overlap


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
FIELDS = ("schema", "name", "sha256", "bytes", "signal", "overlap")
OPTIONAL = ("parameters", "training", "scores", "limits", "checks", "latency_seconds")


def fits_overlap(name, value):
    return name == "overlap" and type(value) in (int, float) and 0 <= value <= 0.5


@given(values=st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1))
@SAME_FOLDER
def test_no_card_causes_anything_but_a_dss_error(tmp_path, values):
    path = tiny.write(tmp_path)
    right = tiny.card(CONTENT)
    change_card(path, **values)
    if all(right[name] == value or fits_overlap(name, value) for name, value in values.items()):
        assert registry.load(path).card == right | values
    else:
        with pytest.raises(DssError):
            registry.load(path)


@given(values=st.dictionaries(st.sampled_from(OPTIONAL), JSON, min_size=1))
@SAME_FOLDER
def test_a_card_that_is_taken_can_be_listed(tmp_path_factory, values):
    from dss_cli.cli.models import models

    folder = tmp_path_factory.mktemp("own")
    change_card(tiny.write(folder), **values)
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(registry, "folders", lambda: [folder])
        models()
        models(as_json=True)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"schema": 1' + b"0" * 10_000 + b"}",
        b"\0" * 1000,
        b'"' + b"x" * 100_000,
    ],
    ids=["deep lists", "deep objects", "a long number", "zeros", "an open text"],
)
def test_json_of_any_depth_and_size_ends_in_one_line(tmp_path, content):
    path = tiny.write(tmp_path)
    path.with_suffix(".json").write_bytes(content)
    with pytest.raises(DssError, match=r"tiny\.json: (not a model card|schema)") as caught:
        registry.load(path)
    assert len(str(caught.value)) < 500


def test_files_beyond_any_sense_are_not_read(tmp_path):
    path = tiny.write(tmp_path)
    with path.with_suffix(".json").open("r+b") as file:
        file.truncate(1 << 30)
    with pytest.raises(
        DssError, match=r"tiny\.json: the model card cannot be read: 1073741824 bytes are more"
    ):
        registry.load(path)
    with path.open("r+b") as file:
        file.truncate(1 << 32)
    with pytest.raises(DssError, match=r"tiny\.tflite: the model cannot be read: 4294967296 bytes are more"):
        registry.load(path)


@pytest.mark.skipif(os.name == "nt", reason="devices of POSIX")
def test_a_device_is_no_card(tmp_path):
    path = tiny.write(tmp_path)
    path.with_suffix(".json").unlink()
    path.with_suffix(".json").symlink_to("/dev/zero")
    with pytest.raises(DssError, match="not a plain file"):
        registry.load(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1, 2]", b"null"])
def test_a_card_that_is_no_json_object_is_refused(tmp_path, content):
    path = tiny.write(tmp_path)
    path.with_suffix(".json").write_bytes(content)
    with pytest.raises(DssError, match=r"tiny\.json: not a model card"):
        registry.load(path)


def test_what_is_missing_is_named(tmp_path):
    path = tiny.write(tmp_path)
    path.with_suffix(".json").unlink()
    with pytest.raises(DssError, match=r"tiny\.json: the model card cannot be read: No such file"):
        registry.find_model(path)
    path.unlink()
    with pytest.raises(DssError, match=r"tiny\.tflite: the model cannot be read: No such file"):
        registry.find_model(path)
    with pytest.raises(DssError, match=r"speech\.wav: not the path of a \.tflite file"):
        registry.find_model(tmp_path / "speech.wav")


def test_the_folders_are_the_packages_and_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    bundled, own = registry.folders()
    package = Path(registry.__file__).resolve().parents[1]
    assert bundled in (package / "models", package.parent / "models")
    assert own.parts[-2:] == ("dss", "models")
