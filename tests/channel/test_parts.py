"""Updates by parts: what did not change is not fetched again, and no part can bring in anything but the signed bytes.

In: an installed pack, a channel whose parts are honest or not. Out: the new pack, sound; never more bytes than said.
Never: an update that fails because parts fail: the whole archive is always the other way.
"""

from __future__ import annotations

import errno
import hashlib
import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import zstandard

from pui.adapters.packs.source import FileSource, PackSource
from pui.domain.errors import PuiError
from pui.domain.pack_parts import Part, parse_parts, render_parts
from tests.packs.test_install_crash import failing_ops
from tests.support.channel_forger import Forger, signer_of
from tests.support.channel_rig import PATIENT, QUICK, ChannelRig, bytes_of, page, serve
from tests.support.pack_server import Answer, not_found
from tests.support.pack_simulator import FILES, PackSim, compress

BASE, VMLINUX = "guest/base.qcow2", "kernel/vmlinux"
LIBRARY = "qemu/lib/libc.so.6"
IMAGE, LIBC = random.Random(7).randbytes(300_000), random.Random(8).randbytes(200_000)
"""Bytes that do not compress, the same in every run."""

Files = Mapping[str, tuple[bytes, int]]


def files(**changes: bytes) -> Files:
    """The usual files with an image that does not compress; `image` and `kernel` replace."""
    image, kernel = changes.get("image", IMAGE), changes.get("kernel", FILES[VMLINUX][0])
    return dict(FILES) | {BASE: (image, 0o644), VMLINUX: (kernel, 0o644), LIBRARY: (LIBC, 0o755)}


CHANGED = IMAGE[:100_000] + b"a new file in the image" + IMAGE[100_000:]
OLD = PackSim(files=files(), version=2)
NEW = PackSim(files=files(image=CHANGED, kernel=b"another kernel" * 999), version=3)


@pytest.fixture
def parted(rig: ChannelRig) -> ChannelRig:
    """OLD is installed from the channel, NEW is offered."""
    rig.publish_packs(OLD)
    with rig.served() as (address, _):
        rig.update(address)
    rig.publish_packs(NEW)
    return rig


def fetched(seen: list[str]) -> list[str]:
    return [line.split()[0] for line in seen if line.startswith("/targets/") and not line.split()[0].endswith("json")]


def update(rig: ChannelRig, address: str) -> PackSource:
    """Check, download, install; the source."""
    updater = rig.updater(address)
    source = updater.download(updater.check())
    assert rig.shop.installer().install(source, updater.release_trust()).pack.manifest.pack_version == 3
    assert rig.shop.store.verify().manifest.pack_version == 3
    return source


def parts_of(rig: ChannelRig, version: int) -> tuple[Part, ...]:
    [path] = (rig.folder / "targets").glob(f"*-{version}.parts.json")
    return parse_parts(path.read_bytes())


def test_only_what_changed_is_fetched(parted: ChannelRig) -> None:
    with parted.served() as (address, seen):
        offer = parted.check(address)
        assert not fetched(seen), "a check fetches no pack"
        told: list[tuple[int, int]] = []
        updater = parted.updater(address)
        updater.download(offer, progress=lambda done, total: told.append((done, total)))
        names = fetched(seen)
        assert len(names) == 2, names
        assert all(name.startswith("/targets/parts/") for name in names)
        sizes = [(parted.folder / name.lstrip("/")).stat().st_size for name in names]
        assert offer.download_bytes == sum(sizes) < 3000, "the image comes as a difference"
        assert told[-1] == (offer.download_bytes, offer.download_bytes)
        update(parted, address)
        assert fetched(seen) == names, "what is there is not fetched again"
    assert not parted.told


def test_nothing_is_fetched_when_only_the_version_changed(parted: ChannelRig) -> None:
    with parted.served() as (address, seen):
        update(parted, address)
        parted.publish_packs(PackSim(files=NEW.files, version=4))
        before = len(fetched(seen))
        offer = parted.check(address)
        assert offer.download_bytes == 0
        updater = parted.updater(address)
        parted.shop.installer().install(updater.download(offer), updater.release_trust())
        assert len(fetched(seen)) == before
    assert parted.shop.store.verify().manifest.pack_version == 4


