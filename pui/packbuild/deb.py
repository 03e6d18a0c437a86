"""Reads Debian packages without dpkg: no maintainer script, no root, the same bytes everywhere.

In: a `.deb` file. Out: `Tree` entries. Never: writing to disk. Source: deb(5), ar(5).
"""

from __future__ import annotations

import lzma
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import zstandard

from pui.domain.errors import PuiError
from pui.packbuild.tree import Entry, Kind, Tree, Wanted

_GLOBAL_HEADER = b"!<arch>\n"
_MEMBER_HEADER_BYTES = 60


def unpack_deb(path: Path, tree: Tree, wanted: Wanted) -> None:
    """Put every entry whose path `wanted` accepts into `tree`. Raises PuiError("pack.build") on a malformed package."""
    for name, entry in read_deb(path, wanted):
        tree.put(name, entry)


def read_deb(path: Path, wanted: Wanted) -> Iterator[tuple[str, Entry]]:
    """Entries of a package's data archive, in its order."""
    try:
        with path.open("rb") as file:
            compression = _seek_data_member(file)
            with _decompressed(file, compression) as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
                for info in archive:
                    name = info.name.removeprefix("./").strip("/")
                    if name and name != "." and wanted(name):
                        yield name, _entry_of(archive, info)
    except (tarfile.TarError, lzma.LZMAError, zstandard.ZstdError, ValueError, EOFError) as error:
        raise PuiError("pack.build", f"{path.name} is not a readable Debian package: {error}") from error


def _seek_data_member(file: IO[bytes]) -> str:
    """Leave `file` at the first byte of data.tar.*; returns the compression ("xz", "zst", "")."""
    if file.read(len(_GLOBAL_HEADER)) != _GLOBAL_HEADER:
        raise ValueError("no ar archive")
    while True:
        header = file.read(_MEMBER_HEADER_BYTES)
        if len(header) < _MEMBER_HEADER_BYTES or header[58:] != b"`\n":
            raise ValueError("no data.tar in the ar archive")
        name = header[:16].decode("ascii").strip().rstrip("/")
        size_bytes = int(header[48:58])
        if name.startswith("data.tar"):
            return name.removeprefix("data.tar").removeprefix(".")
        file.seek(size_bytes + size_bytes % 2, 1)


def _decompressed(file: IO[bytes], compression: str) -> IO[bytes]:
    """The data member is the last one of a package, so reading to the end of the file is reading the member."""
    if compression == "xz":
        return lzma.open(file)
    if compression == "zst":
        return zstandard.ZstdDecompressor().stream_reader(file, closefd=False)
    if compression == "":
        return file
    raise ValueError(f"compression {compression!r} is not known")


def _entry_of(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Entry:
    bare = Entry(Kind.FOLDER, info.mode & 0o7777, info.uid, info.gid)
    if info.isdir():
        return bare
    if info.issym():
        return Entry(Kind.SYMLINK, 0o777, target=info.linkname)
    if info.islnk():
        return replace(bare, kind=Kind.HARD_LINK, target=info.linkname.removeprefix("./").strip("/"))
    if info.isreg():
        source = archive.extractfile(info)
        assert source is not None  # noqa: S101 - tarfile returns a file for every regular member
        return replace(bare, kind=Kind.FILE, content=source.read())
    raise ValueError(f"{info.name} is neither file, folder nor link")
