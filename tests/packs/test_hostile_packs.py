"""Threats A1 to A33 through the whole installer: refused by name, and nothing changed.

In: sabotaged packs of the simulator, on top of an installed good one. Out: the code each must be refused with.
Never: a check of the message alone; the folders are compared before and after.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from pui.adapters.packs.keys import add_trusted_key
from pui.domain.errors import PuiError
from tests.support.pack_shop import PackShop
from tests.support.pack_simulator import (
    END,
    FILES,
    KEY,
    BuiltSim,
    PackSim,
    SimKey,
    canonical,
    compress,
    envelope,
    file_entry,
    header,
    honest_tar,
    member,
)

Case = tuple[str, str, Callable[[], PackSim | BuiltSim], str]
X = b"x" * 700
ORDER = sorted(FILES)
BASE = "guest/base.qcow2"


def manifest_path(path: str) -> Callable[[], PackSim]:
    """A manifest that lists `path`, and an archive that holds it as well as tar can."""

    def edit(table: dict[str, Any]) -> None:
        table["files"] = sorted([*table["files"], file_entry(path, X, 0o644)], key=lambda entry: entry["path"])
        table["total_size"] += len(X)

    return lambda: PackSim(version=2, edit=edit)


def edited(change: Callable[[dict[str, Any]], None]) -> Callable[[], PackSim]:
    return lambda: PackSim(version=2, edit=change)


def setting(**values: object) -> Callable[[], PackSim]:
    return edited(lambda table: table.update(values))


def raw_tar(*parts: bytes, end: bytes = END) -> Callable[[], PackSim]:
    return lambda: PackSim(version=2, tar=b"".join(parts) + end)


def in_place_of_base(block: bytes) -> Callable[[], PackSim]:
    """An archive whose first entry is `block` instead of the first file's header; the rest is honest."""
    tar = honest_tar(FILES)
    return lambda: PackSim(version=2, tar=block + tar)


def honest(name: str) -> bytes:
    return member(name, *FILES[name])


def archive(make: Callable[[bytes], bytes], *, signed: bool = True) -> Callable[[], PackSim]:
    return lambda: PackSim(version=2, archive=make, sums_of_archive=signed)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def tar_with_flip() -> PackSim:
    return PackSim(version=2, tar=flipped(honest_tar(FILES), 512 + 5000))


def python_tar(info: tarfile.TarInfo, form: int) -> Callable[[], PackSim]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        tar.addfile(info, io.BytesIO(b"" if info.size == 0 else X[: info.size]))
    return in_place_of_base(out.getvalue()[: -len(END)].rstrip(b"\0").ljust(1024, b"\0"))


