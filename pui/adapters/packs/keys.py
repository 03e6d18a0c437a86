"""The trust folder: which public keys this person trusts.

In: the folder's path, the private development key's path. Out: trusted keys, and which files could not be read.
Never: a private key that leaves this module, a folder that others can write.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from pui.adapters.packs.file_ops import FileOps, mapped_os_errors, opened_folder, read_file, write_new_file
from pui.adapters.paths import own_dir
from pui.domain.errors import HostError, PuiError, SetupError
from pui.domain.pack_check import WRITABLE_BY_OTHERS
from pui.domain.trust import MAX_KEY_FILE_BYTES, TrustedKey, key_id, parse_trusted_key, render_trusted_key

MAX_KEYS = 64


@dataclass(frozen=True)
class TrustFolder:
    """`faults` are sentences about files that are no keys; they trust nobody and are shown to the person."""

    keys: tuple[TrustedKey, ...]
    faults: tuple[str, ...]


def load_trust(trust_dir: Path) -> TrustFolder:
    """All keys of the folder; an absent folder trusts nobody.

    Raises HostError host.permission when somebody else could have put a key there.
    """
    with mapped_os_errors(f"reading the trust folder {trust_dir}"):
        if not trust_dir.exists():
            return TrustFolder((), ())
        _check_private(trust_dir)
        paths = sorted(trust_dir.glob("*.json"))[:MAX_KEYS]
    keys: list[TrustedKey] = []
    faults: list[str] = []
    for path in paths:
        try:
            keys.append(_load_key(path))
        except PuiError as error:
            faults.append(f"{path.name}: {error.message}")
    return TrustFolder(tuple(keys), tuple(faults))


def add_trusted_key(trust_dir: Path, key: TrustedKey) -> Path:
    """Writes the key's file, atomically; an equal key is replaced. Raises HostError."""
    path = trust_dir / f"{key.keyid}.json"
    draft = f".{key.keyid}.{os.getpid()}.draft"
    ops = FileOps()
    with mapped_os_errors(f"writing {path}"):
        own_dir(trust_dir.parent)
        own_dir(trust_dir)
        with opened_folder(trust_dir) as fd:
            try:
                write_new_file(ops, draft, fd, render_trusted_key(key))
                ops.rename(trust_dir / draft, path)
            except BaseException:
                (trust_dir / draft).unlink(missing_ok=True)
                raise
            ops.sync(fd)
    return path


def trust_development_key(private_key: Path, trust_dir: Path) -> TrustedKey:
    """Trusts packs that this computer built itself. Raises SetupError pack.untrusted if the key is not Ed25519."""
    with mapped_os_errors(f"reading the development key {private_key}"):
        pem = read_file(private_key, MAX_KEY_FILE_BYTES)
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
