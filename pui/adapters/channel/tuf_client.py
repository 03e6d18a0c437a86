"""The signed metadata of a channel, by python-tuf: fetched, verified, and every refusal named.

In: the trusted root, a cache folder, the channel's address. Out: a verified view of the index, or a PuiError.
Never: a pack (download.py), a floor (updater.py), an exception of python-tuf for whoever calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import httpx
from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.ngclient import Updater, UpdaterConfig

from pui.adapters.channel.fetcher import MetadataFetcher
from pui.adapters.packs.file_ops import mapped_os_errors, read_file
from pui.adapters.packs.web import Web
from pui.adapters.paths import own_dir
from pui.domain.channel import FLOORS_FIELD, ISSUED_FIELD, MAX_ROOT_BYTES, parse_security_floors, parse_time
from pui.domain.errors import DownloadError, PuiError, SetupError

MAX_ROOT_ROTATIONS = 64
_METADATA, _TARGETS = "metadata", "targets"
_MAX_TIMESTAMP_BYTES = 16_384
_MAX_TARGETS_BYTES = 5_000_000


class ChannelIndex:
    """One check of one channel. `metadata_dir` is a private cache; python-tuf mends or replaces what is damaged."""

    def __init__(self, base: httpx.URL, metadata_dir: Path, web: Web) -> None:
        self._base = base.copy_with(path=base.path.rstrip("/") + "/")
        self._dir = metadata_dir
        self._fetcher = MetadataFetcher(web)
        self._updater: Updater | None = None

    def refresh(self, root: bytes) -> None:
        """Fetches what is new and verifies all of it from `root` on (TUF 1.0, section 5).

        Raises DownloadError fetch.*, SetupError index.untrusted, .rollback, .expired, .mismatch, .malformed, HostError.
        """
        own_dir(self._dir.parent)
        own_dir(self._dir)
        config = UpdaterConfig(
            max_root_rotations=MAX_ROOT_ROTATIONS, root_max_length=MAX_ROOT_BYTES, app_user_agent="pui"
        )
        with self._mapped():
            address = str(self._base.join(f"{_METADATA}/"))
            self._updater = Updater(str(self._dir), address, fetcher=self._fetcher, config=config, bootstrap=root)
            self._updater.refresh()
        if self._verified_targets().delegations is not None:
            raise SetupError("index.malformed", "the channel delegates to other keys, which pui does not follow")

    def verified_root(self) -> bytes | None:
        """The newest root whose chain was verified, also when refresh() failed later. None before that."""
        if self._updater is None:
            return None
        with mapped_os_errors(f"reading {self._dir}"):
            return (self._dir / "root.json").resolve().read_bytes()

    def issued(self) -> datetime | None:
        """When the verified timestamp was signed. Raises SetupError index.malformed."""
        with self._mapped():
            signed = (
                Metadata[Timestamp].from_bytes(read_file(self._dir / "timestamp.json", _MAX_TIMESTAMP_BYTES)).signed
            )
        value = signed.unrecognized_fields.get(ISSUED_FIELD)
        return None if value is None else parse_time(value)

    def security_floors(self) -> Mapping[str, int]:
        """By platform, from the verified targets. Raises SetupError index.malformed."""
        return parse_security_floors(self._verified_targets().unrecognized_fields.get(FLOORS_FIELD))

    def _verified_targets(self) -> Targets:
        with self._mapped():
            return Metadata[Targets].from_bytes(read_file(self._dir / "targets.json", _MAX_TARGETS_BYTES)).signed

    @property
    def targets(self) -> httpx.URL:
        """The folder of the targets."""
        return self._base.join(f"{_TARGETS}/")

    def lists(self, path: str) -> bool:
        """Raises as refresh() does."""
        return self._looked_up(path) is not None

    def target(self, path: str) -> tuple[httpx.URL, int, str]:
        """Address, size in bytes and SHA-256 of a target. Raises SetupError index.mismatch when it is not listed."""
        found = self._find(path)
        digest = found.hashes.get("sha256")
        if digest is None:
            raise SetupError("index.malformed", f"the index has no SHA-256 of {path}")
        folder, _, name = path.rpartition("/")
        hashed = f"{folder}/{digest}.{name}" if folder else f"{digest}.{name}"
        return self._base.join(f"{_TARGETS}/{hashed}"), found.length, digest

    def read(self, path: str, limit_bytes: int) -> bytes:
        """A small target, with the length and hash that the index says. Raises as refresh() does."""
        url, size_bytes, _ = self.target(path)
        if size_bytes > limit_bytes:
            raise SetupError("index.malformed", f"the index lists {path} with {size_bytes} bytes, too many")
        with self._mapped():
            data = self._fetcher.download_bytes(str(url), size_bytes)
            self._find(path).verify_length_and_hashes(data)
        return data

    def _find(self, path: str) -> TargetFile:
        found = self._looked_up(path)
        if found is None:
            raise SetupError("index.mismatch", f"the index does not list {path}")
        return found

    def _looked_up(self, path: str) -> TargetFile | None:
        if self._updater is None:
            raise AssertionError("refresh() comes first")
        with self._mapped():
            return self._updater.get_targetinfo(path)

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        with mapped_index_errors(lambda: self._fetcher.asked), mapped_os_errors(f"keeping the index in {self._dir}"):
            yield


@contextmanager
def mapped_index_errors(asked: Callable[[], str]) -> Iterator[None]:
    """Every exception of python-tuf becomes a PuiError; `asked` tells which document was being read."""
    try:
        yield
    except PuiError:
        raise
    except exceptions.DownloadHTTPError as error:
        raise DownloadError(
            "fetch.http", f"the channel has no {asked()}: {error}", hint="Is it the address of a channel?"
        ) from error
    except exceptions.DownloadError as error:
        raise DownloadError("fetch.network", f"{asked()}: {error}") from error
    except exceptions.RepositoryError as error:
        raise _refusal(error, asked()) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # Signed documents of wrong shapes: python-tuf checks most of them, these are the rest.
        raise SetupError("index.malformed", f"{asked()} is refused: {error!r}") from error


def _refusal(error: exceptions.RepositoryError, asked: str) -> PuiError:
    if isinstance(error, exceptions.ExpiredMetadataError):
        return SetupError("index.expired", f"{error}: nobody signed a fresh index, or an old one is replayed")
    if isinstance(error, exceptions.UnsignedMetadataError):
        return SetupError("index.untrusted", f"{asked} is not signed by enough trusted keys")
    if isinstance(error, exceptions.LengthOrHashMismatchError):
        return SetupError("index.mismatch", f"{asked} is not the one that the index names: {error}")
    if isinstance(error, exceptions.BadVersionNumberError):
        return SetupError(_version_code(asked), f"{asked}: {error}")
    if isinstance(error, DeserializationError) and isinstance(
        error.__cause__, (json.JSONDecodeError, UnicodeDecodeError)
    ):
        return DownloadError("fetch.not_an_index", f"{asked} is not a TUF document")
    return SetupError("index.malformed", f"{asked}: {error}")


def _version_code(asked: str) -> str:
    """Versions of timestamp and snapshot go back in a replay; the others are fixed by who names them."""
    if asked.endswith("root.json"):
        return "index.untrusted"
    return "index.mismatch" if asked.endswith("targets.json") else "index.rollback"


def advance_root(trusted: bytes, chain: Iterable[bytes]) -> bytes:
    """The last root of `chain`, each signed by the one before and by itself, without a gap (TUF 1.0, section 5.3).

    Roots up to the trusted version are passed over. Raises SetupError index.untrusted, .malformed.
    """
    with mapped_index_errors(lambda: "a root of the chain"):
        newest, current = trusted, _root_of(trusted).signed
        for data in chain:
            following = _root_of(data)
            if following.signed.version <= current.version:
                continue
            if following.signed.version != current.version + 1:
                raise SetupError("index.untrusted", f"the chain of roots has a gap after version {current.version}")
            for signer in (current, following.signed):
                signer.verify_delegate("root", following.signed_bytes, following.signatures)
            newest, current = data, following.signed
    return newest


def check_root(data: bytes) -> None:
    """`data` is a root that its own keys signed. Raises SetupError index.untrusted, .malformed, DownloadError."""
    with mapped_index_errors(lambda: "the root"):
        root = _root_of(data)
        root.signed.verify_delegate("root", root.signed_bytes, root.signatures)


def _root_of(data: bytes) -> Metadata[Root]:
    root = Metadata[Root].from_bytes(data)
    if not isinstance(root.signed, Root):  # from_bytes reads any role
        raise SetupError("index.malformed", "a document that should be a root is not one")
    return root
