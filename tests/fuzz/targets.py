"""All fuzz targets by name.

In: nothing. Out: the table. Never: a target of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz import channel_targets, guest_targets, pack_targets, page_targets
from tests.fuzz.target import Target

TARGETS: Mapping[str, Target] = {
    target.name: target
    for targets in (pack_targets, channel_targets, guest_targets, page_targets)
    for target in targets.TARGETS
}
