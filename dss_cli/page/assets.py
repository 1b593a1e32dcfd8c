"""Script and style of self-contained pages, from the files of the site's page, and their content policy."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DssError
from ..utils.bundled import bundled_folder

if TYPE_CHECKING:
    from jinja2 import Environment

HOME = "web/page"  # folder of the site's page; the wheel carries the files below
SCRIPTS = (
    "signal/fft.js",
    "player/mixing.js",
    "player/playback.js",
    "player/spectrogram.js",
    "player/timeline.js",
    "player/player.js",
)  # in the order of their imports
STYLES = ("theme.css", "player/player.css")
_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Assets:
    """Script and style of a page, and a policy that permits these two and no connection."""

    script: str
    style: str
    policy: str = field(init=False)

    def __post_init__(self) -> None:
        policy = (
            f"default-src 'none'; script-src '{_digest(self.script)}'; style-src '{_digest(self.style)}'; "
            "img-src data:; base-uri 'none'; form-action 'none'"
        )
        object.__setattr__(self, "policy", policy)


def load_assets(style: str) -> Assets:
    """Return script and style of a page with players.

    Args:
        style: rules of the page itself, appended to those of the player.
    """
    home = bundled_folder(HOME)
    modules = [(home / name).read_text(encoding="utf-8") for name in SCRIPTS]
    modules.append((_TEMPLATES / "embedded.js").read_text(encoding="utf-8"))
    sheets = [(home / name).read_text(encoding="utf-8") for name in STYLES]
    return Assets(one_script(modules), "\n".join((*sheets, style)))


def one_script(modules: list[str]) -> str:
    """Return JavaScript modules as one, without imports and the word `export`."""
    text = "\n".join(modules)
    text = re.sub(r"^import .*;$", "", text, flags=re.MULTILINE)
    return re.sub(r"^export (?=async |class |const |function |let )", "", text, flags=re.MULTILINE)


def templates(package: str, option: str) -> Environment:
    """Return the environment of the templates of a package, which may extend those of this one.

    Args:
        package: dotted name of the package with the folder `templates`.
        option: option of the command that needs the page, for the message.

    Raises:
        DssError: the extra `report` is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise DssError(f"{option} needs more packages: pip install 'dss-cli[report]' ({error})") from None
    loaders = [jinja2.PackageLoader(name) for name in dict.fromkeys((package, __package__))]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # near before far
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode()
    return environment


def style_sheet(environment: Environment, name: str) -> str:
    """Return a style sheet from the folder of the templates."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
