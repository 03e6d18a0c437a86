"""Whether each byte of this network may cost money, as NetworkManager knows it.

In: the system bus, through busctl. Out: yes or no, and how that is known (implements ports.MeteredProbe).
Never: a wait of more than two seconds, a guess: what nobody says counts as not metered, and is said so.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from pui.adapters.paths import AppPaths, private_dir
from pui.adapters.process import run_to_end
from pui.domain.errors import PuiError
from pui.ports import ProcessStarter

BUSCTL = ("/usr/bin/busctl", "/bin/busctl")
QUESTION = (
    "--system",
    "--timeout=2",
    "get-property",
    "org.freedesktop.NetworkManager",
    "/org/freedesktop/NetworkManager",
    "org.freedesktop.NetworkManager",
    "Metered",
)
LIMIT_S = 2.0
_ANSWER = re.compile(r"\s*u ([0-4])\s*")
_YES = {"1", "3"}
"""NMMetered: 1 yes, 2 no, 3 guessed yes, 4 guessed no, 0 unknown."""
_UNKNOWN = "nobody says whether this network is metered; it counts as not metered"


class NetworkManagerProbe:
    """ports.MeteredProbe for Linux. `programs` are where busctl may be."""

    def __init__(self, starter: ProcessStarter, paths: AppPaths, programs: tuple[str, ...] = BUSCTL) -> None:
        self._starter = starter
        self._paths = paths
        self._program = next((path for path in programs if Path(path).is_file()), None)

    async def is_metered(self) -> tuple[bool, str]:
        """See ports.MeteredProbe."""
        found = None if self._program is None else _ANSWER.fullmatch(await self._ask(self._program))
        if found is None or found[1] == "0":
            return False, _UNKNOWN
        is_metered = found[1] in _YES
        return is_metered, f"NetworkManager says that this network is {'' if is_metered else 'not '}metered"

    async def _ask(self, program: str) -> str:
        """What it printed, "" when it failed in any way."""
        log_path = private_dir(self._paths.runtime) / f"metered-{os.getpid()}-{secrets.token_hex(4)}.log"
        env: Mapping[str, str] = {"LC_ALL": "C"}
        try:
            child = await self._starter.start([program, *QUESTION], env=env, log_path=log_path)
            try:
                async with asyncio.timeout(LIMIT_S):
                    code = await run_to_end(child)
            except TimeoutError:
                return ""
            return child.log_tail() if code == 0 else ""
        except PuiError:
            return ""
        finally:
            log_path.unlink(missing_ok=True)
