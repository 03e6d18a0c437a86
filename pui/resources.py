"""Data files that come with pui: the statecharts and the user interface.

In: the kind of data, or a chart's id. Out: a folder that exists, or a checked chart.
Never: a guess: in a wheel the data lies in pui/_data, in an editable checkout beside the package.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # the charts' modules are imported with the first chart: the window needs `data` before
    from pui.domain.statechart import Chart, Fault

Kind = Literal["statecharts", "ui"]
SEALS = "sealed.txt"
_PACKAGE = Path(__file__).resolve().parent


def data(kind: Kind, *, package: Path = _PACKAGE) -> Path:
    """The folder of `kind`. The wheel's place goes first. Raises FileNotFoundError: a broken installation."""
    places = (package / "_data" / kind, package.parent / kind)
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(f"pui is installed without its {kind}: looked at {', '.join(map(str, places))}")


def check_file(path: Path) -> tuple[Chart, list[Fault]]:
    """A chart file and all its faults. Names are judged if the chart's id is one that pui runs. Raises OSError.

    The schema's verdict on bytes that are sealed is known: its library is imported for others only.
    """
    from pui.domain.chart_check import check_chart
    from pui.domain.chart_names import ACTIVITIES, GUARDS
    from pui.domain.statechart import parse_chart

    folder, text = data("statecharts"), path.read_bytes()
    schema = (folder / "schema.json").read_bytes()
    seals = folder / SEALS
    is_sealed = seals.is_file() and _seal(text, schema) in seals.read_text("ascii").split()
    chart = parse_chart(text, path.name, None if is_sealed else json.loads(schema))
    return chart, check_chart(chart, guards=GUARDS.get(chart.id), activities=ACTIVITIES.get(chart.id))


def render_seals() -> str:
    """The file SEALS: the charts that come with pui and fit the schema, each with a hash of both (`make docs`)."""
    from pui.domain.statechart import parse_chart

    folder = data("statecharts")
    schema = (folder / "schema.json").read_bytes()

    def lines() -> Iterator[str]:
        for path in sorted(folder.glob("*.json")):
            if path.name != "schema.json" and not parse_chart(path.read_bytes(), "", json.loads(schema)).faults:
                yield f"{_seal(path.read_bytes(), schema)}  {path.name}\n"

    return "".join(lines())


def _seal(chart: bytes, schema: bytes) -> str:
    return hashlib.sha256(hashlib.sha256(schema).digest() + chart).hexdigest()


def load_chart(chart_id: str) -> Chart:
    """The chart pui runs under `chart_id`, checked. Raises SetupError("chart.faulty") with every fault in detail."""
    return _load(data("statecharts") / f"{chart_id}.json")


@functools.cache
def _load(path: Path) -> Chart:
    from pui.domain.errors import SetupError
    from pui.domain.statechart import Fault

    chart, faults = check_file(path)
    if chart.id != path.stem:
        faults.append(Fault(chart.file, "/id", "bad-value", f"the id is {chart.id!r}, not {path.stem!r}"))
    if faults:
        message = f"{chart.file} has {len(faults)} fault(s), the first: {faults[0]}"
        raise SetupError("chart.faulty", message, detail="\n".join(map(str, faults)))
    return chart


def packaged_root(*, package: Path = _PACKAGE) -> bytes | None:
    """The channel root that this build of pui trusts from the start, or None: a build without a channel of its own."""
    path = package / "_data" / "root.json"
    return path.read_bytes() if path.is_file() else None