def test_long_files_come_in_segments(rig: ChannelRig) -> None:
    """More than two segments; bytes were inserted at the start, so each segment needs its neighbours of before."""
    long = random.Random(1).randbytes(20_000_001)
    rig.publish_packs(PackSim(files=files(image=long), version=2))
    with rig.served() as (address, _):
        rig.update(address)
    rig.publish_packs(PackSim(files=files(image=b"x" * 70_000 + long), version=3))
    with rig.served() as (address, _):
        assert rig.check(address).download_bytes < 20_000
        update(rig, address)
    assert [len(part.frames) for part in parts_of(rig, 3) if part.base] == [3]


def test_a_first_installation_takes_the_archive(rig: ChannelRig) -> None:
    rig.publish_packs(NEW)
    with rig.served() as (address, seen):
        assert rig.check(address).download_bytes == len(NEW.build().archive)
        assert isinstance(update(rig, address), FileSource)
        assert [name[-8:] for name in fetched(seen)] == [".tar.zst"]
        assert not [line for line in seen if "parts.json" in line]
    assert not rig.told


def test_who_skipped_versions_is_helped_too(rig: ChannelRig) -> None:
    """Two earlier versions have differences; from one before them the changed files come whole."""
    rig.publish_packs(OLD)
    with rig.served() as (address, _):
        rig.update(address)
        sizes = []
        for version in (3, 4, 5):
            rig.publish_packs(PackSim(files=files(image=CHANGED + bytes([version]) * 9), version=version))
            sizes.append(rig.check(address).download_bytes)
        assert max(sizes[:2]) < 3000
        assert 300_000 < sizes[2] < 302_000
        updater = rig.updater(address)
        rig.shop.installer().install(updater.download(updater.check()), updater.release_trust())
    assert rig.shop.store.verify().manifest.pack_version == 5


