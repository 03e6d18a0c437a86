"""In: archives in pieces of every size. Out: the same events; hostile headers refused. Never: a file."""

from __future__ import annotations

import pytest

from pui.domain.errors import SetupError
from pui.domain.manifest import ManifestFile, parse_manifest
from pui.domain.ustar import FileData, FileEnd, FileStart, UstarReader, archive_limit_bytes
from tests.support.pack_simulator import END, PackSim, header, honest_tar, member, sha256

LONG = "/".join(["folder" * 8] * 3) + "/" + "n" * 90
FILES = {"a": (b"", 0o644), "b": (b"x" * 512, 0o755), "c": (b"y" * 1000, 0o644), LONG: (b"z", 0o644)}
TAR = honest_tar(FILES)


def manifest_files() -> tuple[ManifestFile, ...]:
    return parse_manifest(PackSim(files=FILES).build().manifest).files


def read(tar: bytes, step: int) -> dict[str, bytes]:
    reader = UstarReader(manifest_files())
    found: dict[str, bytes] = {}
    order: list[str] = []
    current = ""
    for start in range(0, len(tar), step):
        for event in reader.feed(tar[start : start + step]):
            match event:
                case FileStart(file):
                    current, found[file.path] = file.path, b""
                    order.append(f"start {file.path}")
                case FileData(data):
                    assert data
                    found[current] += data
                case FileEnd(file):
                    order.append(f"end {file.path}")
    reader.finish()
    assert order == [f"{what} {path}" for path in sorted(FILES) for what in ("start", "end")]
    return found


@pytest.mark.parametrize("step", [1, 7, 511, 512, 513, 4096, len(TAR)])
def test_any_chunk_size_gives_the_same_files(step: int) -> None:
    assert read(TAR, step) == {path: data for path, (data, _) in FILES.items()}


def test_the_limit_is_enough_for_an_honest_archive() -> None:
    assert len(TAR) <= archive_limit_bytes(manifest_files())


def test_every_cut_is_found() -> None:
    last = len(b"".join(member(path, *FILES[path]) for path in sorted(FILES) if path != LONG)) + 1024 + len(END)
    for cut in range(0, last, 97):
        reader = UstarReader(manifest_files())
        with pytest.raises(SetupError) as caught:
            reader.feed(TAR[:cut])
            reader.finish()
        assert caught.value.code == "pack.checksum"


def test_every_flipped_header_byte_is_refused_or_without_effect() -> None:
    """A byte of a header cannot change without its checksum; of the checksum only the end mark has no meaning."""
    for place in range(512):
        bad = TAR[:place] + bytes([TAR[place] ^ 0x10]) + TAR[place + 1 :]
        with pytest.raises(SetupError):
            read(bad, 4096)


@pytest.mark.parametrize(
    ("block", "code", "words"),
    [
        (header(b"a", kind=b"2", link=b"/etc"), "pack.bad_type", "a symbolic link at 'a'"),
        (header(b"a", kind=b"1"), "pack.bad_type", "a hard link"),
        (header(b"a", kind=b"\0"), "pack.bad_type", "pre-POSIX"),
        (header(b"a", kind=b"Z"), "pack.bad_type", "unknown type"),
        (header(b"a", link=b"x"), "pack.bad_type", "link target"),
        (header(b"a", magic=b"ustar  \0"), "pack.malformed", "not ustar"),
        (header(b"a", size_field=b"\x80" + bytes(10) + b"\x01"), "pack.malformed", "octal"),
        (header(b"a", size_field=b"777777777777"), "pack.malformed", "octal"),
        (header(b"a", size_field=b"0000 000001\0"), "pack.malformed", "octal"),
        (header(b"a", 1), "pack.checksum", "says 1 bytes for 'a', the manifest 0"),
        (header(b"a", mode=b"0000755\0"), "pack.checksum", "mode 0755"),
        (header(b"a", wrong_sum=True), "pack.checksum", "wrong checksum"),
        (header(b"b", 512, mode=b"0000755\0"), "pack.checksum", "lacks 'a' before 'b'"),
        (header(b"zz"), "pack.checksum", "does not list"),
        (header(b"a\0b"), "pack.bad_path", "behind a NUL"),
        (header(b"\xff"), "pack.bad_path", "not UTF-8"),
        (header(b"a", prefix=b".."), "pack.bad_path", r"\.\./a"),
        (header(b"a/../a"), "pack.bad_path", r"'\.\.'"),
        (bytes(512), "pack.checksum", "lacks 'a'"),
    ],
)
def test_hostile_first_headers(block: bytes, code: str, words: str) -> None:
    with pytest.raises(SetupError, match=words) as caught:
        UstarReader(manifest_files()).feed(block)
    assert caught.value.code == code
    assert caught.value.message.isprintable()


def test_the_second_copy_is_named() -> None:
    with pytest.raises(SetupError, match="holds 'a' twice"):
        UstarReader(manifest_files()).feed(header(b"a") * 2)


def test_the_simulator_lists_what_it_packs() -> None:
    assert {file.sha256 for file in manifest_files()} == {sha256(data) for data, _ in FILES.values()}
