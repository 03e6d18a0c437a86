"""What a build tells its caller while it runs.

In: facts from the build's stages. Out: `Progress` values for a bar or a line. Never: drawing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One step. `done` and `total` are bytes, or both 0 when the stage cannot count; `note` is one short sentence."""

    stage: str
    done: int = 0
    total: int = 0
    note: str = ""


Report = Callable[[Progress], None]