def test_parts_are_kept_between_publications(parted: ChannelRig) -> None:
    parts = parted.folder / "targets/parts"
    before = {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    parted.publish_packs(PackSim(files=NEW.files, version=4))
    after = {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    assert after.items() >= before.items()
    assert not list(parted.folder.glob(".unpacked*"))
    next(parts.iterdir()).unlink()
    parted.publish_packs(PackSim(files=NEW.files, version=5))
    assert {part.sha256 for part in parts_of(parted, 5)} <= {path.name[:64] for path in parts.iterdir()}


def test_a_publisher_that_died_leaves_nothing_behind(parted: ChannelRig) -> None:
    (parted.folder / ".unpacked").mkdir()
    (parted.folder / ".unpacked/junk").write_bytes(b"left")
    parted.publish_packs(PackSim(files=NEW.files, version=4))
    assert not list(parted.folder.glob(".unpacked*"))


def same_length(data: bytes) -> Answer:
    return bytes_of(bytes([data[0] ^ 1]) + data[1:])


ANSWERS: list[tuple[str, Callable[[bytes], Answer]]] = [
    ("missing", lambda data: not_found),
    ("server-error", lambda data: lambda talk: talk.reply(500, b"")),
    ("other-bytes", same_length),
    ("longer", lambda data: bytes_of(data + b"more")),
    ("endless", lambda data: lambda talk: (talk.head(200), talk.wfile.write(data + bytes(1 << 20)))[0]),  # type: ignore[func-returns-value]
    ("a-page", lambda data: page),
    ("elsewhere", lambda data: lambda talk: talk.head(302, Location="http://127.0.0.2:9/x", Content_Length="0")),
]


@pytest.mark.parametrize("answer", [pytest.param(case[1], id=case[0]) for case in ANSWERS])
def test_b4_a_part_that_is_no_good_and_the_whole_archive_in_its_place(
    parted: ChannelRig, answer: Callable[[bytes], Answer]
) -> None:
    for path in (parted.folder / "targets/parts").iterdir():
        parted.overrides[f"/targets/parts/{path.name}"] = answer(path.read_bytes())
    with parted.served() as (address, seen):
        assert isinstance(update(parted, address), FileSource)
        assert fetched(seen)[-1].endswith(".tar.zst")
    assert len(parted.told) == 1
    assert "fetching all of it" in parted.told[0]


@pytest.mark.parametrize(("answer", "code"), [(lambda talk: None, "fetch.network"), (None, "fetch.stalled")])
def test_b13_a_connection_that_breaks_is_no_fault_of_the_parts(
    parted: ChannelRig, answer: Answer | None, code: str
) -> None:
    wait: Answer = lambda talk: bool(talk.stopping.wait())  # type: ignore[assignment,return-value] # noqa: E731
    names = [f"/targets/parts/{path.name}" for path in (parted.folder / "targets/parts").iterdir()]
    parted.overrides.update(dict.fromkeys(names, answer or wait))
    with parted.served() as (address, seen):
        offer = parted.check(address)
        updater = parted.updater(address, QUICK if code == "fetch.stalled" else PATIENT)
        with pytest.raises(PuiError) as caught:
            updater.download(offer)
        assert caught.value.code == code
        assert not [name for name in fetched(seen) if name.endswith(".tar.zst")]
        parted.overrides.clear()
        update(parted, address)
    assert parted.shop.store.active().manifest.pack_version == 3


def test_b13_a_part_goes_on_where_it_was_cut(rig: ChannelRig) -> None:
    rig.publish_packs(OLD)
    with rig.served() as (address, _):
        rig.update(address)
    other = random.Random(2).randbytes(500_000)
    rig.publish_packs(PackSim(files=files(image=other), version=3))
    [part] = [part for part in parts_of(rig, 3) if part.size_bytes == len(other)]
    path = rig.folder / f"targets/parts/{part.sha256}.part"
    ranges: list[str | None] = []

    def cut(talk: object) -> None:
        ranges.append(talk.headers.get("range"))  # type: ignore[attr-defined]
        serve(talk, path.read_bytes(), cut_at=200_000)  # type: ignore[arg-type]

    rig.overrides[f"/targets/parts/{path.name}"] = cut
    with rig.served() as (address, _):
        update(rig, address)
    assert ranges == [None, "bytes=200000-", "bytes=400000-"]


def test_cancelled_and_taken_up_again(parted: ChannelRig) -> None:
    with parted.served() as (address, seen):
        updater = parted.updater(address)
        offer = updater.check()
        with pytest.raises(PuiError, match=r"fetch\.cancelled"):
            updater.download(offer, cancelled=lambda: len(fetched(seen)) > 1)
        assert len(fetched(seen)) == 2
        update(parted, address)
        assert len(fetched(seen)) == 3, "only the part that was not complete is asked for again"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("path", [BASE, "qemu/bin/qemu-system", "qemu/lib/ld.so"], ids=["base", "kept", "kept-small"])
def test_a_damaged_file_of_the_installed_pack_is_not_built_upon(parted: ChannelRig, path: str) -> None:
    flip(parted.shop.store.active().root / path)
    with parted.served() as (address, seen):
        update(parted, address)
        assert len(fetched(seen)) == (2 if path == BASE else 3)
        assert not [name for name in fetched(seen) if name.endswith(".tar.zst")]
    assert not parted.told, "the damaged file comes as a part of its own"


@pytest.mark.parametrize("damage", ["gone", "shorter", "link", "folder"])
def test_an_installed_file_of_another_kind_is_not_built_upon(parted: ChannelRig, damage: str) -> None:
    path = parted.shop.store.active().root / "qemu/bin/qemu-system"
    data = path.read_bytes()
    path.unlink()
    if damage == "shorter":
        path.write_bytes(data[:-1])
    elif damage == "link":
        copy = parted.base / "copy"
        copy.write_bytes(data)
        path.symlink_to(copy)
    elif damage == "folder":
        path.mkdir()
    with parted.served() as (address, _):
        update(parted, address)


def test_a_file_that_changes_after_the_download_stops_the_installation(parted: ChannelRig) -> None:
    with parted.served() as (address, _):
        updater = parted.updater(address)
        source = updater.download(updater.check())
        root = parted.shop.store.active().root
        flip(root / BASE)
        before = parted.shop.snapshot()
        with pytest.raises(PuiError, match=r"pack\.checksum.*base\.qcow2"):
            parted.shop.installer().install(source, updater.release_trust())
        assert parted.shop.snapshot() == before
        update(parted, address)


def test_without_a_trusted_envelope_nothing_of_a_pack_is_used(parted: ChannelRig) -> None:
    (parted.shop.store.active().root / ".pui/envelope.json").write_bytes(b"{}")
    with parted.served() as (address, _):
        assert parted.check(address).delta_bytes is None
        assert isinstance(update(parted, address), FileSource)


# signed by the release key, and still no good


def forged(rig: ChannelRig, change: Callable[[Part, bytes], tuple[Part, bytes]]) -> None:
    """The list of NEW with every part changed, under good signatures."""
    forger, parts = Forger(rig), []
    for part in parts_of(rig, 3):
        folder = rig.folder / "targets/parts"
        changed, data = change(part, (folder / f"{part.sha256}.part").read_bytes())
        digest = hashlib.sha256(data).hexdigest()
        (folder / f"{digest}.part").write_bytes(data)
        parts.append(Part(part.file, part.size_bytes, part.base, part.base_bytes, changed.frames, digest))
    forger.put("pui-runtime-linux-x86_64-3.parts.json", render_parts(parts))
    forger.save(signer_of(rig, "targets"))


def with_frame(part: Part, frame: bytes) -> tuple[Part, bytes]:
    return Part(part.file, part.size_bytes, part.base, part.base_bytes, (len(frame),), ""), frame


def bomb(part: Part) -> bytes:
    return compress(bytes(40 << 20))


def silent_bomb(part: Part) -> bytes:
    """It announces the right length and has blocks for far more."""
    zeros = zstandard.ZstdCompressor(level=3).compress(bytes(4 << 20))
    params = zstandard.ZstdCompressionParameters.from_level(3, write_checksum=True, write_content_size=True)
    honest = zstandard.ZstdCompressor(compression_params=params).compress(bytes(part.size_bytes))
    return honest[: len(honest) - 7] + zeros[9:]


FRAMES: list[tuple[str, Callable[[Part], bytes]]] = [
    ("bomb", bomb),
    ("silent-bomb", silent_bomb),
    ("other-content", lambda part: compress(bytes(part.size_bytes))),
    ("two-frames", lambda part: compress(bytes(part.size_bytes)) * 2),
    ("cut", lambda part: compress(bytes(part.size_bytes))[:-3]),
    ("no-checksum", lambda part: compress(bytes(part.size_bytes), checksum=False)),
    ("no-size", lambda part: compress(bytes(part.size_bytes), content_size=False)),
    ("no-zstd", lambda part: b"junk" * 9),
]


@pytest.mark.parametrize("make", [pytest.param(case[1], id=case[0]) for case in FRAMES])
def test_a20_a24_signed_nonsense_as_parts(parted: ChannelRig, make: Callable[[Part], bytes]) -> None:
    forged(parted, lambda part, data: with_frame(part, make(part)))
    with parted.served() as (address, seen):
        assert isinstance(update(parted, address), FileSource)
        assert fetched(seen)[-1].endswith(".tar.zst")
    assert "pack." in parted.told[0]


LISTS = {
    "another-length": b'{"margin":1,"parts":[],"schema":"pui-pack-parts-1","segment":2}',
    "another-schema": b'{"schema":"pui-pack-parts-2"}',
    "no-json": b"junk",
    "endless": b" " * (5 << 20),
}


@pytest.mark.parametrize("data", LISTS.values(), ids=LISTS)
def test_a_list_that_cannot_be_used_does_not_stop_an_update(parted: ChannelRig, data: bytes) -> None:
    forger = Forger(parted)
    forger.put("pui-runtime-linux-x86_64-3.parts.json", data)
    forger.save(signer_of(parted, "targets"))
    with parted.served() as (address, _):
        assert isinstance(update(parted, address), FileSource)
    assert "the list of the pack's parts is no good" in parted.told[0]


def test_a_channel_of_an_earlier_pui_has_no_parts(parted: ChannelRig) -> None:
    forger = Forger(parted)
    for name in [name for name in forger.targets.signed.targets if name.endswith(".parts.json")]:
        del forger.targets.signed.targets[name]
    forger.save(signer_of(parted, "targets"))
    with parted.served() as (address, _):
        assert isinstance(update(parted, address), FileSource)


def test_c7_a_download_of_parts_that_fails_at_every_step(parted: ChannelRig) -> None:
    refused, step = 0, 0
    with parted.served() as (address, _):
        while True:
            ops = failing_ops(OSError(errno.ENOSPC, "No space left"), step, lasting=False)
            updater = parted.updater(address)
            offer = updater.check()
            try:
                parted.updater(address, ops=ops).download(offer)
            except PuiError as error:
                refused += 1
                assert error.code == "host.disk_full", step
            assert parted.shop.store.active().manifest.pack_version == 2
            if len(ops.steps) <= step:
                break
            updater.forget_download(offer)
            step += 1
        update(parted, address)
    assert refused > 5
