"""What verbs look up that no task keeps in memory: charts and their style, journals and logs on disk, lives of packs.

In: the parts, put together by compose.py. Out: the same by name. Never: a decision, a write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pui.domain.journal import Record
from pui.domain.statechart import Chart
from pui.supervisor.diagnosis import Diagnosis


@dataclass(frozen=True)
class Archive:
    """`charts` are those that run, by id; `chart_style` is ui/chart.css; `pack_records` reads the store's journal and
    blocks; it raises PuiError("journal.unreadable"), HostError."""

    charts: Mapping[str, Chart]
    chart_style: str
    diagnosis: Diagnosis
    pack_records: Callable[[], Sequence[Record]]
