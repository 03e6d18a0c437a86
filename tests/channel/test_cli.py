"""A person's way from keys to an update, by the words of `--help`.

In: arguments. Out: exit codes, results on stdout, errors on stderr. Never: a traceback, the network.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pui.adapters.packs.keys import add_trusted_key
from pui.cli import app
from pui.domain.channel_root import fingerprint
from pui.resources import packaged_root
from tests.cli.test_pack import run
from tests.support.channel_rig import StaticFolder
from tests.support.pack_server import pack_server
from tests.support.pack_simulator import KEY, PackSim


@pytest.fixture
def www(data_dir: Path, tmp_path: Path) -> Path:
    """The operator's computer is this one: it trusts its development key."""
    add_trusted_key(data_dir / "trust", KEY.trusted("dev"))
    return tmp_path / "www"


def built(tmp_path: Path, version: int) -> str:
    return str(PackSim(version=version).build().write(tmp_path / "built"))


def test_from_keys_to_an_update(www: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret, keys = tmp_path / "secret", str(tmp_path / "keys")
    secret.write_text("open sesame\n")
    phrase = ["--passphrase-file", str(secret)]

    assert run("keys", keys, *phrase) == 0
    assert "root-2.pem" in capsys.readouterr().out
    assert run("publish", str(www), "--keys", keys, "--pack", built(tmp_path, 1), *phrase) == 0
    shown = capsys.readouterr().out
    root = www / "metadata/1.root.json"
    mark = fingerprint(root.read_bytes())
    assert f"fingerprint {mark}" in shown
    with pack_server(StaticFolder(lambda: www, {})) as (address, _):
        update = ["update", "--channel", address]
        assert run(*update) == 1
        assert "error index.untrusted: no channel root" in capsys.readouterr().err
        assert run("trust-root", str(root), "--fingerprint", "0" * 64) == 1
        assert f"the file's fingerprint is {mark}" in capsys.readouterr().err
        assert run("trust-root", str(root), "--fingerprint", mark) == 0
        assert "packs signed by 1 of 1 release key" in capsys.readouterr().out
        assert run(*update, "--check") == 0
        assert "version 1 of 2026-01-02 is there" in capsys.readouterr().out
        assert run(*update, "--no-health-boot") == 0
        shown_both = capsys.readouterr()
        assert re.search("installed and .*, signed by release key", shown_both.out)
        assert "downloading 100 %" in shown_both.err
        assert run(*update) == 0
        assert "nothing newer" in capsys.readouterr().out
        assert run("publish", str(www), "--keys", keys, "--pack", built(tmp_path, 2), *phrase) == 0
        capsys.readouterr()
        assert run(*update, "--json", "--no-health-boot") == 0
        assert json.loads(capsys.readouterr().out)["installed"].startswith("linux-x86_64-2-")


def test_a_bundle_by_hand(www: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys, out = str(tmp_path / "keys"), str(tmp_path / "linux.pui-bundle")
    assert run("keys", keys) == 0
    assert run("publish", str(www), "--keys", keys, "--pack", built(tmp_path, 1)) == 0
    assert run("bundle", out, "--from", str(www), "--platform", "linux-x86_64") == 0
    root = www / "metadata/1.root.json"
    assert run("trust-root", str(root), "--fingerprint", fingerprint(root.read_bytes())) == 0
    capsys.readouterr()
    assert run("install", out, "--no-health-boot") == 0
    shown = capsys.readouterr()
    assert "signed by release key" in shown.out
    assert "built on 2026-01-02" in shown.err
    assert run("bundle", str(tmp_path / "x.zip"), "--from", str(www)) == 1
    assert run("bundle", out, "--from", str(www), "--platform", "macos-arm64") == 1
    assert run("bundle", out, "--from", str(tmp_path)) == 1
    assert "is not a published channel" in capsys.readouterr().err


def test_a_rotation_by_hand(www: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys, fresh = str(tmp_path / "keys"), str(tmp_path / "fresh")
    assert run("keys", keys) == 0
    assert run("keys", fresh, "--only", "targets") == 0
    assert run("publish", str(www), "--keys", keys, "--pack", built(tmp_path, 1)) == 0
    capsys.readouterr()
    assert run("publish", str(www), "--keys", keys, "--rotate-root", fresh, "--json") == 0
    versions = {"root": 2, "targets": 2, "snapshot": 2, "timestamp": 2}
    assert json.loads(capsys.readouterr().out)["versions"] == versions
    assert run("publish", str(www), "--keys", keys, "--rotate-root", keys) == 0
    assert run("keys", keys, "--only", "everything") == 1
    assert "is not one of root, targets" in capsys.readouterr().err


def test_an_update_needs_an_address(
    www: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PUI_CHANNEL", raising=False)
    assert run("update") == 1
    assert "PUI_CHANNEL" in capsys.readouterr().err
    monkeypatch.setenv("PUI_CHANNEL", "http://example.org/")
    assert run("update") == 1
    assert "is not encrypted" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["keys", "publish", "trust-root", "update", "bundle"])
def test_help_teaches_by_an_example(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(part, "--help")
    assert ended.value.code == 0
    assert f"example:\n  pui pack {part}" in capsys.readouterr().out


def test_a_root_that_comes_with_the_app(tmp_path: Path) -> None:
    assert packaged_root(package=tmp_path) is None
    (tmp_path / "_data").mkdir()
    (tmp_path / "_data/root.json").write_bytes(b"root")
    assert packaged_root(package=tmp_path) == b"root"


def test_nobody_pays_for_tuf_who_does_not_update() -> None:
    code = "import sys, pui.cli.app; sys.exit(bool({'tuf', 'securesystemslib', 'urllib3'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_round_of_the_watch_by_hand(
    www: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The small pack cannot boot, so its trial fails: the round says so and the pack before it stays."""
    monkeypatch.setenv("PUI_CHANNEL", "")
    keys = str(tmp_path / "keys")
    assert run("keys", keys) == 0
    assert run("publish", str(www), "--keys", keys, "--pack", built(tmp_path, 1)) == 0
    root = www / "metadata/1.root.json"
    assert run("trust-root", str(root), "--fingerprint", fingerprint(root.read_bytes())) == 0
    with pack_server(StaticFolder(lambda: www, {})) as (address, _):
        assert run("update", "--channel", address, "--no-health-boot") == 0
        assert run("publish", str(www), "--keys", keys, "--pack", built(tmp_path, 2)) == 0
        assert app.run(["settings", "set", "channel", address]) == 0
        assert app.run(["settings", "set", "update_download", "off"]) == 0
        capsys.readouterr()
        assert run("watch", "--once", "--json") == 0
        told = json.loads(capsys.readouterr().out)
        assert told["update"]["version"] == 2
        assert told["active"]["version"] == 1
        assert run("skip", "9") == 1
        assert run("skip", "some") == 1
        assert run("skip", "2") == 0
        assert app.run(["settings", "set", "update_download", "on"]) == 0
        capsys.readouterr()
        assert run("watch", "--once") == 0
        assert "the one you skip" in capsys.readouterr().out
        assert run("skip", "none") == 0
        assert run("watch", "--once", "--json") in (0, 1)
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert told["update"] is None
    assert run("watch", "--once", "--channel", "http://127.0.0.1:1/") == 1
    assert "goes on working" in capsys.readouterr().out
