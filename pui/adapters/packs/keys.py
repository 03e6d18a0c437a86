"""The trust folder: which public keys this person trusts.

In: the folder's path, the private development key's path. Out: trusted keys, and which files could not be read.
Never: a private key that leaves this module, a folder that others can write.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pui.adapters.packs.file_ops import (
    FileOps,
    mapped_os_errors,
    opened_folder,
    read_file,
    remove_tree,
    write_new_file,
)
from pui.adapters.paths import ROOT_HISTORY, TRUST_ROOT, own_dir
from pui.domain.channel import MAX_ROOT_BYTES, release_keys
from pui.domain.channel_root import ChannelTrust, describe_root
from pui.domain.errors import HostError, PuiError, SetupError
from pui.domain.pack_check import WRITABLE_BY_OTHERS
from pui.domain.trust import (
    MAX_KEY_FILE_BYTES,
    KeyGroup,
    TrustedKey,
    VerifiedManifest,
    key_id,
    parse_trusted_key,
    render_trusted_key,
    verify_by_groups,
)

MAX_KEYS = 64
MAX_ROOTS = 32
_DRAFT = ".draft"


@dataclass(frozen=True)
class TrustFolder:
    """`keys` are trusted one by one. `release` is what the channel's root names (domain/channel.py), `retired` what its
    earlier versions named. `faults` are sentences about files that are no keys; they trust nobody and are shown."""

    keys: tuple[TrustedKey, ...]
    faults: tuple[str, ...]
    release: KeyGroup | None = None
    retired: tuple[KeyGroup, ...] = ()

    def verify(self, envelope: bytes) -> VerifiedManifest:
        """The manifest of a pack that may be installed. Raises SetupError pack.untrusted, .malformed, .bad_path."""
        return verify_by_groups(envelope, [KeyGroup(self.keys), *([self.release] if self.release else [])])

    def verify_installed(self, envelope: bytes) -> VerifiedManifest:
        """The same for a pack that was installed earlier: a root that changed its keys must not stop what runs."""
        current = [self.release] if self.release else []
        return verify_by_groups(envelope, [KeyGroup(self.keys), *current, *self.retired])


def load_trust(trust_dir: Path) -> TrustFolder:
    """All keys of the folder; an absent folder trusts nobody.

    Raises HostError host.permission when somebody else could have put a key there.
    """
    with mapped_os_errors(f"reading the trust folder {trust_dir}"):
        if not trust_dir.exists():
            return TrustFolder((), ())
        _check_private(trust_dir)
        paths = [path for path in sorted(trust_dir.glob("*.json")) if path.name != TRUST_ROOT][:MAX_KEYS]
    keys: list[TrustedKey] = []
    faults: list[str] = []
    for path in paths:
        try:
            keys.append(_load_key(path))
        except PuiError as error:
            faults.append(f"{path.name}: {error.message}")
    current = _load_roots([trust_dir / TRUST_ROOT], keys, faults)
    retired = _load_roots(sorted((trust_dir / ROOT_HISTORY).glob("*.root.json"))[-MAX_ROOTS:], keys, faults)
    return TrustFolder(tuple(keys), tuple(faults), current[0] if current else None, retired)


def _load_roots(paths: Iterable[Path], keys: Sequence[TrustedKey], faults: list[str]) -> tuple[KeyGroup, ...]:
    """The release keys of each root."""
    groups: list[KeyGroup] = []
    for path in paths:
        try:
            data = read_private_file(path, MAX_ROOT_BYTES)
            if data is not None:
                groups.append(without_revoked(release_keys(data), keys))
        except PuiError as error:
            faults.append(f"{path.name}: {error.message}")
    return tuple(groups)


def channel_trust(trust_dir: Path, shipped: bytes | None) -> ChannelTrust | None:
    """The trusted root, else the one that came with the app and will be; one that cannot be used says why."""
    try:
        with mapped_os_errors(f"reading the trust folder {trust_dir}"):
            if trust_dir.exists():
                _check_private(trust_dir)
        data = read_private_file(trust_dir / TRUST_ROOT, MAX_ROOT_BYTES) or shipped
        if data is None:
            return None
        facts = describe_root(data)
        is_shipped = shipped is not None and facts.shares_a_signer(describe_root(shipped))
        return ChannelTrust(facts.fingerprint, facts.version, facts.expires, is_shipped)
    except PuiError as error:
        return ChannelTrust(problem=f"{error.code}: {error.message}. {error.hint}")


def without_revoked(group: KeyGroup, keys: Iterable[TrustedKey]) -> KeyGroup:
    """A key that the person revoked by a file of its own vouches for nothing in a root either."""
    revoked = {key.keyid for key in keys if key.revoked}
    return KeyGroup(tuple(replace(key, revoked=key.keyid in revoked) for key in group.keys), group.threshold)


def read_private_file(path: Path, limit_bytes: int) -> bytes | None:
    """A file that only this user could have written; None when it is absent. Raises HostError host.permission."""
    with mapped_os_errors(f"reading {path}"):
        if not os.path.lexists(path):
            return None
        _check_private(path)
        return read_file(path, limit_bytes)


def add_trusted_key(trust_dir: Path, key: TrustedKey) -> Path:
    """Writes the key's file, atomically; an equal key is replaced. Raises HostError."""
    path = trust_dir / f"{key.keyid}.json"
    own_dir(trust_dir.parent)
    write_private_file(path, render_trusted_key(key))
    return path


