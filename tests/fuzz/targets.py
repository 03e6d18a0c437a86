"""All fuzz targets by name.

In: nothing. Out: the table. Never: a target of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz import channel_targets, guest_targets, pack_targets
from tests.fuzz.target import Target

TARGETS: Mapping[str, Target] = {
    target.name: target for target in (*pack_targets.TARGETS, *channel_targets.TARGETS, *guest_targets.TARGETS)
}
