"""A strict reader of the one kind of tar archive a runtime pack may be.

In: the manifest's files and chunks of uncompressed bytes. Out: file starts, data and ends, in the manifest's order.
Never: I/O, a path of its own making. The manifest decides which files may exist; the archive can only agree or be
refused, so links, devices, sparse files and PAX or GNU overrides have no handler at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pui.domain.errors import SetupError
from pui.domain.manifest import ManifestFile
from pui.domain.pack_path import path_fault

BLOCK_BYTES = 512
RECORD_BYTES = 10_240
"""tar pads an archive to whole records of 20 blocks (POSIX.1-2017, pax, "ustar Interchange Format")."""

_ZERO_BLOCK = bytes(BLOCK_BYTES)
_MAGIC = b"ustar\x0000"
_OTHER_TYPES: Mapping[bytes, str] = {
    b"\0": "a pre-POSIX entry",
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": "a folder entry",
    b"6": "a fifo",
    b"7": "a contiguous file",
    b"D": "a GNU folder dump",
    b"K": "a GNU long link name",
    b"L": "a GNU long file name",
    b"M": "a GNU continuation",
    b"S": "a GNU sparse file",
    b"V": "a GNU volume label",
    b"X": "a Solaris extended header",
    b"g": "a PAX global header",
    b"x": "a PAX header",
}


@dataclass(frozen=True)
class FileStart:
    """The next file of the manifest begins."""

    file: ManifestFile


@dataclass(frozen=True)
class FileData:
    """Some bytes of the current file; never empty. A view into the chunk that was fed, valid as long as it is."""

    data: memoryview


@dataclass(frozen=True)
class FileEnd:
    """The current file is complete: exactly its size_bytes were given."""

    file: ManifestFile


UstarEvent = FileStart | FileData | FileEnd


def archive_limit_bytes(files: Sequence[ManifestFile]) -> int:
    """The most bytes an archive of `files` may have, padding and end blocks included."""
    return sum(BLOCK_BYTES + _padded(file.size_bytes) for file in files) + 2 * BLOCK_BYTES + RECORD_BYTES


class UstarReader:
    """Feed it the archive in chunks of any size. After an error it must not be used again."""

    def __init__(self, files: Sequence[ManifestFile]) -> None:
        self._files = files
        self._done = 0  # files whose FileEnd was given
        self._block = bytearray()  # a header or end block that is not complete yet
        self._data_left = 0
        self._padding_left = 0
        self._in_file = False
        self._zero_bytes = 0  # seen after the last file
        self._limit = 2 * BLOCK_BYTES + RECORD_BYTES

    def feed(self, chunk: bytes) -> list[UstarEvent]:
        """What `chunk` brings. Raises SetupError: pack.bad_type, .bad_path, .checksum, .malformed, .too_large."""
        events: list[UstarEvent] = []
        rest = memoryview(chunk)
        while rest:
            if self._in_file:
                rest = self._take_data(rest, events)
            elif self._padding_left:
                rest = self._take_padding(rest)
            elif self._zero_bytes:
                rest = self._take_end(rest)
            else:
                rest = self._take_header(rest, events)
        return events

    def finish(self) -> None:
        """The archive is at its end. Raises SetupError pack.checksum when files or end blocks are missing."""
        if self._done < len(self._files):
            raise _checksum(f"the archive ends before {self._files[self._done].path!r} is complete")
        if self._zero_bytes < 2 * BLOCK_BYTES:
            raise _checksum("the archive lacks its two end blocks")

    def _take_data(self, rest: memoryview, events: list[UstarEvent]) -> memoryview:
        part = rest[: self._data_left]
        if part:
            events.append(FileData(part))
        self._data_left -= len(part)
        if self._data_left == 0:
            self._end_file(events)
        return rest[len(part) :]

    def _end_file(self, events: list[UstarEvent]) -> None:
        file = self._files[self._done]
        events.append(FileEnd(file))
        self._done += 1
        self._in_file = False
        self._padding_left = _padded(file.size_bytes) - file.size_bytes

    def _take_padding(self, rest: memoryview) -> memoryview:
        part = rest[: self._padding_left]
        if any(part):
            raise _malformed(f"bytes are hidden in the padding after {self._files[self._done - 1].path!r}")
        self._padding_left -= len(part)
        return rest[len(part) :]

    def _take_end(self, rest: memoryview) -> memoryview:
        if any(rest):
            raise _checksum("the archive goes on after its end blocks")
        self._zero_bytes += len(rest)
        if self._zero_bytes > self._limit:
            raise SetupError("pack.too_large", "the archive has too much padding at its end")
        return rest[len(rest) :]

    def _take_header(self, rest: memoryview, events: list[UstarEvent]) -> memoryview:
        part = rest[: BLOCK_BYTES - len(self._block)]
        self._block += part
        if len(self._block) == BLOCK_BYTES:
            block = bytes(self._block)
            self._block.clear()
            if block == _ZERO_BLOCK:
                self._begin_end()
            else:
                self._begin_file(block, events)
        return rest[len(part) :]

    def _begin_end(self) -> None:
        if self._done < len(self._files):
            raise _checksum(f"the archive lacks {self._files[self._done].path!r}")
        self._zero_bytes = BLOCK_BYTES

    def _begin_file(self, block: bytes, events: list[UstarEvent]) -> None:
        file = self._check_header(block)
        events.append(FileStart(file))
        self._in_file = True
        self._data_left = file.size_bytes
        if file.size_bytes == 0:
            self._end_file(events)

    def _check_header(self, block: bytes) -> ManifestFile:
        """The manifest's next file, if `block` is its header and nothing else."""
        _check_sum(block)
        kind, shown = block[156:157], _shown_name(block)
        if kind != b"0":
            what = _OTHER_TYPES.get(kind, f"an entry of unknown type {kind!r}")
            raise SetupError("pack.bad_type", f"the archive holds {what} at {shown}")
        if block[257:265] != _MAGIC:
            raise _malformed(f"the header of {shown} is not ustar (POSIX)")
        file = self._expect(_name(block))
        _check_fields(block, file)
        return file

    def _expect(self, name: str) -> ManifestFile:
        position = self._done
        if position < len(self._files) and self._files[position].path == name:
            return self._files[position]
        fault = path_fault(name)
        if fault is not None:
            raise SetupError("pack.bad_path", f"the archive names {ascii(name)}, which {fault}")
        listed = next((index for index, file in enumerate(self._files) if file.path == name), None)
        if listed is None:
            raise _checksum(f"the archive holds {name!r}, which the manifest does not list")
        if listed < position:
            raise _checksum(f"the archive holds {name!r} twice")
        raise _checksum(f"the archive lacks {self._files[position].path!r} before {name!r}")


