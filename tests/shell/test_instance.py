"""J5: one window per person; what a dead one left is taken over.

In: lock and socket in a private folder. Out: claims. Never: a window.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pui.domain.errors import HostError
from pui.shell import instance
from pui.shell.instance import claim_instance

HOLD = (
    "import sys,time; from pathlib import Path; from pui.shell.instance import claim_instance\n"
    "claim = claim_instance(Path(sys.argv[1]), Path(sys.argv[2])); print('held', flush=True); time.sleep(600)"
)


def test_j5_the_claim_is_private_and_given_up(tmp_path: Path) -> None:
    for _ in range(3):
        claim = claim_instance(tmp_path / "lock", tmp_path / "sock")
        assert claim is not None
        assert stat.S_IMODE((tmp_path / "sock").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600
        claim.close()
        claim.close()
        assert not (tmp_path / "sock").exists()


def test_j5_what_a_killed_window_left_is_taken_over(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HOLD, str(tmp_path / "lock"), str(tmp_path / "sock")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    assert (tmp_path / "sock").exists()
    claim = claim_instance(tmp_path / "lock", tmp_path / "sock")
    assert claim is not None
    claim.close()


def test_j5_a_window_that_hangs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "ANSWER_DEADLINE_S", 0.1)
    claim = claim_instance(tmp_path / "lock", tmp_path / "sock")  # it listens, but nobody answers
    assert claim is not None
    with pytest.raises(HostError) as caught:
        claim_instance(tmp_path / "lock", tmp_path / "sock")
    assert caught.value.code == "window.not_answering"
    claim.close()


@pytest.mark.parametrize("kind", ["link", "file", "folder", "socket"])
def test_what_lies_in_the_way_is_replaced_or_named(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "sock", tmp_path / "other"
    other.write_text("kept")
    if kind == "link":
        path.symlink_to(other)
    elif kind == "file":
        path.write_text("rubbish")
    elif kind == "folder":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
    if kind == "folder":
        with pytest.raises(HostError):
            claim_instance(tmp_path / "lock", path)
        return
    claim = claim_instance(tmp_path / "lock", path)
    assert claim is not None and other.read_text() == "kept"
    claim.close()


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "other")
    with pytest.raises(HostError):
        claim_instance(tmp_path / "lock", tmp_path / "sock")
    assert not (tmp_path / "other").exists()


def test_a_path_that_is_too_long_for_a_socket_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostError) as caught:
        claim_instance(tmp_path / "lock", tmp_path / ("x" * 120))
    assert caught.value.code == "host.path_too_long"
