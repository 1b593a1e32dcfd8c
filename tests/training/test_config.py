"""Bundled configurations: complete, consistent, and read as the same recipe everywhere."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace

import pytest

pytest.importorskip("keras")
pytest.importorskip("scipy")

from dss_cli.errors import UsageError
from dss_cli.network.config import CONFIGS, CONFIGURATIONS, TwoStageConfig
from dss_cli.simulation.recipe import Recipe
from dss_cli.training.config import TrainingConfig, read_config
from dss_cli.utils.layers import read_layers
from dss_cli.utils.toml_text import to_table, to_toml

NAMES = sorted(path.stem for path in CONFIGS.glob("*.toml"))


def lacking(settings, table, name=""):
    """Return the dotted names of the settings missing in a table."""
    found = []
    for f in fields(settings):
        value = getattr(settings, f.name)
        if f.name not in table:
            found.append(name + f.name)
        elif is_dataclass(value):
            found += lacking(value, table[f.name], f"{name}{f.name}.")
    return found


def test_the_recipe_of_the_bundled_model_is_complete_in_one_file():
    layers = read_layers(TrainingConfig, "lite", CONFIGS)
    assert set(layers.origins.values()) == {str(CONFIGS / "lite.toml")}
    assert lacking(read_config("lite"), layers.values) == ["name"]


def test_every_setting_of_the_bundled_model_is_explained_or_its_name_says_all():
    lines = (CONFIGS / "lite.toml").read_text(encoding="utf-8").splitlines()
    common = lines[: lines.index(next(line for line in lines if line.startswith("[[stages]]")))]
    settings = [line for line in common if re.match(r"\w+ = ", line)]
    assert len(settings) > 60
    bare = {line.split(" = ")[0] for line in settings if "#" not in line}
    said_nearby = {"frequency_kernel", "stride", "channels", "blocks", "kind"}
    assert bare <= said_nearby


@pytest.mark.parametrize("name", NAMES)
def test_bundled_configurations_are_read_and_keep_their_resolved_copy(name, tmp_path):
    config = read_config(name)
    assert config.name == name
    assert config.network == CONFIGURATIONS[name]
    path = tmp_path / "config.toml"
    path.write_text(to_toml(to_table(config)), encoding="utf-8")
    assert read_config(path) == config


@pytest.mark.parametrize("name", [name for name in NAMES if name != "lite"])
def test_other_configurations_hear_the_scenes_of_lite(name):
    config, lite = read_config(name), read_config("lite")
    assert (config.scenes, config.stages, config.rooms) == (lite.scenes, lite.stages, lite.rooms)
    assert config.data.weights is None and config.curriculum.begins[-1] > 0, "fresh weights need easy scenes"


def test_a_stage_is_the_common_scenes_but_for_what_it_says():
    config = read_config("lite", ["scenes.captured=0.1", "scenes.turns.pause=[0, 1]"])
    assert {stage.captured for stage in config.stages} == {0.1}
    assert {stage.turns.pause for stage in config.stages} == {(0.0, 1.0)}
    assert [stage.turns.monologue for stage in config.stages] == [0.0, 0.0, 0.0, 0.35]
    assert config.stages[2] == replace(config.scenes, kinds=config.stages[2].kinds)
    assert isinstance(config.scenes, Recipe) and isinstance(config.network, TwoStageConfig)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("scenes.outdoor=0.1", "the stages 0, 1, 3 have other values; --set stages.0.outdoor=VALUE"),
        ("stages.0.kinds={ choir = 1.0 }", "kinds: 'choir' is not one of near-only, far-only"),
        ("stages.0.kinds={}", "kinds: there is none"),
        ("stages.0.preamble={ none = 0.0 }", "preamble: the sum of the shares is 0"),
        ("curriculum.begins=[0, 1]", "curriculum.begins = [0, 1]: one step for each of the 4 stages"),
        ("curriculum.begins=[1, 1, 1, 1]", "0 for the first"),
        ("schedule.hold=30000", "hold = 30000 lies after the last step"),
        ("network.kind=lstm", 'network.kind=lstm: "two-stage" or "recurrent"'),
        ("network.signal.hop=100", "network.signal: hop=100 does not divide half of window=512"),
        ("name=a/b", "name = 'a/b': a name has letters, digits"),
        ("training.batch=0", "--set training.batch=0: a whole number, at least 1"),
    ],
)
def test_settings_that_make_no_run_are_refused(change, told):
    with pytest.raises(UsageError) as error:
        read_config("lite", [change])
    assert told in str(error.value)


def test_paths_of_a_file_start_at_its_folder(tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text('extends = "toy"\n[data]\nspeech = "here"\nnoise = "/there"\n')
    monkeypatch.chdir("/")
    config = read_config(tmp_path / "mine.toml", ["data.rirs=where"])
    assert (config.data.speech, str(config.data.noise)) == (tmp_path / "here", "/there")
    assert str(config.data.rirs) == "where", "where the command runs"
    assert read_config(tmp_path / "mine.toml", paths={"speech": tmp_path}).data.speech == tmp_path
