"""Settings from TOML: files that extend others, `--set`, and one line per fault."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.errors import DssError, UsageError
from dss_cli.utils.layers import read_layers
from dss_cli.utils.settings import Bounds, Count, Share, build_settings
from dss_cli.utils.toml_text import changed_settings, to_table, to_toml


@dataclass(frozen=True)
class Tyre:
    """Optional part."""

    width: Annotated[float, Bounds(1, 9)] = 4.0


@dataclass(frozen=True)
class Wagon:
    """Settings of every supported type."""

    wheels: Count = 4
    load: Share = 0.5
    range: tuple[float, float] = (0.0, 1.0)
    stops: tuple[int, ...] = (1, 2)
    colour: Literal["red", "blue"] = "red"
    open: bool = False
    owner: str = "me"
    road: Path | None = None
    shares: dict[str, float] = field(default_factory=dict)
    tyre: Tyre | None = field(default_factory=Tyre)
    spares: tuple[Tyre, ...] = ()

    def __post_init__(self) -> None:
        """Refuse odd numbers of wheels."""
        if self.wheels % 2:
            raise ValueError(f"{self.wheels} wheels are odd")


@pytest.fixture
def read(tmp_path):
    """`read(text, *changes)`: settings of a file that may extend a bundled file `usual`."""
    (tmp_path / "usual.toml").write_text("wheels = 6\nshares = { a = 1.0 }\n[tyre]\nwidth = 3.0\n")

    def run(text, *changes):
        (tmp_path / "mine.toml").write_text(text)
        layers = read_layers(Wagon, tmp_path / "mine.toml", tmp_path)
        for change in changes:
            layers.set(change)
        return build_settings(Wagon, layers)

    return run


def test_what_a_file_does_not_say_is_as_in_the_one_that_it_extends(read):
    found = read('extends = "usual"\nload = 1\nshares = { b = 2.0 }')
    assert (found.wheels, found.load, found.tyre) == (6, 1.0, Tyre(3.0))
    assert found.shares == {"b": 2.0}, "names and numbers are one setting"
    assert read('extends = "usual.toml"\ntyre = false').tyre is None


def test_a_change_goes_before_every_file(read):
    found = read(
        'extends = "usual"\nspares = [{ width = 2.0 }, {}]',
        "wheels=8",
        "tyre.width=5",
        "colour=blue",
        "range=[2, 3]",
        "spares.1.width=7",
        "owner=a b",
    )
    assert (found.wheels, found.tyre, found.colour, found.range) == (8, Tyre(5.0), "blue", (2.0, 3.0))
    assert found.spares == (Tyre(2.0), Tyre(7.0))
    assert found.owner == "a b"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("weels = 4", "mine.toml: weels: no such setting; did you mean wheels?"),
        ("zzz = 4", "mine.toml: zzz: no such setting; there are wheels, load, range"),
        ("wheels = 4.0", "mine.toml: wheels = 4.0: a whole number, at least 0"),
        ("wheels = -2", "mine.toml: wheels = -2: a whole number, at least 0"),
        ("wheels = true", "mine.toml: wheels = true: a whole number"),
        ("wheels = 3", "mine.toml: settings: 3 wheels are odd"),
        ('load = "much"', 'mine.toml: load = "much": a number from 0 to 1'),
        ("load = nan", "mine.toml: load = NaN: a number from 0 to 1"),
        ("load = 1.5", "mine.toml: load = 1.5: a number from 0 to 1"),
        ("range = [2, 1]", "mine.toml: range = [2, 1]: the greater one last"),
        ("range = [1]", "mine.toml: range = [1]: a list of 2 numbers"),
        ("stops = 1", "mine.toml: stops = 1: a list"),
        ("stops = [1.5]", "mine.toml: stops = 1.5: a whole number"),
        ('colour = "green"', 'mine.toml: colour = "green": "red" or "blue"'),
        ("open = 1", "mine.toml: open = 1: true or false"),
        ("owner = 1", "mine.toml: owner = 1: a word, in quotes"),
        ("road = 1", "mine.toml: road = 1: a path, in quotes"),
        ("shares = 1", "mine.toml: shares = 1: a table of names and numbers"),
        ("shares = { a = -1 }", "mine.toml: shares.a = -1: a number, at least 0"),
        ("tyre = 1", "mine.toml: tyre = 1: a table of settings"),
        ("[tyre]\nwidth = 10", "mine.toml: tyre.width = 10: a number from 1 to 9"),
        ("[[spares]]\nwide = 1", "mine.toml: spares.0.wide: no such setting; did you mean width?"),
        ("wheels = ", "mine.toml: not TOML: "),
        ('extends = "none"', "unknown configuration 'none': name a .toml file, or one of mine, usual"),
        ('extends = "mine"', "mine.toml: extends itself"),
        ("extends = 1", "mine.toml: extends = 1: a file, or the name of a bundled one"),
    ],
)
def test_what_is_wrong_is_told_by_file_name_and_value(read, text, told):
    with pytest.raises(UsageError) as error:
        read(text)
    assert told in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("wheels", "--set wheels: TABLE.KEY=VALUE, as in --set training.batch=32"),
        ("wheels=x", "--set wheels=x: a whole number, at least 0"),
        ("tyre.wdth=1", "--set tyre.wdth=1: tyre.wdth: no such setting; did you mean width?"),
        ("spares.2.width=3", "--set spares.2.width=3: 2 is no entry: there are 0 to 1"),
    ],
)
def test_a_change_that_is_wrong_is_told(read, change, told):
    with pytest.raises(UsageError) as error:
        read("spares = [{}, {}]", change)
    assert str(error.value) == told


def test_the_file_below_is_named_where_it_is_wrong(read, tmp_path):
    (tmp_path / "other.toml").write_text("wheels = 1.5")
    with pytest.raises(UsageError, match=r"other\.toml: wheels = 1\.5"):
        read('extends = "other"')
    with pytest.raises(DssError, match=r"no\.toml: cannot be read: No such file"):
        read('extends = "no.toml"')


wagons = st.builds(
    Wagon,
    wheels=st.integers(0, 9).map(lambda n: 2 * n),
    load=st.floats(0, 1),
    owner=st.text(st.characters(codec="utf-8", exclude_characters="\x7f")),
    open=st.booleans(),
    road=st.none() | st.just(Path("a b") / "c"),
    shares=st.dictionaries(st.text("ab-1+", min_size=1), st.floats(0, 9), max_size=3),
    tyre=st.none() | st.builds(Tyre, width=st.floats(1, 9)),
    spares=st.lists(st.builds(Tyre, width=st.floats(1, 9)), max_size=3).map(tuple),
)


@given(wagon=wagons)
def test_settings_written_are_read_back(wagon, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "written.toml"
    path.write_text(to_toml(to_table(wagon)), encoding="utf-8")
    layers = read_layers(Wagon, path, path.parent)
    assert build_settings(Wagon, layers) == wagon


def test_differences_are_named():
    one, other = (to_table(Wagon(wheels=n, tyre=t)) for n, t in ((2, Tyre(2.0)), (4, None)))
    assert list(changed_settings(one, one)) == []
    assert list(changed_settings(one, other)) == [
        ("wheels", 2, 4),
        ("tyre.width", 2.0, None),
        ("tyre", None, False),
    ]
