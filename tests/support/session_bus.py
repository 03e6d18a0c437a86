"""A session bus of the test's own, and a notification service on it; both are real programs.

In: a folder. Out: the bus's address, what the service was told. Never: the person's own bus or desktop.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SERVICE = Path(__file__).with_name("notification_service.py")
ANSWER_LIMIT_S = 30.0
CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
"""


@contextmanager
def session_bus(folder: Path) -> Iterator[str]:
    """The address of a dbus-daemon that starts no services by itself."""
    program = shutil.which("dbus-daemon")
    if program is None:
        pytest.fail("dbus-daemon is missing; run .ci/setup as root, or install dbus")
    config = folder / "bus.conf"
    config.write_text(CONFIG.format(socket=folder / "bus"))
    command = [program, f"--config-file={config}", "--nofork", "--print-address=1", "--nopidfile"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        try:
            assert daemon.stdout is not None
            yield daemon.stdout.readline().strip()
        finally:
            daemon.kill()


class NotificationService:
    """What the service was told, one call after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._calls: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name="notification-service")
        self._reader.start()

    def next_call(self) -> dict[str, Any]:
        """Waits for it."""
        return self._calls.get(timeout=ANSWER_LIMIT_S)

    def is_quiet(self) -> bool:
        return self._calls.empty()

    def does(self, word: str, number: int) -> None:
        """`click` or `close` a notification, as the person would."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word} {number}\n")
        self.process.stdin.flush()

    def join(self) -> None:
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._calls.put(json.loads(line))


@contextmanager
def notification_service(address: str, *abilities: str) -> Iterator[NotificationService]:
    """The service on the bus at `address`, until the end of the block; it owns its name when this yields."""
    command = ["/usr/bin/python3", "-I", str(SERVICE), *(abilities or ("body", "actions"))]
    env = {**os.environ, "DBUS_SESSION_BUS_ADDRESS": address}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        service = NotificationService(process)
        try:
            assert service.next_call() == {"call": "ready"}
            yield service
        finally:
            process.kill()
            service.join()
