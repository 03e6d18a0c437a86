"""docs/release.md, run line by line: a ceremony, releases, a stolen release key, all keys anew, a person who updates.

In: the page's shell blocks. Out: a channel and a computer that follows it. Never: a command of the page left out.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pui.adapters.packs.keys import add_trusted_key
from pui.adapters.packs.slots import read_floors
from pui.adapters.paths import AppPaths
from pui.resources import packaged_root
from tests.support.channel_rig import StaticFolder
from tests.support.pack_server import pack_server
from tests.support.pack_simulator import KEY, PackSim

PAGE = Path(__file__).parents[2] / "docs" / "release.md"
FOLDERS = ("KEYS", "ROOT1", "ROOT2", "ROOT3", "RELEASE", "ONLINE", "TWO", "FRESH", "NEXT", "WWW", "SOURCE")


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)


class Ceremony:
    """The page's variables, and the folders of two computers: the operator's and a person's."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.env = {name: str(base / name.lower()) for name in FOLDERS}
        (base / "phrase").write_text("correct horse\n")
        packs = {"PACK": PackSim(version=1), "PACK2": PackSim(version=2)}
        self.env |= {name: str(sim.build().write(base / "built")) for name, sim in packs.items()}
        self.env |= {"PHRASE": str(base / "phrase"), "PLATFORM": "linux-x86_64", "VERSION2": "2"}
        self.env["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        add_trusted_key(self.paths("operator").trust_dir, KEY.trusted())

    def paths(self, who: str) -> AppPaths:
        return AppPaths(self.base / who / "data", self.base / who / "cache", self.base / who / "run")

    def run(self, script: str, who: str = "operator", **more: str) -> str:
        paths = self.paths(who)
        own = {"PUI_DATA_DIR": paths.data, "PUI_CACHE_DIR": paths.cache, "PUI_RUNTIME_DIR": paths.runtime}
        env = self.env | {name: str(path) for name, path in own.items()} | more
        done = subprocess.run(["bash", "-euc", script], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def file(self, name: str) -> Path:
        return Path(self.env["WWW"]) / "metadata" / name


@pytest.mark.skipif(shutil.which("shred") is None, reason="the page is written for a system with GNU coreutils")
def test_the_page_is_right(tmp_path: Path) -> None:
    scene, scripts = Ceremony(tmp_path), blocks()
    *operator, person = scripts
    assert len(operator) == 9
    for script in operator:
        scene.run(script)
    assert not list(Path(scene.env["KEYS"]).iterdir())
    assert {path.name for path in scene.file("").iterdir()} >= {f"{number}.root.json" for number in (1, 2, 3, 4)}
    assert packaged_root(package=Path(scene.env["SOURCE"]) / "pui") == scene.file("1.root.json").read_bytes()
    root = json.loads(scene.file("1.root.json").read_bytes())
    assert root["signed"]["roles"]["root"]["threshold"] == 2
    assert len(root["signed"]["roles"]["root"]["keyids"]) == 3

    mark = hashlib.sha256(scene.file("1.root.json").read_bytes()).hexdigest()
    with pack_server(StaticFolder(lambda: Path(scene.env["WWW"]), {})) as (address, _):
        out = scene.run(person, "person", URL=address, FINGERPRINT=mark)
    assert "linux-x86_64-2-" in out
    assert read_floors(scene.paths("person").security_floor) == {"linux-x86_64": 2}
    assert scene.paths("person").trust_root.read_bytes() == scene.file("4.root.json").read_bytes()


def test_one_root_key_alone_can_do_nothing(tmp_path: Path) -> None:
    scene = Ceremony(tmp_path)
    ceremony, parting = blocks()[:2]
    scene.run(ceremony)
    scene.run(parting)
    script = 'pui pack publish "$WWW" --keys "$ROOT1" --passphrase-file "$PHRASE" --rotate-root "$ROOT1"'
    with pytest.raises(AssertionError, match="a root needs 2 root keys, 1 are there|must hold all of root-1"):
        scene.run(script)
    assert not scene.file("2.root.json").exists()
