"""In: the words a person types. Out: exit codes, results on stdout, errors on stderr. Never: a traceback."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pui.adapters.packs.keys import add_trusted_key, load_trust, trust_development_key
from pui.adapters.paths import app_paths
from pui.cli import app, pack
from pui.domain.errors import PuiError
from tests.support.pack_simulator import KEY, PackSim


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="pui")
    pack.add_parser(parser.add_subparsers())
    chosen = parser.parse_args(["pack", *arguments])
    return int(chosen.handler(chosen))


@pytest.fixture
def archive(data_dir: Path, tmp_path: Path) -> str:
    add_trusted_key(data_dir / "trust", KEY.trusted("my key"))
    return str(PackSim().build().write(tmp_path / "given"))


def test_from_file_to_removal(archive: str, capsys: pytest.CaptureFixture[str]) -> None:
    pack_id = PackSim().build().pack_id

    assert run("verify", archive) == 0
    assert "is sound: 5 files as signed by my key" in capsys.readouterr().out
    assert run("install", archive, "--no-health-boot") == 0
    shown = capsys.readouterr()
    assert f"{pack_id} installed and on trial, signed by my key" in shown.out
    assert "installing 100 %" in shown.err
    assert run("list") == 0
    assert f"on trial  {pack_id}" in capsys.readouterr().out
    assert run("verify") == 0
    assert run("remove", pack_id) == 1
    assert "hint Insist with" in capsys.readouterr().err
    assert run("remove", pack_id, "--force") == 0
    assert run("verify") == 1
    assert "error pack.missing" in capsys.readouterr().err


def test_the_life_of_packs(archive: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = PackSim().build().pack_id
    newer = PackSim(version=2).build()
    assert run("clean") == 1
    assert "pack.missing" in capsys.readouterr().err
    assert run("install", archive, "--no-health-boot") == 0
    assert run("install", str(newer.write(tmp_path / "newer")), "--no-health-boot") == 0
    assert run("floor") == 0
    assert "the security floor is 2" in capsys.readouterr().out
    assert run("rollback") == 1
    words = capsys.readouterr().err.split("--insist '")[1].split("'")[0]
    assert run("rollback", "--insist", words) == 0
    assert f"tasks start from {one} again; {newer.pack_id} is: failed its trial" in capsys.readouterr().out
    assert run("list") == 0
    shown = capsys.readouterr().out
    assert f"on trial  {one}" in shown
    assert "rolled back by hand: run pack 1 although it has known holes" in shown
    assert "MiB in use by packs" in shown
    assert run("clean") == 0
    assert f"removed {newer.pack_id}" in capsys.readouterr().out


def test_repair_from_the_command_line(archive: str, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("install", archive, "--no-health-boot") == 0
    root = data_dir / "runtime/packs" / PackSim().build().pack_id
    (root / "kernel/vmlinux").write_bytes(b"bad")
    (root / "evil").write_text("x")
    assert run("verify") == 1
    assert "pui pack repair FILE" in capsys.readouterr().err
    assert run("list") == 0
    assert "damaged" in capsys.readouterr().out
    assert run("repair", archive) == 0
    shown = capsys.readouterr().out
    assert "wrote kernel/vmlinux anew\nremoved evil\n" in shown
    assert run("verify") == 0


def test_another_data_folder(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    assert app.run(["--data-dir", str(other), "pack", "list"]) == 0
    assert f"trusted keys in {other}/trust" in capsys.readouterr().out


def test_json(archive: str, capsys: pytest.CaptureFixture[str]) -> None:
    def asked(*arguments: str) -> tuple[int, dict[str, object]]:
        code = run(*arguments, "--json")
        shown = capsys.readouterr()
        assert shown.err == ""
        value = json.loads(shown.out)
        assert isinstance(value, dict)
        return code, value

    pack_id = PackSim().build().pack_id
    installed = {"installed": pack_id, "reason": "", "removed": [], "state": "trial", "was_there": False}
    assert asked("install", archive, "--no-health-boot") == (0, installed)
    assert asked("verify") == (0, {"files": 5, "pack_id": pack_id, "signed_by": "my key", "sound": True})
    code, listing = asked("list")
    assert code == 0
    assert [entry["slot"] for entry in listing["packs"]] == ["active"]  # type: ignore[attr-defined]
    code, refusal = asked("remove", "linux-x86_64-9-0123456789ab")
    assert code == 1
    assert refusal["error"]["code"] == "pack.missing"  # type: ignore[index]
    assert asked("remove", pack_id, "--force") == (0, {"removed": pack_id})


def test_a_refused_pack_says_why(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = PackSim().build().write(tmp_path)

    assert run("install", str(given)) == 1
    shown = capsys.readouterr().err
    assert "error pack.untrusted: the trust folder holds no key" in shown
    assert "hint " in shown
    assert not (data_dir / "runtime").exists()


def test_an_older_pack_needs_insistence(archive: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    newer = str(PackSim(version=2).build().write(tmp_path / "newer"))
    assert run("install", newer, "--no-health-boot") == 0
    assert run("install", archive) == 1
    assert "--allow-older" in capsys.readouterr().err
    assert run("install", archive, "--allow-older", "--no-health-boot") == 0


@pytest.mark.parametrize(
    "part", ["build", "install", "verify", "list", "remove", "try", "repair", "rollback", "clean", "floor"]
)
def test_help_teaches_by_an_example(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(part, "--help")
    assert ended.value.code == 0
    assert f"example:\n  pui pack {part}" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["install"], ["build", "--level", "99"], ["build", "--frozen", "--update-lock"]])
def test_wrong_usage(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*wrong)
    assert ended.value.code == 2
    assert run() == 2
    assert "pui pack build --install" in capsys.readouterr().out


def test_names_from_outside_cannot_steer_the_terminal(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = data_dir / "runtime/packs/\x1b[2J[bold]x"
    odd.mkdir(parents=True)

    assert run("list") == 0
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err
    assert "[bold]x" in shown.out


def test_the_development_key_is_trusted_and_named(data_dir: Path) -> None:
    paths = app_paths()
    paths.dev_key.parent.mkdir(parents=True)
    paths.dev_key.write_bytes(KEY.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    key = trust_development_key(paths.dev_key, paths.trust_dir)

    assert key.label == f"development key of this computer ({KEY.keyid[:8]})"
    assert load_trust(paths.trust_dir).keys == (key,)
    paths.dev_key.write_bytes(b"no key")
    with pytest.raises(PuiError, match=r"pack\.untrusted: .*is not a private key"):
        trust_development_key(paths.dev_key, paths.trust_dir)


def test_the_trust_folder(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trust = data_dir / "trust"
    add_trusted_key(trust, KEY.trusted("mine"))
    (trust / "junk.json").write_text("{}")
    (trust / f"{'0' * 64}.json").write_bytes((trust / f"{KEY.keyid}.json").read_bytes())

    found = load_trust(trust)
    assert [key.label for key in found.keys] == ["mine"]
    assert len(found.faults) == 2
    assert run("list") == 0
    assert "not a key: junk.json" in capsys.readouterr().out
    trust.chmod(0o777)
    assert run("list") == 1
    assert "host.permission: others may write to" in capsys.readouterr().err