def write_private_file(path: Path, data: bytes, *, mode: int = 0o644, ops: FileOps | None = None) -> None:
    """Puts `data` in place of `path`, atomically and durably; only this user may write to its folder."""
    draft = f".{path.name}.{os.getpid()}{_DRAFT}"
    ops = ops or FileOps()
    with mapped_os_errors(f"writing {path}"):
        own_dir(path.parent)
        with opened_folder(path.parent) as fd:
            try:
                write_new_file(ops, draft, fd, data, mode)
                ops.rename(path.parent / draft, path)
            except BaseException:
                (path.parent / draft).unlink(missing_ok=True)
                raise
            ops.sync(fd)


def remove_drafts(folder: Path, ops: FileOps, name: str = "") -> tuple[str, ...]:
    """Drafts (of files called `name`, or all) that a writer left when it died; returns their names.

    The caller holds the lock under which such files are written. Raises OSError.
    """
    if not folder.is_dir():
        return ()
    names = sorted(path.name for path in folder.glob(f".{name}*{_DRAFT}"))
    with opened_folder(folder) as at:
        for draft in names:
            remove_tree(ops, draft, at)
    return tuple(names)


def trust_development_key(private_key: Path, trust_dir: Path) -> TrustedKey:
    """Trusts packs that this computer built itself. Raises SetupError pack.untrusted if the key is not Ed25519."""
    with mapped_os_errors(f"reading the development key {private_key}"):
        pem = read_file(private_key, MAX_KEY_FILE_BYTES)
    # late: it brings the formats of every kind of key, and the window waits for this module
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SetupError("pack.untrusted", f"{private_key} is not a private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SetupError("pack.untrusted", f"{private_key} is not an Ed25519 key")
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    trusted = TrustedKey(key_id(raw), raw, f"development key of this computer ({key_id(raw)[:8]})")
    add_trusted_key(trust_dir, trusted)
    return trusted


def _load_key(path: Path) -> TrustedKey:
    with mapped_os_errors(f"reading {path.name}"):
        _check_private(path)
        data = read_file(path, MAX_KEY_FILE_BYTES)
    key = parse_trusted_key(data)
    if path.name != f"{key.keyid}.json":
        raise SetupError("pack.malformed", "the file is not named after its key")
    return key


def _check_private(path: Path) -> None:
    found = path.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & WRITABLE_BY_OTHERS:
        raise HostError("host.permission", f"others may write to {path}", hint=f"Run: chmod go-w '{path}'")
