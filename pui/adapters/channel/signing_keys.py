"""The private keys of a channel: made once into a folder of their own, loaded one by one when a role must sign.

In: a folder, names of keys, perhaps a passphrase. Out: PEM files (0600, encrypted if asked), signers.
Never: a key that is overwritten, a folder inside a git checkout, a key file that others can read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner

from pui.adapters.packs.file_ops import FileOps, mapped_os_errors, opened_folder, read_file, write_new_file
from pui.adapters.paths import private_dir
from pui.domain.errors import CallerError, HostError
from pui.domain.trust import MAX_KEY_FILE_BYTES, key_id, pae

ROOT_NAMES = ("root-1", "root-2", "root-3")
ROOT_THRESHOLD = 2
ROLE_NAMES = {"root": ROOT_NAMES, "targets": ("targets",), "snapshot": ("snapshot",), "timestamp": ("timestamp",)}
ALL_NAMES = tuple(name for names in ROLE_NAMES.values() for name in names)


def make_keys(folder: Path, names: Sequence[str], passphrase: bytes | None) -> tuple[Path, ...]:
    """New Ed25519 keys `folder`/NAME.pem (PKCS8). Raises CallerError (one exists, a checkout), HostError."""
    _refuse_checkout(folder)
    private_dir(folder)
    paths = tuple(folder / f"{name}.pem" for name in names)
    present = [path.name for path in paths if os.path.lexists(path)]
    if present:
        raise CallerError("caller.rejected", f"{folder} holds {present[0]} already", hint="Choose another folder.")
    how: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    ops = FileOps()
    with mapped_os_errors(f"writing keys to {folder}"), opened_folder(folder) as at:
        for path in paths:
            pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)
            write_new_file(ops, path.name, at, pem, 0o600)
        ops.sync(at)
    return paths


class SigningKeys:
    """A folder of keys. Those that a publication does not need may be elsewhere, offline."""

    def __init__(self, folder: Path, passphrase: bytes | None = None) -> None:
        self._folder = folder
        self._passphrase = passphrase

    def has(self, name: str) -> bool:
        return (self._folder / f"{name}.pem").is_file()

    def signer(self, name: str) -> CryptoSigner:
        """Signs TUF metadata. Raises CallerError, HostError."""
        return CryptoSigner(self._load(name))

    def sign_manifest(self, name: str, payload_type: str, manifest: bytes) -> tuple[str, bytes]:
        """Key id (as envelopes have it) and signature over DSSE's encoding. Raises CallerError, HostError."""
        key = self._load(name)
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return key_id(raw), key.sign(pae(payload_type, manifest))

    def _load(self, name: str) -> Ed25519PrivateKey:
        path = self._folder / f"{name}.pem"
        if not path.is_file():
            raise CallerError("caller.bad_request", f"the key {path} is needed", hint="`pui pack keys` makes keys.")
        with mapped_os_errors(f"reading {path}"):
            if path.stat().st_mode & 0o077:
                raise HostError("host.permission", f"others may read {path}", hint=f"Run: chmod 600 '{path}'")
            pem = read_file(path, MAX_KEY_FILE_BYTES)
        try:
            key = load_pem_private_key(pem, self._passphrase if b"ENCRYPTED" in pem else None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise CallerError(
                "caller.bad_request", f"{path} cannot be opened: {error}", hint="Give its --passphrase-file."
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise CallerError("caller.bad_request", f"{path} is not an Ed25519 key")
        return key


def _refuse_checkout(folder: Path) -> None:
    for parent in (folder.absolute(), *folder.absolute().parents):
        if (parent / ".git").exists():
            raise CallerError(
                "caller.rejected",
                f"{folder} lies in the git checkout {parent}, where a key would be committed one day",
                hint="Choose a folder outside of it.",
            )
