"""What this app on this computer asks of a pack.

In: the interpreter's view of the system, the installed version of pui. Out: AppFacts. Never: a guess.
"""

from __future__ import annotations

import platform
import sys

from pui.domain.handshake import PROTOCOL_VERSION
from pui.domain.platforms import pack_platform
from pui.domain.trust import AppFacts
from pui.domain.version import VERSION

_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def this_app() -> AppFacts:
    """An unknown system keeps its own name, so that the refusal of a pack can say it."""
    system = _SYSTEMS.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    return AppFacts(pack_platform(system, _MACHINES.get(machine, machine)), VERSION, PROTOCOL_VERSION)
