"""A published channel, a loopback server that serves it or misbehaves, and a computer that trusts its root.

In: a temporary folder. Out: what a test of channels needs. Never: a fake signature, the network.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pui.adapters.channel.download import Downloader
from pui.adapters.channel.publish import Lifetimes, Published, Publisher
from pui.adapters.channel.signing_keys import ALL_NAMES, ROLE_NAMES, SigningKeys, make_keys
from pui.adapters.channel.trust_root import install_root
from pui.adapters.channel.updater import ChannelUpdater, Offer
from pui.adapters.packs.file_ops import FileOps
from pui.adapters.packs.install import InstallResult
from pui.adapters.packs.keys import TrustFolder
from pui.adapters.packs.web import FetchLimits, Web
from pui.domain.channel_root import fingerprint
from tests.support.pack_server import Answer, Talk, pack_server
from tests.support.pack_shop import PackShop
from tests.support.pack_simulator import APP, KEY, PackSim

QUICK = FetchLimits(connect_timeout_s=5, idle_timeout_s=0.3, floor_bytes_per_s=1000, window_s=0.3)
PATIENT = FetchLimits(connect_timeout_s=10, idle_timeout_s=10, floor_bytes_per_s=1, window_s=10)


class ChannelRig:
    """`shop` is the computer that updates; its folders are private to the test."""

    def __init__(self, base: Path, *, computer: str = "computer") -> None:
        self.base = base
        self.folder = base / "www"
        self.keys = SigningKeys(base / "keys")
        self.shop = PackShop(base / computer)
        self.overrides: dict[str, Answer] = {}
        self.told: list[str] = []
        self.now = datetime.now(UTC)
        if not (base / "keys").exists():
            make_keys(base / "keys", ALL_NAMES, None)

    def publish(
        self, *versions: int, rotate_to: SigningKeys | None = None, days: int | None = None, ops: FileOps | None = None
    ) -> Published:
        """Packs of these versions; `days` makes everything expire so many days from now."""
        sims = [PackSim(version=version) for version in versions]
        return self.publish_packs(*sims, rotate_to=rotate_to, days=days, ops=ops)

    def publish_packs(
        self,
        *sims: PackSim,
        rotate_to: SigningKeys | None = None,
        days: int | None = None,
        ops: FileOps | None = None,
        floors: Mapping[str, int] | None = None,
    ) -> Published:
        """The same, of other packs than the usual ones."""
        packs = [sim.build().write(self.base / "built") for sim in sims]
        lifetimes = Lifetimes() if days is None else Lifetimes(dict.fromkeys(ROLE_NAMES, days))
        publisher = Publisher(self.folder, self.keys, self.release, lifetimes=lifetimes, ops=ops)
        return publisher.publish(packs, rotate_to=rotate_to, security_floors=floors)

    @property
    def release(self) -> TrustFolder:
        """What the operator of the channel trusts: the development key of the packs."""
        return TrustFolder((KEY.trusted(),), ())

    def trust(self, version: int = 1) -> None:
        root = self.metadata(f"{version}.root.json").read_bytes()
        install_root(self.shop.paths, root, fingerprint(root), replace=True)

    def metadata(self, name: str) -> Path:
        return self.folder / "metadata" / name

    def archive(self, version: int) -> tuple[str, bytes]:
        """Path at the server and bytes of a pack's archive."""
        data = PackSim(version=version).build().archive
        name = f"{hashlib.sha256(data).hexdigest()}.pui-runtime-linux-x86_64-{version}.tar.zst"
        return f"/targets/{name}", data

    @contextmanager
    def served(self) -> Iterator[tuple[str, list[str]]]:
        with pack_server(StaticFolder(lambda: self.folder, self.overrides)) as found:
            yield found

    def updater(self, address: str, limits: FetchLimits = PATIENT, ops: FileOps | None = None) -> ChannelUpdater:
        web = Web(limits)
        downloader = Downloader(web, ops=ops, pause=lambda seconds: None)
        return ChannelUpdater(
            self.shop.paths,
            APP,
            address,
            web=web,
            downloader=downloader,
            clock=lambda: self.now,
            ops=ops,
            tell=self.told.append,
        )

    def check(self, address: str, limits: FetchLimits = PATIENT) -> Offer:
        return self.updater(address, limits).check()

    def update(self, address: str, limits: FetchLimits = PATIENT) -> InstallResult:
        """Check, download, install, as `pui pack update` does."""
        updater = self.updater(address, limits)
        offer = updater.check()
        source = updater.download(offer)
        return self.shop.installer().install(source, updater.release_trust())

    def forget_cache(self) -> None:
        shutil.rmtree(self.shop.paths.channel_cache)

    def new_keys(self, name: str, *roles: str) -> SigningKeys:
        names = [key for role in roles or ROLE_NAMES for key in ROLE_NAMES[role]]
        make_keys(self.base / name, names, None)
        return SigningKeys(self.base / name)

    def snapshot_of_www(self, name: str) -> Path:
        """A copy of the served folder as it is now, to be replayed later."""
        return Path(shutil.copytree(self.folder, self.base / name))


class StaticFolder(dict[str, Answer]):
    """Files of a folder with strong ETags and ranges, as common web servers serve them; `overrides` go first."""

    def __init__(self, folder: Callable[[], Path], overrides: Mapping[str, Answer]) -> None:
        super().__init__()
        self._folder = folder
        self._overrides = overrides

    def get(self, path: str, default: Answer | None = None) -> Answer:  # type: ignore[override]
        if path in self._overrides:
            return self._overrides[path]
        file = self._folder() / path.lstrip("/")
        if file.is_file():
            return lambda talk: serve(talk, file.read_bytes())
        assert default is not None
        return default


def etag_of(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:20]}"'


def serve(talk: Talk, data: bytes, *, etag: str | None = None, cut_at: int | None = None) -> None:
    """`data` with Range and If-Range (RFC 9110); the connection ends after `cut_at` bytes of this answer."""
    tag = etag_of(data) if etag is None else etag
    asked, condition = talk.headers.get("range"), talk.headers.get("if-range")
    if asked is None or condition != tag:
        talk.head(200, Content_Length=str(len(data)), ETag=tag)
        talk.wfile.write(data[:cut_at])
        return
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    rest = data[start:]
    content_range = f"bytes {start}-{len(data) - 1}/{len(data)}"
    talk.head(206, Content_Length=str(len(rest)), ETag=tag, Content_Range=content_range)
    talk.wfile.write(rest[:cut_at])


def page(talk: Talk) -> None:
    """The log-in page of a network."""
    talk.reply(200, b"<html>log in</html>", Content_Type="text/html; charset=utf-8")


def bytes_of(data: bytes) -> Answer:
    return lambda talk: talk.reply(200, data)
