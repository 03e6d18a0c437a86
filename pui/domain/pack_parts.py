"""The files of a pack one by one: which of them a channel offers, whole or as a difference to an older file.

In: the list of parts that a channel has signed, the manifest, the files that are here already. Out: what to take from
where, or a SetupError that names the fault. Never: I/O, decompression, trust in a list: the manifest has the last word.

A part is one file cut into segments of SEGMENT_BYTES, each a zstd frame of its own. A part with a base has as each
frame's prefix the same place of the older file, with MARGIN_BYTES around it, so memory does not grow with the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pui.domain.errors import SetupError
from pui.domain.events import JsonValue
from pui.domain.manifest import MAX_FILES, MAX_TOTAL_BYTES, Manifest, ManifestFile
from pui.domain.strict_json import StrictJsonError, dump_canonical, load_object

SCHEMA = "pui-pack-parts-1"
MAX_LIST_BYTES = 4 * 1024 * 1024
SEGMENT_BYTES = 8 * 1024 * 1024
MARGIN_BYTES = 2 * 1024 * 1024
MAX_FRAME_BYTES = SEGMENT_BYTES + SEGMENT_BYTES // 256 + 1024
"""What zstd can make of a segment at worst (ZSTD_compressBound), and its header."""

MAX_PARTS = 2 * MAX_FILES
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Part:
    """One way to one file. `file` and `base` are SHA-256 of plain files in hex, `base` is "" for a whole file;
    `size_bytes` and `base_bytes` are their lengths; `frames` are the lengths of the compressed segments in order,
    `sha256` is that of all of them."""

    file: str
    size_bytes: int
    base: str
    base_bytes: int
    frames: tuple[int, ...]
    sha256: str

    @property
    def download_bytes(self) -> int:
        return sum(self.frames)


@dataclass(frozen=True)
class Held:
    """A file that is on this computer: where it lies (once or more often), and how long it must be."""

    paths: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True)
class DeltaPlan:
    """How each different file of a pack comes, by SHA-256: `kept` lies here already, `fetched` comes as a part."""

    kept: Mapping[str, str]
    fetched: Mapping[str, Part]
    bases: Mapping[str, str]
    """Where the base of a part lies, by the base's SHA-256."""

    @property
    def download_bytes(self) -> int:
        return sum(part.download_bytes for part in self.fetched.values())


def part_name(sha256: str) -> str:
    """Where a part lies below `targets/` of a channel."""
    return f"parts/{sha256}.part"


def segments_of(size_bytes: int) -> tuple[int, ...]:
    """Lengths of the segments of a file."""
    whole, rest = divmod(size_bytes, SEGMENT_BYTES)
    return (SEGMENT_BYTES,) * whole + ((rest,) if rest else ())


def base_range(index: int, base_bytes: int) -> tuple[int, int]:
    """The bytes of the base, from and to, that are the prefix of segment `index`."""
    start = index * SEGMENT_BYTES
    return min(max(start - MARGIN_BYTES, 0), base_bytes), min(start + SEGMENT_BYTES + MARGIN_BYTES, base_bytes)


def plan_delta(files: Iterable[ManifestFile], parts: Sequence[Part], held: Mapping[str, Held]) -> DeltaPlan | None:
    """The fewest bytes that bring `files` in. `held` maps the SHA-256 of what is here to where it lies.

    None when a file is neither here nor offered: then only the whole archive helps.
    """
    offered: dict[str, list[Part]] = {}
    for part in parts:
        offered.setdefault(part.file, []).append(part)
    kept: dict[str, str] = {}
    fetched: dict[str, Part] = {}
    bases: dict[str, str] = {}
    for file in files:
        if file.size_bytes == 0:
            continue
        if _fits(held.get(file.sha256), file.size_bytes):
            kept[file.sha256] = held[file.sha256].paths[0]
            continue
        best = _best_part(offered.get(file.sha256, ()), file.size_bytes, held)
        if best is None:
            return None
        fetched[file.sha256] = best
        if best.base:
            bases[best.base] = held[best.base].paths[0]
    return DeltaPlan(kept, fetched, bases)


def _best_part(parts: Iterable[Part], size_bytes: int, held: Mapping[str, Held]) -> Part | None:
    fitting = [
        part
        for part in parts
        if part.size_bytes == size_bytes and (not part.base or _fits(held.get(part.base), part.base_bytes))
    ]
    return min(fitting, key=lambda part: part.download_bytes, default=None)


def _fits(held: Held | None, size_bytes: int) -> bool:
    return held is not None and held.size_bytes == size_bytes


def helps(plan: DeltaPlan, manifest: Manifest) -> bool:
    """One archive in one piece is better than parts that save less than a twentieth of it."""
    return plan.download_bytes * 20 <= manifest.payload.size_bytes * 19


def render_parts(parts: Iterable[Part]) -> bytes:
    """Sorted, so that the same parts give the same bytes."""
    values: list[JsonValue] = [_part_value(part) for part in sorted(parts, key=lambda part: (part.file, part.base))]
    return dump_canonical({"schema": SCHEMA, "segment": SEGMENT_BYTES, "margin": MARGIN_BYTES, "parts": values})


def parse_parts(data: bytes) -> tuple[Part, ...]:
    """Raises SetupError index.malformed; also for other segment lengths than this pui's."""
    try:
        table = load_object(data, MAX_LIST_BYTES)
        values = table.get("parts")
        if table.get("schema") != SCHEMA or not isinstance(values, list) or len(values) > MAX_PARTS:
            raise StrictJsonError(f"it is not a {SCHEMA} of at most {MAX_PARTS} parts")
        if (table.get("segment"), table.get("margin")) != (SEGMENT_BYTES, MARGIN_BYTES):
            raise StrictJsonError("its segments have another length")
        return tuple(_part(value) for value in values)
    except StrictJsonError as error:
        raise SetupError("index.malformed", f"the list of a pack's parts is refused: {error}") from error


def _part_value(part: Part) -> JsonValue:
    frames: list[JsonValue] = list(part.frames)
    value: dict[str, JsonValue] = {"file": part.file, "size": part.size_bytes, "frames": frames, "sha256": part.sha256}
    return value | ({"base": part.base, "base_size": part.base_bytes} if part.base else {})


def _part(value: JsonValue) -> Part:
    if not isinstance(value, dict):
        raise StrictJsonError("a part is not an object")
    base = _digest(value, "base") if "base" in value else ""
    base_bytes = _whole(value.get("base_size"), "base_size", MAX_TOTAL_BYTES) if base else 0
    size_bytes = _whole(value.get("size"), "size", MAX_TOTAL_BYTES)
    frames = value.get("frames")
    if not isinstance(frames, list) or len(frames) != len(segments_of(size_bytes)):
        raise StrictJsonError("a part has not a frame for each segment")
    lengths = tuple(_whole(frame, "frame", MAX_FRAME_BYTES) for frame in frames)
    return Part(_digest(value, "file"), size_bytes, base, base_bytes, lengths, _digest(value, "sha256"))


def _digest(table: Mapping[str, JsonValue], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or _SHA256.fullmatch(value) is None:
        raise StrictJsonError(f"{key} of a part is not a SHA-256")
    return value


def _whole(value: JsonValue, what: str, limit: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= limit:
        raise StrictJsonError(f"{what} of a part is not a whole number from 1 to {limit}")
    return value
