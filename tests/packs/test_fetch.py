"""Install from an address: a loopback server that serves well, and one that cheats in every way.

In: answers of the server. Out: an installed pack, or the named error with nothing changed. Never: the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pui.adapters.packs.fetch import FetchLimits, UrlSource
from pui.adapters.packs.install import InstallResult
from pui.adapters.packs.keys import load_trust
from pui.domain.errors import PuiError
from tests.support.pack_server import Answer, Talk, pack_server
from tests.support.pack_shop import PackShop
from tests.support.pack_simulator import BuiltSim, PackSim

BUILT = PackSim(version=2).build()
ARCHIVE, ENVELOPE = f"/p/{BUILT.name}.tar.zst", f"/p/{BUILT.name}.envelope.json"
QUICK = FetchLimits(connect_timeout_s=5, idle_timeout_s=0.3, floor_bytes_per_s=1000, window_s=0.3)


def good(built: BuiltSim = BUILT) -> dict[str, Answer]:
    return {
        ARCHIVE: lambda talk: talk.reply(200, built.archive),
        ENVELOPE: lambda talk: talk.reply(200, built.envelope),
    }


def install(shop: PackShop, address: str, *, limits: FetchLimits = QUICK) -> InstallResult:
    return shop.installer().install(UrlSource(address, limits=limits), load_trust(shop.paths.trust_dir))


@pytest.mark.parametrize("path", [ARCHIVE, ENVELOPE, ARCHIVE + "#part"])
def test_either_file_names_the_pack(shop: PackShop, path: str) -> None:
    with pack_server(good()) as (address, seen):
        result = install(shop, address + path)

    assert shop.store.active() == result.pack
    assert seen == [f"{ENVELOPE} identity", f"{ARCHIVE} identity"]


def test_without_a_length_and_by_a_redirect_at_the_same_origin(shop: PackShop) -> None:
    def chunked(talk: Talk) -> None:
        talk.head(200, Transfer_Encoding="chunked")
        for start in range(0, len(BUILT.archive), 500):
            piece = BUILT.archive[start : start + 500]
            talk.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        talk.wfile.write(b"0\r\n\r\n")

    answers = good() | {"/real": chunked, ARCHIVE: lambda talk: talk.head(302, Location="/real", Content_Length="0")}
    with pack_server(answers) as (address, _):
        assert install(shop, address + ARCHIVE).pack.manifest.pack_version == 2


def drip(talk: Talk, data: bytes = b"x") -> None:
    while not talk.stopping.wait(0.05):
        talk.wfile.write(data)


def cut(talk: Talk) -> None:
    talk.head(200, Content_Length=str(len(BUILT.archive)))
    talk.wfile.write(BUILT.archive[:-20])


def cut_without_length(talk: Talk) -> None:
    talk.head(200, Connection="close")
    talk.wfile.write(BUILT.archive[:-20])


def endless(talk: Talk) -> None:
    talk.head(200, Connection="close")
    talk.wfile.write(BUILT.archive)
    while not talk.stopping.is_set():
        talk.wfile.write(bytes(65536))


def endless_envelope(talk: Talk) -> None:
    talk.head(200, Connection="close")
    while not talk.stopping.is_set():
        talk.wfile.write(b" " * 65536)


def stall(talk: Talk) -> None:
    talk.head(200, Content_Length=str(len(BUILT.archive)))
    talk.wfile.write(BUILT.archive[:100])
    talk.stopping.wait()


def stall_before_head(talk: Talk) -> None:
    talk.stopping.wait()


def drip_body(talk: Talk) -> None:
    talk.head(200, Content_Length=str(len(BUILT.archive)))
    drip(talk)


def drip_head(talk: Talk) -> None:
    talk.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    drip(talk)


def drip_chunk_extension(talk: Talk) -> None:
    talk.head(200, Transfer_Encoding="chunked")
    talk.wfile.write(b"1;")
    drip(talk)


def other_origin(talk: Talk) -> None:
    talk.head(302, Location="http://127.0.0.2:9/x.tar.zst", Content_Length="0")


def loop(talk: Talk) -> None:
    talk.head(301, Location=talk.path, Content_Length="0")


def babble(talk: Talk) -> None:
    talk.wfile.write(b"\x00\xff not http at all\r\n\r\n")


def gzip_bomb(talk: Talk) -> None:
    talk.reply(200, BUILT.archive, Content_Encoding="gzip")


CASES: list[tuple[str, Mapping[str, Answer], str]] = [
    ("truncated", {ARCHIVE: cut}, "fetch.network"),
    ("truncated-without-length", {ARCHIVE: cut_without_length}, "fetch.network"),
    ("endless", {ARCHIVE: endless}, "fetch.too_long"),
    ("endless-envelope", {ENVELOPE: endless_envelope}, "fetch.too_long"),
    ("stall", {ARCHIVE: stall}, "fetch.stalled"),
    ("stall-before-head", {ENVELOPE: stall_before_head}, "fetch.stalled"),
    ("drip", {ARCHIVE: drip_body}, "fetch.stalled"),
    ("drip-in-head", {ENVELOPE: drip_head}, "fetch.stalled"),
    ("drip-between-chunks", {ARCHIVE: drip_chunk_extension}, "fetch.stalled"),
    ("other-origin", {ARCHIVE: other_origin}, "fetch.redirect"),
    ("other-origin-envelope", {ENVELOPE: other_origin}, "fetch.redirect"),
    ("redirect-loop", {ARCHIVE: loop}, "fetch.redirect"),
    ("not-found", {ARCHIVE: lambda talk: talk.reply(404, b"")}, "fetch.http"),
    ("server-error", {ENVELOPE: lambda talk: talk.reply(500, b"")}, "fetch.http"),
    ("partial", {ARCHIVE: lambda talk: talk.reply(206, BUILT.archive)}, "fetch.http"),
    ("content-encoding", {ARCHIVE: gzip_bomb}, "fetch.http"),
    ("babble", {ENVELOPE: babble}, "fetch.network"),
    ("longer", {ARCHIVE: lambda talk: talk.reply(200, BUILT.archive + b"x")}, "pack.checksum"),
    ("shorter", {ARCHIVE: lambda talk: talk.reply(200, BUILT.archive[:-1])}, "pack.checksum"),
    ("other-bytes", {ARCHIVE: lambda talk: talk.reply(200, bytes(len(BUILT.archive)))}, "pack.malformed"),
    ("captive-portal", {ENVELOPE: lambda talk: talk.reply(200, b"<html>log in</html>")}, "pack.malformed"),
]


@pytest.mark.parametrize(("bad", "code"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_a_cheating_server(shop: PackShop, bad: Mapping[str, Answer], code: str) -> None:
    old = shop.install(PackSim(version=1)).pack
    before = shop.snapshot()

    with pack_server(good() | dict(bad)) as (address, _), pytest.raises(PuiError) as caught:
        install(shop, address + ARCHIVE)

    assert caught.value.code == code, caught.value
    assert caught.value.message.isprintable()
    assert shop.snapshot() == before
    assert shop.store.active() == old


def test_nobody_listens(shop: PackShop) -> None:
    with pack_server({}) as (address, _):
        pass
    with pytest.raises(PuiError, match=r"fetch\.network"):
        install(shop, address + ARCHIVE)


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/x.tar.zst",
        "http://127.0.0.1.example.org/x.tar.zst",
        "http://10.0.0.1/x.tar.zst",
        "ftp://example.org/x.tar.zst",
        "file:///x.tar.zst",
        "https:///x.tar.zst",
        "https://user:secret@example.org/x.tar.zst",
        "https://example.org/x.zip",
        "https://example.org/",
        "https://exa mple.org/x.tar.zst",
        "https://example.org:99999999/x.tar.zst",
    ],
)
def test_addresses_that_are_not_fetched_from(address: str) -> None:
    with pytest.raises(PuiError, match=r"caller\.bad_request") as caught:
        UrlSource(address)
    assert "secret" not in str(caught.value)


def test_the_environments_proxies_are_ignored(shop: PackShop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    with pack_server(good()) as (address, _):
        assert install(shop, address + ARCHIVE).pack.manifest.pack_version == 2
        with pytest.raises(PuiError, match=r"fetch\.network"):
            UrlSource(address + ARCHIVE, limits=QUICK, trust_environment=True).read_envelope()


def test_a_slow_but_honest_server_is_waited_for(shop: PackShop) -> None:
    def slow(talk: Talk) -> None:
        talk.head(200, Content_Length=str(len(BUILT.archive)))
        for start in range(0, len(BUILT.archive), 200):
            talk.wfile.write(BUILT.archive[start : start + 200])
            talk.stopping.wait(0.01)

    with pack_server(good() | {ARCHIVE: slow}) as (address, _):
        limits = replace(QUICK, idle_timeout_s=5.0, floor_bytes_per_s=10)
        assert install(shop, address + ARCHIVE, limits=limits).pack.manifest.pack_version == 2
