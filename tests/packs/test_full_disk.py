"""Threats C6 and C7 on a real file system: a tmpfs that is full to the last page, or mounted read-only.

In: a mount namespace of a child process. Out: a named refusal and the old pack, or the new pack. Never: a mount of this
computer's.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]


def has_own_mounts() -> bool:
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return False
    return subprocess.run([*OWN_MOUNTS, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.threat("C6", "C7")
@pytest.mark.skipif(not has_own_mounts(), reason="user namespaces are not allowed here")
def test_a_disk_that_is_full_or_read_only(tmp_path: Path) -> None:
    command = [*OWN_MOUNTS, sys.executable, "-m", "tests.support.full_disk_driver", str(tmp_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, timeout=280, text=True)
    assert done.returncode == 0, done.stderr
    read_only, *rooms = [json.loads(line) for line in done.stdout.splitlines()]

    assert (read_only["install"], read_only["rollback"]) == ("host.permission", "host.permission"), read_only
    assert (read_only["active_at_once"], read_only["active_then"]) == (2, 2), "the old pack runs"
    for line in rooms:
        assert line["install"] in ("", "host.disk_full"), line
        assert line["active_at_once"] == (2 if line["install"] else 3), line
        assert line["rollback"] in ("", "host.disk_full"), line
        assert line["active_then"] == line["active_at_once"] - (not line["rollback"]), line
    for line in (read_only, *rooms):
        assert (line["active"], line["staging"], line["behind"]) == (4, 0, 0), "with room again all goes on"
    assert {line["install"] for line in rooms} == {"", "host.disk_full"}