def link(kind: bytes, name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def pax_override() -> PackSim:
    """The path of the first file is overridden by a PAX header: `../outside`."""
    record = b"22 path=../../outside\n"
    pax = header(b"PaxHeaders/x", len(record), kind=b"x") + record.ljust(512, b"\0")
    return PackSim(version=2, tar=pax + honest_tar(FILES))


def cve_2025_4517() -> PackSim:
    """The public shape of the escape: a chain of long folder names and links that ends above the root."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        step, path = "d" * 247, ""
        for letter in "abcdefghijklmnop":
            folder = tarfile.TarInfo(f"{path}{step}")
            folder.type = tarfile.DIRTYPE
            tar.addfile(folder)
            tar.addfile(link(tarfile.SYMTYPE, f"{path}{letter}", step))
            path += f"{letter}/"
        tar.addfile(link(tarfile.SYMTYPE, path + "l" * 254, "../" * 16))
        tar.addfile(link(tarfile.SYMTYPE, "escape", path + "l" * 254 + "/../outside"))
        tar.addfile(link(tarfile.LNKTYPE, "newfile", "escape"))
        content = tarfile.TarInfo("newfile")
        content.size = 6
        tar.addfile(content, io.BytesIO(b"escape"))
    return PackSim(version=2, tar=out.getvalue())


def forged_size(size: int) -> Callable[[bytes], bytes]:
    """A frame header that announces `size` bytes, then one honest block."""

    def make(tar: bytes) -> bytes:
        return b"\x28\xb5\x2f\xfd" + bytes([0xC4, 0x50]) + size.to_bytes(8, "little") + b"\x01\x00\x00" + bytes(4)

    return make


def wide_window(tar: bytes) -> bytes:
    return b"\x28\xb5\x2f\xfd" + bytes([0x84, 21 << 3]) + len(tar).to_bytes(4, "little") + b"\x01\x00\x00" + bytes(4)


def lying_bomb(tar: bytes) -> bytes:
    """RLE blocks of 128 KiB zeros behind a header that announces the honest size: 32,768 to 1."""
    head = b"\x28\xb5\x2f\xfd" + bytes([0x84, 0x50]) + len(tar).to_bytes(4, "little")
    block = ((128 * 1024) << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    return head + block * 20_000


def announces_more(tar: bytes) -> bytes:
    """A frame of raw blocks that ends with an empty one, where libzstd does not compare the announced size."""
    blocks = b"".join(
        (len(part) << 3).to_bytes(3, "little") + part
        for part in (tar[at : at + 100_000] for at in range(0, len(tar), 100_000))
    )
    checksum = compress(tar)[-4:]
    return (
        b"\x28\xb5\x2f\xfd"
        + bytes([0x84, 0x50])
        + (len(tar) + 512).to_bytes(4, "little")
        + blocks
        + b"\1\0\0"
        + checksum
    )


def signed_by(*keys: SimKey) -> Callable[[], PackSim]:
    return lambda: PackSim(version=2, keys=keys)


def other_document() -> BuiltSim:
    built, kind = PackSim(version=2).build(), "application/vnd.pui.pack-index.v1+json"
    sealed = envelope(built.manifest, [KEY.signature(built.manifest, kind)], kind)
    return BuiltSim(built.name, sealed, built.archive, built.manifest)


def signature_for_other_type() -> BuiltSim:
    built = PackSim(version=2).build()
    sealed = envelope(built.manifest, [KEY.signature(built.manifest, "application/vnd.pui.pack-index.v1+json")])
    return BuiltSim(built.name, sealed, built.archive, built.manifest)


def changed_after_signing() -> BuiltSim:
    built = PackSim(version=2).build()
    table = json.loads(built.envelope)
    table["payload"] = base64.b64encode(built.manifest.replace(b"1.5.2", b"1.5.3")).decode()
    return BuiltSim(built.name, canonical(table), built.archive, built.manifest)


def raw_manifest(data: bytes) -> Callable[[], PackSim]:
    return lambda: PackSim(version=2, manifest=data)


def many_entries() -> PackSim:
    entries = [file_entry(f"f{number:06}", b"", 0o644) for number in range(200_000)]
    return PackSim(version=2, edit=lambda table: table.update(files=entries, total_size=0))


def first_file(**values: object) -> Callable[[], PackSim]:
    return edited(lambda table: table["files"][0].update(values))


def gnu_sparse() -> bytes:
    return header(b"guest/base.qcow2", 512, kind=b"S", magic=b"ustar  \0")


CASES: list[Case] = [
    ("A2", "parent", manifest_path("../outside"), "pack.bad_path"),
    ("A2", "parent-inside", manifest_path("a/../../outside"), "pack.bad_path"),
    ("A2", "dot", manifest_path("a/./b"), "pack.bad_path"),
    ("A2", "archive-only", in_place_of_base(header(b"../outside", 0)), "pack.bad_path"),
    ("A3", "absolute", manifest_path("/etc/passwd"), "pack.bad_path"),
    ("A3", "empty-part", manifest_path("a//b"), "pack.bad_path"),
    ("A3", "archive-only", in_place_of_base(header(b"/etc/passwd", 0)), "pack.bad_path"),
    ("A4", "drive", manifest_path("C:/x"), "pack.bad_path"),
    ("A4", "backslash", manifest_path("a\\b"), "pack.bad_path"),
    ("A4", "unc", manifest_path("\\\\?\\C"), "pack.bad_path"),
    ("A5", "nul", manifest_path("a\0b"), "pack.bad_path"),
    ("A5", "newline", manifest_path("a\nb"), "pack.bad_path"),
    ("A5", "bidi", manifest_path("a\u202egpj.exe"), "pack.bad_path"),
    ("A5", "surrogate", edited(lambda t: t["files"][0].update(path="SURR")), "pack.bad_path"),
    ("A6", "device", manifest_path("CON.txt"), "pack.bad_path"),
    ("A6", "device-inside", manifest_path("a/lpt1/b"), "pack.bad_path"),
    ("A6", "dot-at-end", manifest_path("a."), "pack.bad_path"),
    ("A6", "space-at-end", manifest_path("a /b"), "pack.bad_path"),
    ("A6", "reserved-folder", manifest_path(".PUI/envelope.json"), "pack.bad_path"),
    ("A7", "case", manifest_path("Guest/Base.QCOW2"), "pack.bad_path"),
    ("A7", "case-of-folder", manifest_path("Guest/other"), "pack.bad_path"),
    ("A7", "nfd", manifest_path("e\u0301"), "pack.bad_path"),
    ("A7", "file-and-folder", manifest_path("guest/base.qcow2/x"), "pack.bad_path"),
    ("A7", "twice", manifest_path("guest/base.qcow2"), "pack.bad_path"),
    ("A8", "raw", in_place_of_base(header(BASE.encode(), kind=b"2", link=b"/etc/passwd")), "pack.bad_type"),
    ("A8", "tarfile", python_tar(link(tarfile.SYMTYPE, "x", "../outside"), tarfile.GNU_FORMAT), "pack.bad_type"),
    ("A8", "target-of-plain", in_place_of_base(header(BASE.encode(), link=b"/etc/passwd")), "pack.bad_type"),
    ("A9", "raw", in_place_of_base(header(BASE.encode(), kind=b"1", link=b"kernel/vmlinux")), "pack.bad_type"),
    ("A9", "tarfile", python_tar(link(tarfile.LNKTYPE, "x", "../outside"), tarfile.USTAR_FORMAT), "pack.bad_type"),
    ("A10", "character", in_place_of_base(header(BASE.encode(), kind=b"3")), "pack.bad_type"),
    ("A10", "block", in_place_of_base(header(BASE.encode(), kind=b"4")), "pack.bad_type"),
    ("A10", "fifo", in_place_of_base(header(BASE.encode(), kind=b"6")), "pack.bad_type"),
    ("A10", "folder", in_place_of_base(header(b"guest", kind=b"5")), "pack.bad_type"),
    ("A11", "gnu", in_place_of_base(gnu_sparse() + bytes(512)), "pack.bad_type"),
    ("A12", "pax", pax_override, "pack.bad_type"),
    ("A12", "pax-global", in_place_of_base(header(b"g", kind=b"g")), "pack.bad_type"),
    ("A12", "gnu-name", in_place_of_base(header(b"././@LongLink", 512, kind=b"L") + X[:512]), "pack.bad_type"),
    ("A12", "gnu-link", in_place_of_base(header(b"././@LongLink", 512, kind=b"K") + X[:512]), "pack.bad_type"),
    ("A13", "duplicate", raw_tar(*map(honest, ORDER[:3]), honest(ORDER[2])), "pack.checksum"),
    ("A14", "extra-first", in_place_of_base(member("evil", X)), "pack.checksum"),
    ("A14", "extra-last", raw_tar(*map(honest, ORDER), member("evil", X)), "pack.checksum"),
    ("A15", "missing-first", raw_tar(*map(honest, ORDER[1:])), "pack.checksum"),
    ("A15", "missing-last", raw_tar(*map(honest, ORDER[:-1])), "pack.checksum"),
    ("A15", "swapped", raw_tar(*map(honest, ORDER[::-1])), "pack.checksum"),
    ("A15", "no-end", raw_tar(*map(honest, ORDER), end=b""), "pack.checksum"),
    ("A16", "size", raw_tar(member(BASE, FILES[BASE][0][:-1]), *map(honest, ORDER[1:])), "pack.checksum"),
    ("A16", "mode", raw_tar(member(BASE, FILES[BASE][0], 0o4755), *map(honest, ORDER[1:])), "pack.checksum"),
    ("A17", "in-a-file", tar_with_flip, "pack.checksum"),
    ("A17", "in-the-archive", archive(lambda tar: flipped(compress(tar), 200), signed=False), "pack.checksum"),
    ("A17", "in-the-frame-sum", archive(lambda tar: flipped(compress(tar), -1 % len(compress(tar)))), "pack.checksum"),
    ("A17", "other-archive", edited(lambda table: table["payload"].update(sha256="0" * 64)), "pack.checksum"),
    (
        "A17",
        "header-sum",
        in_place_of_base(header(BASE.encode(), len(FILES[BASE][0]), wrong_sum=True)),
        "pack.checksum",
    ),
    ("A18", "cve-2025-4517", cve_2025_4517, "pack.bad_type"),
    ("A19", "negative", in_place_of_base(header(BASE.encode(), size_field=b"-0000000512\0")), "pack.malformed"),
    ("A19", "base-256", in_place_of_base(header(BASE.encode(), size_field=b"\xff" * 12)), "pack.malformed"),
    ("A19", "blank", in_place_of_base(header(BASE.encode(), size_field=b" " * 12)), "pack.malformed"),
    ("A20", "honest-announcement", archive(lambda tar: compress(bytes(64 << 20))), "pack.too_large"),
    ("A20", "lying-announcement", archive(lying_bomb), "pack.checksum"),
    ("A21", "window-31", archive(wide_window), "pack.too_large"),
    ("A22", "forged-2^40", archive(forged_size(2**40)), "pack.too_large"),
    ("A22", "announces-more", archive(announces_more), "pack.checksum"),
    ("A22", "no-announcement", archive(lambda tar: compress(tar, content_size=False)), "pack.malformed"),
    ("A22", "padding", raw_tar(*map(honest, ORDER), end=bytes(30_000)), "pack.too_large"),
    ("A23", "file-cut", archive(lambda tar: compress(tar)[:-40], signed=False), "pack.checksum"),
    ("A23", "signed-cut", archive(lambda tar: compress(tar)[:-40]), "pack.checksum"),
    ("A23", "signed-cut-in-sum", archive(lambda tar: compress(tar)[:-1]), "pack.checksum"),
    ("A24", "second-frame", archive(lambda tar: compress(tar) + compress(X), signed=False), "pack.checksum"),
    ("A24", "signed-second-frame", archive(lambda tar: compress(tar) + compress(X)), "pack.checksum"),
    ("A24", "signed-empty-frame", archive(lambda tar: compress(tar) + compress(b"")), "pack.checksum"),
    ("A24", "signed-skippable", archive(lambda t: compress(t) + b"\x50\x2a\x4d\x18\x01\0\0\0x"), "pack.checksum"),
    ("A24", "skippable-first", archive(lambda t: b"\x50\x2a\x4d\x18\x01\0\0\0x" + compress(t)), "pack.malformed"),
    ("A24", "signed-trailing-byte", archive(lambda tar: compress(tar) + b"\0"), "pack.checksum"),
    ("A24", "no-frame-sum", archive(lambda tar: compress(tar, checksum=False)), "pack.malformed"),
    ("A24", "data-after-tar", raw_tar(*map(honest, ORDER), end=END + X), "pack.checksum"),
    ("A24", "data-in-padding", raw_tar(honest(BASE)[:-1] + b"!", *map(honest, ORDER[1:])), "pack.malformed"),
    ("A25", "too-long", raw_manifest(b" " * (4 << 20) + b"{}"), "pack.malformed"),
    ("A25", "deep", raw_manifest(b'{"a":' + b"[" * 100_000), "pack.malformed"),
    ("A25", "duplicate-key", raw_manifest(b'{"schema":"pui-pack-manifest-1","schema":"x"}'), "pack.malformed"),
    ("A25", "float", setting(pack_version=2.0), "pack.malformed"),
    ("A25", "exponent", raw_manifest(b'{"schema":"pui-pack-manifest-1","pack_version":1e999}'), "pack.malformed"),
    ("A25", "nan", raw_manifest(b'{"schema":"pui-pack-manifest-1","pack_version":NaN}'), "pack.malformed"),
    ("A25", "negative", setting(pack_version=-1), "pack.malformed"),
    ("A25", "true", setting(pack_version=True), "pack.malformed"),
    ("A25", "huge", setting(pack_version=10**19), "pack.malformed"),
    ("A25", "very-huge", raw_manifest(b'{"pack_version":' + b"9" * 100_000 + b"}"), "pack.malformed"),
    ("A25", "unknown-schema", setting(schema="pui-pack-manifest-2"), "pack.malformed"),
    ("A25", "200k-entries", many_entries, "pack.malformed"),
    ("A25", "no-entries", setting(files=[], total_size=0), "pack.malformed"),
    ("A25", "wrong-sum", setting(total_size=1), "pack.malformed"),
    ("A25", "unsorted", edited(lambda table: table["files"].reverse()), "pack.malformed"),
    ("A25", "mode", first_file(mode="4755"), "pack.malformed"),
    ("A25", "sha-upper-case", first_file(sha256="A" * 64), "pack.malformed"),
    ("A25", "size-negative", first_file(size=-1), "pack.malformed"),
    ("A25", "date", setting(created="2026-13-41T00:00:00Z"), "pack.malformed"),
    ("A25", "utf-16", raw_manifest('{"schema":"x"}'.encode("utf-16")), "pack.malformed"),
    ("A25", "list", raw_manifest(b"[]"), "pack.malformed"),
    ("A26", "no-signature", signed_by(), "pack.untrusted"),
    ("A26", "changed-after-signing", changed_after_signing, "pack.untrusted"),
    ("A27", "unknown-key", signed_by(SimKey(2)), "pack.untrusted"),
    ("A29", "other-type", other_document, "pack.untrusted"),
    ("A29", "signature-for-other-type", signature_for_other_type, "pack.untrusted"),
    ("A31", "platform", setting(platform="macos-aarch64"), "pack.incompatible"),
    ("A32", "app-too-old", setting(compatibility={"app_min": "0.1.1", "guest_protocol": 1}), "pack.incompatible"),
    ("A32", "app-too-new", setting(compatibility={"app_min": "0.1.0", "guest_protocol": 2}), "pack.incompatible"),
]


@pytest.mark.parametrize(
    ("make", "code"), [pytest.param(make, code, id=f"{number}-{name}") for number, name, make, code in CASES]
)
def test_refused_by_name(shop: PackShop, make: Callable[[], PackSim | BuiltSim], code: str) -> None:
    first = shop.install(PackSim(version=1))
    before = shop.snapshot()
    hostile = make()
    built = hostile.build() if isinstance(hostile, PackSim) else hostile
    if b"SURR" in built.manifest:  # JSON can spell a lone surrogate, UTF-8 cannot
        manifest = built.manifest.replace(b"SURR", b"\\ud800")
        built = BuiltSim(built.name, envelope(manifest, [KEY.signature(manifest)]), built.archive, manifest)

    with pytest.raises(PuiError) as caught:
        shop.install(built)

    assert (caught.value.code, bool(caught.value.hint)) == (code, True), caught.value
    assert caught.value.message.isprintable()
    assert shop.snapshot() == before
    assert shop.store.active() == first.pack


def test_a1_good_pack_installs(shop: PackShop) -> None:
    result = shop.install(PackSim(version=1))

    assert not result.was_there
    for path, (data, mode) in FILES.items():
        installed = result.pack.root / path
        assert installed.read_bytes() == data
        assert installed.stat().st_mode & 0o7777 == mode
    assert shop.store.active() == result.pack
    assert list(shop.paths.staging_dir.iterdir()) == []


def test_a1_unknown_fields_have_no_effect(shop: PackShop) -> None:
    result = shop.install(PackSim(edit=lambda table: table.update(future={"hint": [1, "x"]})))

    assert shop.store.active() == result.pack


def test_a30_revoked_key(shop: PackShop) -> None:
    shop.install(PackSim(version=1))
    add_trusted_key(shop.paths.trust_dir, KEY.trusted("old release key", revoked=True))
    before = shop.snapshot()

    with pytest.raises(PuiError, match=r"pack\.untrusted: .*revoked key \(old release key\)"):
        shop.install(PackSim(version=2))
    with pytest.raises(PuiError, match=r"pack\.untrusted: .*revoked"):
        shop.store.active()

    assert shop.snapshot() == before


def test_a33_below_the_floor(shop: PackShop) -> None:
    shop.install(PackSim(version=1))
    shop.install(PackSim(version=5))
    before = shop.snapshot()

    with pytest.raises(PuiError, match=r"pack\.rollback: pack version 4 is older than 5"):
        shop.install(PackSim(version=4))

    assert shop.snapshot() == before


def test_a33_the_floor_outlives_the_pack_and_insisting(shop: PackShop) -> None:
    newest = shop.install(PackSim(version=5))
    older = shop.install(PackSim(version=4), allow_older=True)
    assert shop.store.active() == older.pack
    shop.store.remove(newest.pack.pack_id)

    with pytest.raises(PuiError, match="pack.rollback"):
        shop.install(PackSim(version=4))


def test_the_simulator_is_honest() -> None:
    built = PackSim().build()
    payload = json.loads(built.manifest)["payload"]

    assert payload["sha256"] == hashlib.sha256(built.archive).hexdigest()
    for tar in (honest_tar(FILES), b"".join(map(honest, ORDER)) + END):
        with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
            assert [(item.name, item.size, item.mode) for item in opened] == [
                (path, len(FILES[path][0]), FILES[path][1]) for path in ORDER
            ]
