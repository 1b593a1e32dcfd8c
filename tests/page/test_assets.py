"""Script and style of pages in one file: what the policy permits, and nothing twice."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess

import pytest

from dss_cli.page.assets import HOME, SCRIPTS, load_assets
from dss_cli.utils.bundled import bundled_folder

NODE = shutil.which("node")


def test_the_policy_permits_this_script_and_this_style_and_nothing_else():
    assets = load_assets("p { margin: 0 }")
    assert assets.style.endswith("p { margin: 0 }")
    for kind, text in (("script", assets.script), ("style", assets.style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in assets.policy
    assert assets.policy.startswith("default-src 'none'")
    assert "unsafe" not in assets.policy and "http" not in assets.policy


def test_the_script_is_the_players_files_in_the_order_of_their_imports():
    script = load_assets("").script
    assert not re.search(r"^(?:import|export) ", script, re.MULTILINE)
    home = bundled_folder(HOME)
    assert {f"player/{path.name}" for path in (home / "player").glob("*.js")} < set(SCRIPTS)
    for number, name in enumerate(SCRIPTS):
        text = (home / name).read_text(encoding="utf-8")
        needed = re.findall(r'^import .* from "\.{1,2}/(?:player/)?(.+?)";$', text, re.MULTILINE)
        before = {one.removeprefix("player/") for one in SCRIPTS[:number]}
        assert set(needed) <= before, name


@pytest.mark.skipif(NODE is None, reason="no node: the script cannot be checked")
def test_the_names_in_the_script_are_unique(tmp_path):
    script = tmp_path / "page.mjs"
    script.write_text(load_assets("").script, encoding="utf-8")
    done = subprocess.run([NODE, "--check", str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_no_script_can_end_itself_early():
    assert "</" not in load_assets("").script.replace("</span>", "")
