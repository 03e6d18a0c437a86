"""Whether the network is metered, as a played busctl answers.

In: programs that answer, fail or hang. Out: a verdict with its words. Never: the system bus of this computer.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pui.adapters.host import metered
from pui.adapters.host.metered import NetworkManagerProbe
from pui.adapters.paths import AppPaths
from pui.adapters.process import LinuxProcessStarter


def asked(tmp_path: Path, script: str | None) -> tuple[bool, str]:
    paths = AppPaths(tmp_path / "data", tmp_path / "cache", tmp_path / "run")
    program = tmp_path / "busctl"
    if script is not None:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    async def main() -> tuple[bool, str]:
        return await NetworkManagerProbe(LinuxProcessStarter(), paths, (str(program),)).is_metered()

    found = asyncio.run(main())
    assert not paths.runtime.exists() or not list(paths.runtime.iterdir())
    return found


@pytest.mark.parametrize(("number", "is_metered"), [(1, True), (3, True), (2, False), (4, False)])
def test_what_networkmanager_says(tmp_path: Path, number: int, is_metered: bool) -> None:
    found, words = asked(tmp_path, f'[ "$7" = Metered ] && echo "u {number}"')
    assert (found, "NetworkManager says" in words) == (is_metered, True)


@pytest.mark.parametrize("script", [None, "echo u 0", "echo u 9", "echo nonsense", "echo u 1; exit 1", "exit 1"])
def test_what_nobody_says_counts_as_not_metered(tmp_path: Path, script: str | None) -> None:
    found, words = asked(tmp_path, script)
    assert (found, "nobody says" in words) == (False, True)


def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metered, "LIMIT_S", 0.2)
    assert asked(tmp_path, "exec sleep 600")[0] is False
