"""Signs a manifest with the development key of this machine.

In: manifest bytes, the place of the key. Out: envelope bytes. Never: the private key anywhere else than its file.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pui.domain.errors import PuiError
from pui.domain.trust import PAYLOAD_TYPE, key_id, pae, render_envelope


def load_or_make_key(path: Path) -> Ed25519PrivateKey:
    """The key in `path` (PKCS8 PEM, 0600); made when the file is absent. Raises PuiError("pack.build") for another."""
    if not path.exists():
        _write_new_key(path)
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise PuiError("pack.build", f"{path} holds no readable private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise PuiError("pack.build", f"{path} is not an Ed25519 key")
    return key


def _write_new_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """Raw 32 bytes of the public key."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def sign_manifest(manifest_bytes: bytes, key: Ed25519PrivateKey) -> bytes:
    """The envelope. Ed25519 signatures are deterministic (RFC 8032), so same manifest and key give the same bytes."""
    return render_envelope(manifest_bytes, {key_id(public_bytes(key)): key.sign(pae(PAYLOAD_TYPE, manifest_bytes))})
