"""Archives beyond the list of the threat model: dialects of tar, tricks of names and numbers, other frames than one.

In: sabotaged archives under a good signature (the worst case: a stolen release key), on top of an installed good pack.
Out: the code each must be refused with. Never: a partial state, a message that a terminal obeys.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable

import pytest
import zstandard

from pui.domain.errors import PuiError
from tests.packs.test_hostile_packs import ORDER, archive, honest, in_place_of_base, raw_tar
from tests.support.pack_shop import PackShop
from tests.support.pack_simulator import END, FILES, PackSim, compress, header, honest_tar, member

Make = Callable[[], PackSim]
BASE = "guest/base.qcow2"
SIZE = len(FILES[BASE][0])
HONEST = honest_tar(FILES)
REST = HONEST[512:]
OLD_GNU = b"ustar  \0"


def pax(*records: tuple[str, bytes], kind: bytes = b"x", announced: int | None = None, lie: int = 0) -> bytes:
    """A PAX header with these records; `announced` replaces its size, `lie` is added to each record's length."""
    data = b""
    for key, value in records:
        body = b" " + key.encode() + b"=" + value + b"\n"
        length = len(body) + 1
        while len(str(length)) + len(body) != length:
            length += 1
        data += str(length + lie).encode() + body
    size = len(data) if announced is None else announced
    return header(b"PaxHeaders/x", size, kind=kind) + data.ljust(-(-len(data) // 512) * 512, b"\0")


def before_all(*blocks: bytes) -> Make:
    return in_place_of_base(b"".join(blocks))


def first_header(block: bytes) -> Make:
    """The first file with another header; its data and the rest are honest."""
    return lambda: PackSim(version=2, tar=block + REST)


def with_size(field: bytes) -> Make:
    return first_header(header(BASE.encode(), size_field=field))


def with_field(start: int, value: bytes) -> Make:
    """One field of the first header overwritten, its sum mended."""
    block = bytearray(header(BASE.encode(), SIZE))
    block[start : start + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return first_header(bytes(block))


def with_checksum(field: Callable[[int], bytes]) -> Make:
    block = bytearray(header(BASE.encode(), SIZE))
    block[148:156] = b" " * 8
    block[148:156] = field(sum(block))
    return first_header(bytes(block))


def named(name: bytes, prefix: bytes = b"", kind: bytes = b"0") -> Make:
    return first_header(header(name, SIZE, prefix=prefix, kind=kind))


def signed_sum(name: bytes) -> bytes:
    """The checksum as old tars made it, of signed bytes."""
    block = bytearray(header(name, SIZE))
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(byte - 256 if byte > 127 else byte for byte in block)
    return bytes(block)


def sparse_gnu_old() -> bytes:
    """A real sparse map: two extents and a real size of an exbibyte."""
    block = bytearray(header(BASE.encode(), 1024, kind=b"S", magic=OLD_GNU))
    block[386:410] = b"00000000000\0" + b"00000001000\0"
    block[483:495] = b"77777777777\0"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(1024)


def two_frames_of_one_tar(tar: bytes) -> bytes:
    half = len(tar) // 2 // 512 * 512
    return compress(tar[:half]) + compress(tar[half:])


def skippable(content: bytes = b"hidden", number: int = 0) -> bytes:
    return (0x184D2A50 + number).to_bytes(4, "little") + len(content).to_bytes(4, "little") + content


def with_dictionary(tar: bytes, *, is_told: bool) -> bytes:
    trained = zstandard.train_dictionary(4096, [b"sample %d" % n * 40 for n in range(400)])
    params = zstandard.ZstdCompressionParameters.from_level(
        3, write_checksum=True, write_content_size=True, write_dict_id=is_told
    )
    return zstandard.ZstdCompressor(compression_params=params, dict_data=trained).compress(tar)


def frame_of(*blocks: bytes, size: int, descriptor: int = 0x84, window: int = 0x50) -> bytes:
    """A frame with a size of four bytes and a checksum of zeros."""
    return b"\x28\xb5\x2f\xfd" + bytes([descriptor, window]) + size.to_bytes(4, "little") + b"".join(blocks) + bytes(4)


def block(kind: int, size: int, content: bytes, *, is_last: bool = True) -> bytes:
    return (size << 3 | kind << 1 | is_last).to_bytes(3, "little") + content


def windowed(window_log: int) -> Callable[[bytes], bytes]:
    def make(tar: bytes) -> bytes:
        params = zstandard.ZstdCompressionParameters(
            window_log=window_log, write_checksum=True, write_content_size=False
        )
        return zstandard.ZstdCompressor(compression_params=params).compress(tar)

    return make


def tarred(data: bytes, form: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name in ORDER:
            content, mode = FILES[name]
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


CASES: list[tuple[str, Make, str]] = [
    # sparse files
    ("A11-gnu-old-with-map", before_all(sparse_gnu_old()), "pack.bad_type"),
    ("A11-pax-0.0", before_all(pax(("GNU.sparse.size", b"9" * 18), ("GNU.sparse.numblocks", b"1"))), "pack.bad_type"),
    (
        "A11-pax-0.1",
        before_all(pax(("GNU.sparse.map", b"0,1,9999999999,1"), ("GNU.sparse.name", b"x"))),
        "pack.bad_type",
    ),
    ("A11-pax-1.0", before_all(pax(("GNU.sparse.major", b"1"), ("GNU.sparse.realsize", b"1"))), "pack.bad_type"),
    ("A11-star", before_all(pax(("SCHILY.realsize", b"1"), ("SCHILY.filetype", b"sparse"))), "pack.bad_type"),
    # headers that speak for the next one
    ("A12-pax-size", before_all(pax(("size", b"1"))), "pack.bad_type"),
    ("A12-pax-size-negative", before_all(pax(("size", b"-1"))), "pack.bad_type"),
    ("A12-pax-path", before_all(pax(("path", b"/etc/passwd"))), "pack.bad_type"),
    ("A12-pax-path-nul", before_all(pax(("path", b"guest/base.qcow2\0/../../x"))), "pack.bad_type"),
    ("A12-pax-linkpath", before_all(pax(("linkpath", b"/etc/passwd"))), "pack.bad_type"),
    ("A12-pax-charset", before_all(pax(("hdrcharset", b"BINARY"), ("path", b"\xff"))), "pack.bad_type"),
    ("A12-pax-mtime", before_all(pax(("mtime", b"1e999"))), "pack.bad_type"),
    ("A12-pax-record-length-lies", before_all(pax(("path", b"x"), lie=1000)), "pack.bad_type"),
    ("A12-pax-of-a-gibibyte", before_all(pax(("path", b"x"), announced=1 << 30)), "pack.bad_type"),
    ("A12-pax-empty", before_all(pax()), "pack.bad_type"),
    ("A12-global-path", before_all(pax(("path", b"x"), kind=b"g")), "pack.bad_type"),
    ("A12-solaris", before_all(pax(("path", b"x"), kind=b"X")), "pack.bad_type"),
    ("A12-long-name-chain", before_all(*[header(b"././@LongLink", 512, kind=b"L") + bytes(512)] * 3), "pack.bad_type"),
    ("A12-long-name-of-nothing", before_all(header(b"././@LongLink", 0, kind=b"L")), "pack.bad_type"),
    ("A12-old-gnu-long-name", before_all(header(b"x", 0, kind=b"N")), "pack.bad_type"),
    (
        "A12-after-the-first-file",
        raw_tar(honest(BASE), pax(("path", b"../x")), *map(honest, ORDER[1:])),
        "pack.bad_type",
    ),
    *[
        (f"A12-type-{kind:02x}", named(BASE.encode(), kind=bytes([kind])), "pack.bad_type")
        for kind in b"\x0079ADMVZ \xff"
    ],
    # dialects that are not ours, though every file is honest
    ("A12-gnu-dialect", lambda: PackSim(version=2, tar=tarred(b"", tarfile.GNU_FORMAT)), "pack.malformed"),
    ("A12-v7-dialect", first_header(header(BASE.encode(), SIZE, magic=bytes(8))), "pack.malformed"),
    ("A12-magic-without-version", first_header(header(BASE.encode(), SIZE, magic=b"ustar\0  ")), "pack.malformed"),
    # names
    ("A2-dot-slash", named(b"./guest/base.qcow2"), "pack.bad_path"),
    ("A2-prefix-up", named(b"base.qcow2", b".."), "pack.bad_path"),
    ("A2-up-inside", named(b"guest/../guest/base.qcow2"), "pack.bad_path"),
    ("A3-prefix-absolute", named(b"passwd", b"/etc"), "pack.bad_path"),
    ("A3-double-slash", named(b"guest//base.qcow2"), "pack.bad_path"),
    ("A3-prefix-with-slash", named(b"base.qcow2", b"guest/"), "pack.bad_path"),
    ("A3-name-empty", named(b"", b"guest/base.qcow2"), "pack.bad_path"),
    ("A3-trailing-slash", named(b"guest/base.qcow2/"), "pack.bad_path"),
    ("A4-backslash", named(b"guest\\base.qcow2"), "pack.bad_path"),
    ("A5-nul-hides-bytes", named(b"guest/base.qcow2\0../../x"), "pack.bad_path"),
    ("A5-nul-in-prefix", named(b"base.qcow2", b"guest\0/../../x"), "pack.bad_path"),
    ("A5-not-utf-8", named(b"guest/base\xff.qcow2"), "pack.bad_path"),
    ("A5-overlong-slash", named(b"guest\xc0\xafbase.qcow2"), "pack.bad_path"),
    ("A5-escape", named(b"\x1b[2Jbase"), "pack.bad_path"),
    ("A5-bidi", named("guest/\u202ebase".encode()), "pack.bad_path"),
    ("A6-space-behind", named(b"guest/base.qcow2 "), "pack.bad_path"),
    ("A6-device", named(b"guest/NUL"), "pack.bad_path"),
    ("A7-other-case", named(b"GUEST/base.qcow2"), "pack.checksum"),
    ("A7-decomposed", named("guest/e\u0301".encode()), "pack.bad_path"),
    ("A7-full-width", named("guest/\uff42ase.qcow2".encode()), "pack.checksum"),
    ("A7-twice-by-case", raw_tar(honest(BASE), member("Guest/base.qcow2", b"x")), "pack.checksum"),
    # numbers
    ("A19-base-256-right", with_size(b"\x80" + SIZE.to_bytes(11, "big")), "pack.malformed"),
    ("A19-base-256-huge", with_size(b"\x80" + b"\xff" * 11), "pack.malformed"),
    ("A19-base-256-minus-one", with_size(b"\xff" * 12), "pack.malformed"),
    ("A19-minus", with_size(b"-%010o\0" % SIZE), "pack.malformed"),
    ("A19-plus", with_size(b"+%010o\0" % SIZE), "pack.malformed"),
    ("A19-decimal-digits", with_size(b"00000000899\0"), "pack.malformed"),
    ("A19-hexadecimal", with_size(b"0x000000100\0"), "pack.malformed"),
    ("A19-no-end-mark", with_size(b"%012o" % SIZE), "pack.malformed"),
    ("A19-spaces-before", with_size(b"%11o\0" % SIZE), "pack.malformed"),
    ("A19-nul-inside", with_size(b"00000\x0000%04o" % (SIZE % 4096)), "pack.malformed"),
    ("A19-all-sevens", with_size(b"77777777777\0"), "pack.checksum"),
    ("A19-zero", with_size(b"00000000000\0"), "pack.checksum"),
    ("A16-mode-with-type", with_field(100, b"0100644\0"), "pack.checksum"),
    ("A16-mode-sticky", with_field(100, b"0001644\0"), "pack.checksum"),
    ("A16-owner-not-octal", with_field(108, b"nobody\0\0"), "pack.malformed"),
    ("A16-time-not-octal", with_field(136, b"tomorrow\0\0\0\0"), "pack.malformed"),
    ("A17-sum-of-signed-bytes", first_header(signed_sum("guest/b\u00e4se".encode())), "pack.checksum"),
    ("A17-sum-off-by-one", with_checksum(lambda total: b"%06o\0 " % (total + 1)), "pack.checksum"),
    ("A17-sum-blank", with_checksum(lambda total: b" " * 8), "pack.malformed"),
    ("A17-sum-base-256", with_checksum(lambda total: b"\x80" + total.to_bytes(7, "big")), "pack.malformed"),
    # archives in archives, ends that are none
    ("A14-tar-in-tar", raw_tar(member("inner.tar", HONEST)), "pack.checksum"),
    ("A14-tar-behind-tar", raw_tar(HONEST, HONEST), "pack.too_large"),
    ("A14-empty-tar", raw_tar(), "pack.checksum"),
    ("A15-end-in-the-middle", raw_tar(honest(BASE), END, *map(honest, ORDER[1:])), "pack.checksum"),
    ("A15-one-end-block", raw_tar(*map(honest, ORDER), end=bytes(512)), "pack.checksum"),
    ("A15-half-a-header", raw_tar(*map(honest, ORDER[:2]), honest(ORDER[2])[:300], end=b""), "pack.checksum"),
    ("A24-a-zero-block-then-more", raw_tar(*map(honest, ORDER), bytes(512), member("evil", b"x")), "pack.checksum"),
    # other frames
    ("A24-one-tar-in-two-frames", archive(two_frames_of_one_tar), "pack.checksum"),
    ("A24-three-empty-frames", archive(lambda tar: compress(tar) + compress(b"") * 3), "pack.checksum"),
    ("A24-empty-frame-first", archive(lambda tar: compress(b"") + compress(tar)), "pack.checksum"),
    *[
        (f"A24-skippable-{number}", archive(lambda tar, n=number: compress(tar) + skippable(number=n)), "pack.checksum")
        for number in (0, 7, 15)
    ],
    ("A24-skippable-first", archive(lambda tar: skippable() + compress(tar)), "pack.malformed"),
    (
        "A24-skippable-of-4-gib",
        archive(lambda tar: b"\x5f\x2a\x4d\x18\xff\xff\xff\xff" + compress(tar)),
        "pack.malformed",
    ),
    ("A24-dictionary", archive(lambda tar: with_dictionary(tar, is_told=True)), "pack.malformed"),
    ("A24-dictionary-not-told", archive(lambda tar: with_dictionary(tar, is_told=False)), "pack.checksum"),
    ("A24-dictionary-id", archive(lambda tar: b"\x28\xb5\x2f\xfd\x87\x50" + bytes(40)), "pack.malformed"),
    ("A24-reserved-bit", archive(lambda tar: frame_of(block(0, 0, b""), size=0, descriptor=0x8C)), "pack.malformed"),
    ("A24-reserved-block", archive(lambda tar: frame_of(block(3, 5, b"hello"), size=5)), "pack.malformed"),
    (
        "A24-block-of-256-kib",
        archive(lambda tar: frame_of(block(0, 1 << 18, bytes(1 << 18)), size=1 << 18)),
        "pack.malformed",
    ),
    (
        "A24-no-last-block",
        archive(lambda tar: frame_of(block(0, 5, b"hello", is_last=False), size=5)),
        "pack.checksum",
    ),
    ("A24-wrong-frame-sum", archive(lambda tar: compress(tar)[:-4] + bytes(4)), "pack.checksum"),
    ("A24-magicless", archive(lambda tar: compress(tar)[4:]), "pack.malformed"),
    ("A24-old-zstd", archive(lambda tar: b"\x27\xb5\x2f\xfd" + compress(tar)[4:]), "pack.malformed"),
    ("A24-gzip", archive(gzip.compress), "pack.malformed"),
    ("A24-bzip2", archive(bz2.compress), "pack.malformed"),
    ("A24-xz", archive(lzma.compress), "pack.malformed"),
    ("A24-plain-tar", archive(lambda tar: tar), "pack.malformed"),
    ("A24-zstd-in-zstd", archive(lambda tar: compress(compress(tar))), "pack.checksum"),
    ("A21-window-2^28", archive(lambda tar: frame_of(block(0, 0, b""), size=0, window=18 << 3)), "pack.too_large"),
    (
        "A21-window-2^27-and-a-bit",
        archive(lambda tar: frame_of(block(0, 0, b""), size=0, window=17 << 3 | 1)),
        "pack.too_large",
    ),
    ("A21-window-without-size", archive(windowed(27)), "pack.malformed"),
    ("A22-size-2^32-1", archive(lambda tar: frame_of(block(0, 0, b""), size=2**32 - 1)), "pack.too_large"),
    (
        "A20-bomb-of-runs",
        archive(lambda tar: frame_of(*[block(1, 1 << 17, b"\0", is_last=False)] * 999, size=len(tar))),
        "pack.checksum",
    ),
    ("A1-nothing-at-all", archive(lambda tar: b""), "pack.malformed"),
]


@pytest.mark.parametrize(("make", "code"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_refused_by_name(shop: PackShop, make: Make, code: str) -> None:
    first = shop.install(PackSim(version=1))
    before = shop.snapshot()

    with pytest.raises(PuiError) as caught:
        shop.install(make())

    assert (caught.value.code, bool(caught.value.hint)) == (code, True), caught.value
    assert caught.value.message.isprintable()
    assert shop.snapshot() == before
    assert shop.store.active() == first.pack


SAME: list[tuple[str, Make]] = [
    ("prefix-and-name", named(b"base.qcow2", b"guest")),
    ("size-ends-with-a-space", with_size(b"%011o " % SIZE)),
    ("sum-of-seven-digits", with_checksum(lambda total: b"%07o\0" % total)),
    ("owner-and-time", with_field(108, b"0001750\x000001750\0")),
]


@pytest.mark.parametrize("make", [pytest.param(case[1], id=f"A1-{case[0]}") for case in SAME])
def test_other_spellings_of_the_very_same_archive(shop: PackShop, make: Make) -> None:
    """What POSIX allows and what means the same is not refused: the table above is not strict by accident."""
    pack = shop.install(make()).pack
    assert shop.store.verify() == pack
