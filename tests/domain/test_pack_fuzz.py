"""In: whatever hypothesis thinks of. Out: a value or a SetupError by name. Never: another exception."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pui.domain.errors import SetupError
from pui.domain.manifest import parse_manifest, render_manifest
from pui.domain.pack_check import parse_stats
from pui.domain.pack_path import clash_fault, path_fault
from pui.domain.trust import parse_trusted_key, verify_envelope
from pui.domain.ustar import UstarReader
from pui.domain.zstd_frame import ZstdFrameReader
from tests.support.pack_simulator import KEY, PackSim, canonical, compress, honest_tar

SMALL = {"a/b": (b"x" * 600, 0o644), "c": (b"", 0o755)}
BUILT = PackSim(files=SMALL).build()
TAR = honest_tar(SMALL)
ARCHIVE = compress(TAR)
MANIFEST = parse_manifest(BUILT.manifest)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FEW = settings(max_examples=300, deadline=None)


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """`good` with a piece replaced, removed, repeated or cut."""
    start = draw(st.integers(0, len(good)))
    end = draw(st.integers(start, min(len(good), start + 64)))
    return good[:start] + draw(st.binary(max_size=64)) + good[draw(st.sampled_from([start, end])) :]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [path, *(leaf for key in value for leaf in leaves(value[key], (*path, key)))]
    if isinstance(value, list):
        return [path, *(leaf for key, item in enumerate(value) for leaf in leaves(item, (*path, key)))]
    return [path]


TABLE = json.loads(BUILT.manifest)


@FEW
@given(st.binary(max_size=300) | damaged(BUILT.manifest))
def test_manifest_bytes(data: bytes) -> None:
    with contextlib.suppress(SetupError):
        parse_manifest(data)


@FEW
@given(st.sampled_from(leaves(TABLE)[1:]), JSON)
def test_manifest_values(place: tuple[Any, ...], value: object) -> None:
    table = json.loads(BUILT.manifest)
    target = table
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    try:
        data = canonical(table)
    except UnicodeEncodeError:
        return  # a lone surrogate cannot be written
    with contextlib.suppress(SetupError):
        assert parse_manifest(render_manifest(parse_manifest(data))) == parse_manifest(data)


@FEW
@given(st.binary(max_size=300) | damaged(BUILT.envelope))
def test_envelope_bytes(data: bytes) -> None:
    try:
        verified = verify_envelope(data, [KEY.trusted()])
    except SetupError:
        return
    assert verified.manifest_bytes == BUILT.manifest, "only what was signed may pass"


@FEW
@given(damaged(TAR), st.integers(1, 2000))
def test_archive_bytes(data: bytes, step: int) -> None:
    reader = UstarReader(MANIFEST.files)
    with contextlib.suppress(SetupError):
        for start in range(0, len(data), step):
            reader.feed(data[start : start + step])
        reader.finish()


@FEW
@given(st.binary(max_size=64) | damaged(ARCHIVE), st.integers(1, 300))
def test_frame_bytes(data: bytes, step: int) -> None:
    reader = ZstdFrameReader(1 << 20)
    with contextlib.suppress(SetupError):
        taken = b"".join(
            piece for start in range(0, len(data), step) for piece in reader.feed(data[start : start + step])
        )
        reader.finish()
        assert taken == data, "a frame that passes has no byte left over"


@FEW
@given(st.text(max_size=40), st.text(max_size=40))
def test_paths(one: str, two: str) -> None:
    path_fault(one)
    assert (clash_fault([one, two]) is None) == (clash_fault([two, one]) is None)


@FEW
@given(
    st.binary(max_size=200) | JSON.map(lambda value: json.dumps({"schema": "pui-pack-stat-1", "files": value}).encode())
)
def test_recorded_stats_never_raise(data: bytes) -> None:
    parse_stats(data)


@FEW
@given(st.binary(max_size=200))
def test_key_files(data: bytes) -> None:
    with contextlib.suppress(SetupError):
        parse_trusted_key(data)
