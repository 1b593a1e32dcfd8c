"""`dss train`: refusals in one line before any computation, and remains after a full disk."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers import synth
from tests.helpers.disk import full_disk
from tests.helpers.testsets import contents, talker

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytest.importorskip("pyroomacoustics")

from dss_cli.errors import DssError  # noqa: E402
from dss_cli.network import build  # noqa: E402
from dss_cli.network import weights as weights_module  # noqa: E402
from dss_cli.simulation.corpus import load_noise, load_speech  # noqa: E402
from dss_cli.simulation.rir_bank import FAR_SOURCES, NEAR_SOURCES, Bank  # noqa: E402
from dss_cli.training.config import read_config  # noqa: E402
from dss_cli.training.run import _begun_with  # noqa: E402


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """Use a temporary folder as the cache."""
    folder = tmp_path_factory.mktemp("cache")
    for name in ("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(folder))
    return folder


@pytest.fixture(autouse=True)
def trained(monkeypatch):
    """Record the arguments of training, which only returns a network of one weight."""
    calls = []

    class Done:
        step, hours = 7, 0.5

        def averaged(self):
            network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
            network.layers[0].set_weights([np.full((1, 1), 3.0), np.zeros(1)])
            return network

    def train(settings, sources, *others):
        calls.append((settings, sources))
        return Done()

    monkeypatch.setattr("dss_cli.training.loop.train", train)
    return calls


@pytest.fixture
def speech(tmp_path):
    """Five talkers in one folder each, and a correct manifest."""
    folder = tmp_path / "speech"
    for number in range(5):
        (folder / f"t{number}").mkdir(parents=True)
        synth.write(folder / f"t{number}" / "a.wav", talker(number, seconds=0.2))
    write_manifest(folder, [(f"t{n}/a.wav", f"t{n}", split) for split in ("train", "dev") for n in range(5)])
    return folder


def write_manifest(folder, rows, head="path,speaker,split"):
    (folder / "MANIFEST.csv").write_text("\n".join([head, *map(",".join, rows)]) + "\n")


def a_bank(outdoor=(False, True), **changes):
    shape = (len(outdoor), NEAR_SOURCES + FAR_SOURCES)
    bank = Bank(
        np.zeros((*shape, 9600), np.float16),
        np.ones(shape, np.float32),
        np.array(outdoor),
        np.zeros(len(outdoor), np.float32),
        protocol=2,
    )
    return replace(bank, **changes)


def change(**settings):
    """Return `--set` options: `change(validation__scenes=0)` is --set validation.scenes=0."""
    names = {key.replace("__", "."): value for key, value in settings.items()}
    return [part for name, value in names.items() for part in ("--set", f"{name}={value}")]


def steps(count):
    return change(schedule__steps=count, schedule__hold=count)


@pytest.fixture
def begin(dss, tmp_path, speech):
    """`begin(*options)`: run of the toy without validation and with an existing bank."""
    a_bank().save(tmp_path / "bank.npz")

    def run(*options, run=tmp_path / "run", speech=speech):
        usual = ("--config", "toy", *change(validation__scenes=0), "--bank", tmp_path / "bank.npz")
        return dss("train", run, "--speech", speech, *usual, *options)

    return run


@pytest.fixture
def refused(begin, tmp_path, trained):
    """`refused(*options)`: exit code and the line of stderr; checks that nothing was trained or written."""

    def run(*options, **changes):
        before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        status, out, err = begin(*options, **changes)
        assert (out, trained) == ("", [])
        assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
        (error,) = err
        assert error.startswith("dss: error: ")
        return status, error.removeprefix("dss: error: ").replace(f"{tmp_path}/", "")

    return run


def test_folders_that_hold_nothing(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    nothing = "empty: no audio files (WAV, FLAC, Ogg, Opus or MP3)"
    assert refused(speech=tmp_path / "empty") == (1, nothing)
    assert refused("--noise", tmp_path / "empty") == (1, nothing)
    assert refused(speech=tmp_path / "no") == (1, "no: no such folder")
    assert refused(speech=tmp_path / "file") == (1, "file: cannot be read: Not a directory")
    (tmp_path / "empty" / "MANIFEST.csv").write_text("path,speaker,split\n")
    assert refused(speech=tmp_path / "empty") == (1, nothing)


def test_a_folder_that_may_not_be_read(refused, speech, monkeypatch):
    def scandir(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("dss_cli.simulation.corpus.os.scandir", scandir)
    assert refused() == (1, "speech: cannot be read: Permission denied")


def test_files_that_cannot_be_read(refused, speech):
    (speech / "t3" / "a.wav").write_bytes(b"RIFF nonsense")
    status, error = refused()
    assert status == 1
    assert error.startswith("speech/t3/a.wav: cannot be read: ")
    assert error.endswith("; repair it or leave it out")
    synth.write(speech / "t3" / "a.wav", np.full((3200, 1), np.nan, np.float32), subtype="FLOAT")
    assert refused() == (1, "speech/t3/a.wav: samples that are not numbers; repair it or leave it out")
    for number in range(5):
        synth.write(speech / f"t{number}" / "a.wav", np.zeros((3200, 1), np.float32))
    assert refused() == (1, "speech: every audio file there is silent")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"file,talker\na,b\n", "there is no column split"),
        (b"path,split\nt0/a.wav,train\n", "every line needs path and speaker"),
        (b"speaker,split\nt0,train\n", "every line needs path and speaker"),
        (b"split,path,speaker\ntrain\n", "every line needs path and speaker"),
        (b"path,speaker,split\nt0/a.wav,t0,b\nt1/a.wav,t1,a\n", "no line of split 'train'; there is a, b"),
        (b"path,speaker,split\n\xff\xfe,t0,train\n", "not a CSV file in UTF-8"),
    ],
)
def test_manifests_that_say_too_little(refused, speech, text, error):
    (speech / "MANIFEST.csv").write_bytes(text)
    status, told = refused()
    assert status == 1
    assert told.startswith("speech/MANIFEST.csv: ")
    assert error in told


def test_files_that_a_manifest_alone_knows(refused, speech):
    write_manifest(speech, [("t0/a.wav", "t0", "train"), ("t1/no.wav", "t1", "train")])
    gone = "cannot be read: No such file or directory; repair it or leave it out"
    assert refused() == (1, f"speech/t1/no.wav: {gone}")
    write_manifest(speech, [("t0/no.wav", "t0", "train")])
    assert refused() == (1, f"speech/t0/no.wav: {gone}")


def test_validation_without_dev_talkers(refused, speech):
    write_manifest(speech, [(f"t{n}/a.wav", f"t{n}", "train") for n in range(5)])
    there = "no line of split 'dev'; there is train"
    assert refused(*change(validation__scenes=1)) == (1, f"speech/MANIFEST.csv: {there}")


def test_too_few_talkers(refused, begin, speech, trained):
    write_manifest(speech, [(f"t{n}/a.wav", who, "train") for n, who in enumerate("abcaa")])
    status, error = refused(*steps(20), *change(curriculum__begins=[0, 5, 19, 99]))
    assert status == 1
    assert error.startswith("speech: 3 talkers are too few, scenes have up to 5 at once; ")
    assert begin(*steps(20), *change(curriculum__begins=[0, 5, 20, 99]))[0] == 0, (
        "up to step 20 two speak at once"
    )
    trained.clear()
    write_manifest(speech, [("t0/a.wav", "a", "train"), ("t1/a.wav", "a", "train")])
    assert refused(*steps(1))[1].startswith("speech: 1 talkers are too few, scenes have up to 2 at once")
    (speech / "MANIFEST.csv").unlink()
    assert refused(speech=speech / "t0")[1].startswith("speech/t0: 1 talkers are too few")


def test_what_is_said_of_the_material(begin, speech, tmp_path):
    synth.write(speech / "t0" / "a.wav", talker(0, seconds=0.2, rate=8000), rate=8000)
    status, _, err = begin(*steps(1), "--quiet")
    assert (status, err) == (
        0,
        [f"dss: warning: {speech}: 1 of 5 files not at 16 kHz: resampled"],
    )
    (speech / "MANIFEST.csv").unlink()
    a_bank().save(tmp_path / "run" / "bank-dev.npz")
    status, _, err = begin(*steps(1), "--quiet", *change(validation__scenes=1))
    assert status == 0
    assert err[1:] == [f"dss: warning: {speech}: no MANIFEST.csv, so validation uses the talkers of training"]


@pytest.mark.parametrize("damage", ["half", "empty", "text", "array", "keys", "shapes"])
def test_banks_that_are_none(refused, tmp_path, damage):
    path = tmp_path / "bank.npz"
    match damage:
        case "half":
            synth.cut(path, 50)
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("no bank")
        case "array":
            with path.open("wb") as file:
                np.save(file, np.zeros(3))
        case "keys":
            np.savez(path, responses=np.zeros(3))
        case "shapes":
            replace(a_bank(), distances=np.ones((2, 3), np.float32)).save(path)
    status, error = refused()
    assert status == 1
    assert error.startswith("bank.npz: not a bank of responses, or damaged; delete it")


def test_a_bank_that_may_not_be_read(refused, tmp_path):
    (tmp_path / "bank.npz").unlink()
    (tmp_path / "bank.npz").mkdir()
    assert refused() == (1, "bank.npz: cannot be read: Is a directory")


@pytest.mark.parametrize(("outdoor", "lacking"), [(False, "outdoors"), (True, "indoors")])
def test_banks_of_one_kind_of_place(refused, tmp_path, outdoor, lacking):
    a_bank((outdoor, outdoor)).save(tmp_path / "bank.npz")
    there = f"bank.npz: no place {lacking}, but scenes need both; name another --bank"
    assert refused() == (1, there)


def test_a_bank_without_distances_has_the_usual_ones(begin, tmp_path, trained):
    later = ("near", "far", "protocol", "measured", "used")
    old = {name: value for name, value in vars(a_bank()).items() if name not in later}
    np.savez(tmp_path / "bank.npz", **old)
    assert begin(*steps(1), *change(rooms__protocol=1))[0] == 0
    assert trained[0][1].bank.limits == {"near": [0.2, 0.8], "far": [1.2, 6.0], "far_outdoor": [1.2, 15.0]}


def test_a_bank_of_another_protocol_or_without_measured_places(refused, tmp_path):
    assert refused(*change(rooms__protocol=1)) == (
        2,
        "bank.npz: rooms of protocol 2, not 1; begin another RUN, name another --bank or change "
        "rooms.protocol",
    )
    assert refused("--rirs", tmp_path) == (
        2,
        "bank.npz: simulated without --rirs; begin another RUN, name another --bank or leave --rirs out",
    )
    (tmp_path / "bank.npz").unlink()
    assert refused("--rirs", tmp_path / "rooms")[1].startswith("rooms: no MANIFEST.csv")


def test_distances(refused, begin, tmp_path, trained):
    status, error = refused(*change(rooms__near=[0.2, 1.0]))
    assert (status, error) == (
        2,
        "bank.npz: simulated with rooms.near = [0.2, 0.8], not [0.2, 1]; begin another RUN, name another "
        "--bank or change the setting",
    )
    for settings, told in (
        (
            {"rooms__near": [0.8, 0.2]},
            "--set rooms.near=[0.8, 0.2]: the greater one",
        ),
        (
            {"rooms__near": [0, 0.8]},
            "--set rooms.near=[0, 0.8]: a number from 0.05 to",
        ),
        ({"rooms__far": [1.2, 30]}, "--set rooms.far=[1.2, 30]: a number from 0.05"),
        ({"rooms__near": [0.2, 1.3]}, "rooms: near ends at 1.3 m, after far begins at 1.2 m"),
        ({"rooms__far": [6, 15]}, "rooms: far begins at 6 m; rooms allow at most 5 m"),
    ):
        status, error = refused(*change(**settings))
        assert status == 2 and told in error
    a_bank(near=(0.2, 1.3), far=(1.7, 10.0)).save(tmp_path / "bank.npz")
    assert begin(*steps(1), *change(rooms__near=[0.2, 1.3], rooms__far=[1.7, 10]))[0] == 0
    limits = {"near": [0.2, 1.3], "far": [1.7, 6.0], "far_outdoor": [1.7, 10.0]}
    assert json.loads((tmp_path / "run" / "training.json").read_text())["training"]["limits"] == limits


def test_validation_is_at_the_distances_of_training(refused, tmp_path):
    a_bank(near=(0.2, 1.0)).save(tmp_path / "bank.npz")
    a_bank().save(tmp_path / "run" / "bank-dev.npz")
    status, error = refused(*change(validation__scenes=1, rooms__near=[0.2, 1.0]))
    assert status == 2
    assert error.startswith("run/bank-dev.npz: simulated with rooms.near = [0.2, 0.8], not [0.2, 1]; ")


def test_a_place_for_the_run(refused, tmp_path):
    (tmp_path / "file").touch()
    there = "cannot be written: Not a directory; name another RUN"
    assert refused(run=tmp_path / "file" / "run") == (1, f"file/run: {there}")
    assert refused(run=tmp_path / "file") == (1, "file: cannot be written: File exists; name another RUN")


def test_weights_to_begin_with(refused, begin, tmp_path):
    weights = tmp_path / "old.weights.h5"
    assert refused("--weights", weights) == (
        1,
        "old.weights.h5: no such file; --weights names others, --set data.weights=false none",
    )
    weights.touch()
    (tmp_path / "training.json").write_text("[]")
    status, error = refused("--weights", weights)
    assert status == 1
    assert error.startswith("training.json: not the card of old.weights.h5: ")
    (tmp_path / "training.json").write_text('{"training": {"hours": 1.5, "hours_before": 2.0}}')
    status, error = refused("--weights", weights, "--bank", tmp_path / "none.npz")
    assert status == 1, "before it simulates a bank"
    assert error.startswith("old.weights.h5: not weights of configuration toy: ")
    build("toy").save_weights(weights)
    assert begin("--weights", weights, *steps(1))[0] == 0
    told = json.loads((tmp_path / "run" / "training.json").read_text())["training"]
    assert (told["begun_with"], told["hours_before"]) == ("old.weights.h5", 3.5)
    (tmp_path / "old.json").write_text('{"training": {"hours": 9}}')
    assert _begun_with(weights, False)["hours_before"] == 9, "the card of the weights comes first"


def test_a_run_is_resumed_with_its_own_settings_alone(begin, refused, trained, tmp_path):
    run = tmp_path / "run"
    assert begin(*steps(9))[0] == 0
    (run / "checkpoint.npz").touch()
    trained.clear()
    status, error = refused(*steps(9), *change(training__batch=4, training__seed=2, loss__near_ratio=2.0))
    assert status == 2
    assert error == (
        "run/config.toml: training.seed is 1, not 2; training.batch is 8, not 4; loss.near_ratio is 1.0, "
        "not 2.0; resume with these settings, or begin another RUN"
    )
    status, _, err = begin(*steps(12), *change(machine__mixers=3))
    assert status == 0 and "schedule.steps: 9 before, 12 from here on" in err
    assert trained[0][0].schedule.steps == 12
    assert read_config(run / "config.toml").schedule.steps == 12


def test_a_run_of_an_earlier_version_is_resumed_aloud(begin, tmp_path, trained):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.npz").touch()
    status, _, err = begin(*steps(9), "--quiet")
    assert (status, len(trained)) == (0, 1)
    assert err == [
        f"dss: warning: {tmp_path / 'run'}: no config.toml, the run is of an earlier version: changed "
        "settings are not detected"
    ]


def test_speech_has_to_be_named(dss, tmp_path):
    status, _, err = dss("train", tmp_path / "run", "--config", "toy")
    assert status == 2
    assert err[-1].startswith("dss: error: no speech: name its folder with --speech, or as data.speech")


# A full disk.


def test_no_room_for_a_bank(refused, tmp_path, monkeypatch):
    monkeypatch.setattr("dss_cli.training.preparation.simulate_bank", lambda *a, **o: a_bank())
    with full_disk(200_000):
        status, error = refused("--bank", tmp_path / "new.npz", "--quiet")
    assert (status, error) == (1, "new.npz: cannot be written: File too large")


def test_no_room_for_the_trained_weights(begin, tmp_path, monkeypatch):
    assert begin(*steps(1))[0] == 0
    before = contents(tmp_path / "run")
    assert set(before) == {"config.toml", "toy.weights.h5", "training.json"}
    monkeypatch.setattr("dss_cli.training.run.weights_file", lambda network: bytes(30_000))
    with full_disk():
        status, _, err = begin(*steps(1), "--quiet")
    there = tmp_path / "run" / "toy.weights.h5"
    assert (status, err) == (1, [f"dss: error: {there}: cannot be written: File too large"])
    assert contents(tmp_path / "run") == before


def test_no_room_for_temporary_weights():
    class Network:
        def save_weights(self, path):
            raise OSError(28, "No space left on device")

    with pytest.raises(DssError, match=r"network\.weights\.h5: cannot be written: .*No space left on device"):
        weights_module.weights_file(Network())


def test_no_room_for_the_cache(speech, cache):
    with full_disk(), pytest.raises(DssError, match=r"\.npz: cannot be written: File too large"):
        load_speech(speech)
    assert contents(cache) == {}


def test_a_damaged_cache_is_made_again(speech, cache):
    first = load_speech(speech)
    (cached,) = cache.rglob("*.npz")
    whole = cached.read_bytes()
    synth.cut(cached, 60)
    np.testing.assert_array_equal(load_speech(speech).samples, first.samples)
    assert len(cached.read_bytes()) == len(whole)


def test_noise_by_manifest_needs_a_path(tmp_path):
    write_manifest(tmp_path, [("rain", "train")], head="category,split")
    with pytest.raises(DssError, match=r"MANIFEST\.csv: every line needs path$"):
        load_noise(tmp_path, "train")