def _padded(size_bytes: int) -> int:
    return -(-size_bytes // BLOCK_BYTES) * BLOCK_BYTES


def _checksum(message: str) -> SetupError:
    return SetupError("pack.checksum", message)


def _malformed(message: str) -> SetupError:
    return SetupError("pack.malformed", message)


def _check_sum(block: bytes) -> None:
    """POSIX: the sum of all header bytes, the sum's own field taken as spaces."""
    stored = _octal(block, 148, 8, "checksum")
    found = sum(block) - sum(block[148:156]) + 8 * 0x20
    if stored != found:
        raise _checksum(f"the header of {_shown_name(block)} has a wrong checksum")


def _octal(block: bytes, start: int, length: int, what: str) -> int:
    """An octal number with its end mark; base-256 (high bit set) and signs have no meaning here."""
    digits = block[start : start + length].rstrip(b"\0 ")
    if not digits or len(digits) == length or digits.strip(b"01234567"):
        raise _malformed(f"the header of {_shown_name(block)} has a {what} that is not an octal number")
    return int(digits, 8)


def _check_fields(block: bytes, file: ManifestFile) -> None:
    if block[157:257].strip(b"\0"):
        raise SetupError("pack.bad_type", f"the header of {file.path!r} names a link target")
    size = _octal(block, 124, 12, "size")
    if size != file.size_bytes:
        raise _checksum(f"the archive says {size} bytes for {file.path!r}, the manifest {file.size_bytes}")
    mode = _octal(block, 100, 8, "mode")
    if mode != file.mode:
        raise _checksum(f"the archive says mode {mode:04o} for {file.path!r}, the manifest {file.mode:04o}")
    for start, what in ((108, "user id"), (116, "group id"), (136, "time")):
        _octal(block, start, 12 if start == 136 else 8, what)


def _name(block: bytes) -> str:
    prefix, name = _text(block, 345, 155), _text(block, 0, 100)
    return f"{prefix}/{name}" if prefix else name


def _text(block: bytes, start: int, length: int) -> str:
    raw, _, rest = block[start : start + length].partition(b"\0")
    try:
        text = raw.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise SetupError("pack.bad_path", f"the archive names {_shown_name(block)}, which is not UTF-8") from error
    if rest.strip(b"\0"):
        raise SetupError("pack.bad_path", f"the name {_shown_name(block)} hides bytes behind a NUL")
    return text


def _shown_name(block: bytes) -> str:
    return ascii(block[:100].split(b"\0", 1)[0].decode("latin-1"))
