"""Whatever reads a pack, from its envelope to its last block.

In: any bytes. Out: silence; an AssertionError or a foreign exception is a finding. Never: a file, a network.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import replace

import zstandard

from pui.adapters.packs.archive import read_archive
from pui.adapters.packs.parts import decode_segment
from pui.domain.errors import SetupError
from pui.domain.manifest import ManifestFile, Payload, parse_manifest, render_manifest
from pui.domain.pack_check import parse_stats
from pui.domain.pack_parts import Part, parse_parts, render_parts, segments_of
from pui.domain.pack_path import clash_fault, path_fault
from pui.domain.trust import parse_trusted_key, render_trusted_key, verify_envelope
from pui.domain.ustar import FileData, FileEnd, FileStart, UstarEvent, UstarReader, archive_limit_bytes
from pui.domain.zstd_frame import MAX_BLOCK_BYTES, ZstdFrameReader
from tests.fuzz.target import Target, in_pieces, split_first
from tests.support.pack_simulator import KEY, PackSim, SimKey, compress, header, honest_tar

SMALL = {"a/b": (b"x" * 600, 0o644), "c": (b"", 0o755)}
OTHER = SimKey(2)
BUILT = PackSim(files=SMALL, keys=[KEY, OTHER]).build()
MANIFEST = parse_manifest(BUILT.manifest)
TAR = honest_tar(SMALL)
FRAME_LIMIT_BYTES = 1 << 20


def manifest(data: bytes) -> None:
    try:
        found = parse_manifest(data)
    except SetupError:
        return
    assert parse_manifest(render_manifest(found)) == found
    assert sum(file.size_bytes for file in found.files) == found.total_size_bytes
    assert clash_fault([file.path for file in found.files]) is None
    assert not any(path_fault(file.path) for file in found.files)


def envelope(data: bytes) -> None:
    try:
        verified = verify_envelope(data, [KEY.trusted(), OTHER.trusted()], threshold=2)
    except SetupError:
        return
    assert verified.manifest_bytes == BUILT.manifest, "only what was signed may pass"
    assert set(verified.keyids) == {KEY.keyid, OTHER.keyid}


def trusted_key(data: bytes) -> None:
    try:
        key = parse_trusted_key(data)
    except SetupError:
        return
    assert parse_trusted_key(render_trusted_key(key)) == key
    assert hashlib.sha256(key.public_key).hexdigest() == key.keyid


def ustar(data: bytes) -> None:
    step, tar = split_first(data)
    whole, pieces = _files_of(tar, len(tar) or 1), _files_of(tar, step + 1)
    assert whole == pieces, "it matters how the archive is cut"
    if whole is not None:
        assert [(path, len(content)) for path, content in whole] == [(f.path, f.size_bytes) for f in MANIFEST.files]


def _files_of(tar: bytes, step: int) -> list[tuple[str, bytes]] | None:
    reader, taken = UstarReader(MANIFEST.files), _Taken()
    try:
        for piece in in_pieces(tar, step):
            for event in reader.feed(piece):
                taken.see(event)
        reader.finish()
    except SetupError:
        return None
    return taken.files


class _Taken:
    def __init__(self) -> None:
        self.files: list[tuple[str, bytes]] = []
        self._current: ManifestFile | None = None
        self._content = bytearray()

    def see(self, event: UstarEvent) -> None:
        match event:
            case FileStart(file):
                assert self._current is None
                self._current = file
            case FileData(part):
                assert self._current is not None
                self._content += part
                assert len(self._content) <= self._current.size_bytes, "more than the manifest says"
            case FileEnd(file):
                assert self._current == file
                self.files.append((file.path, bytes(self._content)))
                self._content.clear()
                self._current = None


def zstd_frame(data: bytes) -> None:
    step, frame = split_first(data)
    reader, pieces = ZstdFrameReader(FRAME_LIMIT_BYTES), []
    try:
        for part in in_pieces(frame, step + 1):
            pieces += reader.feed(part)
        reader.finish()
    except SetupError:
        return
    assert b"".join(pieces) == frame, "a frame that passes has no byte left over"
    engine = zstandard.ZstdDecompressor(max_window_size=2**27).decompressobj()
    with contextlib.suppress(zstandard.ZstdError):
        for piece in pieces:
            assert len(engine.decompress(piece)) <= MAX_BLOCK_BYTES, "one piece grows beyond a block"
        assert engine.eof, "a frame that passes is whole for the library as well"
        assert not engine.unused_data
        assert reader.content_bytes == zstandard.get_frame_parameters(frame).content_size


def archive(data: bytes) -> None:
    """The whole pass, over an archive that its publisher signed as it is: a release key that was stolen."""
    how, content = split_first(data)
    packed = compress(content) if how & 1 else content
    signed = Payload(MANIFEST.payload.name, len(packed), hashlib.sha256(packed).hexdigest())
    taken, size_bytes = _Taken(), 0
    try:
        pieces = in_pieces(packed, (how >> 1) + 1)
        for event in read_archive(pieces, replace(MANIFEST, payload=signed), lambda done, total: None):
            size_bytes += len(event.data) if isinstance(event, FileData) else 0
            assert size_bytes <= archive_limit_bytes(MANIFEST.files)
            taken.see(event)
    except SetupError:
        return
    assert dict(taken.files) == {path: content for path, (content, _) in SMALL.items()}


def stats(data: bytes) -> None:
    parse_stats(data)


def paths(data: bytes) -> None:
    text = data.decode("utf-8", "surrogatepass") if _is_text(data) else data.decode("latin-1")
    names = text.split("\n")
    for name in names:
        if path_fault(name) is None:
            assert name and not name.startswith("/") and not name.endswith("/")
            assert not {"", ".", ".."} & set(name.split("/"))
            assert not any(character in name for character in '\\:*?"<>|\0')
    assert (clash_fault(names) is None) == (clash_fault(names[::-1]) is None)


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _tars() -> list[bytes]:
    """Honest, and with the kinds of headers that a strict reader has to refuse."""
    odd = [
        header(b"a/b", 600, kind=kind, link=link, magic=magic)
        for kind, link, magic in (
            (b"x", b"", b"ustar\x0000"),
            (b"g", b"", b"ustar\x0000"),
            (b"S", b"", b"ustar  \0"),
            (b"L", b"", b"ustar  \0"),
            (b"0", b"/etc/passwd", b"ustar\x0000"),
            (b"2", b"c", b"ustar\x0000"),
            (b"\0", b"", bytes(8)),
        )
    ]
    base_256 = header(b"a/b", size_field=b"\x80" + (600).to_bytes(11, "big"))
    prefixed = header(b"b", 600, prefix=b"a")
    rest = TAR[512:]
    return [TAR, prefixed + rest, base_256 + rest, TAR[:2560], TAR + bytes(2048), *(block + rest for block in odd)]


def parts(data: bytes) -> None:
    with contextlib.suppress(SetupError):
        found = parse_parts(data)
        assert sorted(parse_parts(render_parts(found)), key=repr) == sorted(found, key=repr)
        assert all(len(part.frames) == len(segments_of(part.size_bytes)) for part in found)


def segment(data: bytes) -> None:
    how, frame = split_first(data)
    prefix = TAR if how % 2 else b""
    with contextlib.suppress(SetupError):
        found = decode_segment(frame, len(TAR), prefix)
        assert len(found) == len(TAR), "a segment has its length, whatever the frame says"


def _parts() -> list[bytes]:
    whole = Part("a" * 64, 9 << 20, "", 0, (5, 6), "b" * 64)
    return [render_parts([whole, Part("a" * 64, 9 << 20, "c" * 64, 7, (1, 2), "d" * 64)]), render_parts([])]


def _segments() -> list[bytes]:
    known = zstandard.ZstdCompressionDict(TAR, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    how = zstandard.ZstdCompressionParameters.from_level(3, write_checksum=True, write_content_size=True)
    patch = zstandard.ZstdCompressor(compression_params=how, dict_data=known).compress(TAR[::-1][:9] + TAR[9:])
    return [b"\1" + patch, *_frames()]


def _manifests() -> list[bytes]:
    table = json.loads(BUILT.manifest)
    table["files"][0]["path"] = "caf\u00e9/\u202ex"
    return [BUILT.manifest, PackSim().build().manifest, json.dumps(table).encode()]


def _frames() -> list[bytes]:
    made = [compress(TAR), compress(TAR, checksum=False), compress(TAR, content_size=False), compress(TAR, level=19)]
    made += [made[0] + made[0], made[0] + b"\x50\x2a\x4d\x18\x01\0\0\0x", compress(b""), compress(bytes(5000))]
    return [bytes([step]) + frame for step in (0, 200) for frame in made]


def _archives() -> list[bytes]:
    return [bytes([1 | 200]) + tar for tar in _tars()] + [bytes([200]) + frame[1:] for frame in _frames()[:8]]


TARGETS = (
    Target("manifest", manifest, _manifests, is_json=True),
    Target("envelope", envelope, lambda: [BUILT.envelope, PackSim(files=SMALL).build().envelope], is_json=True),
    Target("trusted-key", trusted_key, lambda: [render_trusted_key(KEY.trusted(revoked=True))], is_json=True),
    Target("ustar", ustar, lambda: [bytes([step]) + tar for step in (0, 99) for tar in _tars()]),
    Target("zstd-frame", zstd_frame, _frames),
    Target("archive", archive, _archives),
    Target("pack-parts", parts, _parts, is_json=True),
    Target("segment", segment, _segments),
    Target("pack-stats", stats, lambda: [b'{"files":{"a":[1,2,3,4,5,6]},"schema":"pui-pack-stat-1"}\n'], is_json=True),
    Target(
        "pack-path", paths, lambda: ["a/b\nA/B\ncon.txt\n\u00e9/x\ne\u0301/x\n.pui/x\na\\b".encode()], limit_bytes=512
    ),
)
