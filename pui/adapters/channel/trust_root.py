"""The root that a person trusts: put in place by its fingerprint once, moved forward only along verified chains.

In: root documents. Out: `<data>/trust/root.json` and the roots before it. Never: trust on first use.
"""

from __future__ import annotations

import hashlib
import re

from pui.adapters.channel.tuf_client import check_root
from pui.adapters.packs.file_ops import FileOps, mapped_os_errors
from pui.adapters.packs.keys import read_private_file, write_private_file
from pui.adapters.paths import AppPaths, own_dir
from pui.domain.channel import MAX_ROOT_BYTES, release_keys, root_version
from pui.domain.errors import CallerError, SetupError
from pui.domain.trust import KeyGroup

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def trusted_root(paths: AppPaths) -> bytes:
    """Raises SetupError index.untrusted when no root was installed, HostError when others could have written it."""
    data = read_private_file(paths.trust_root, MAX_ROOT_BYTES)
    if data is None:
        raise SetupError(
            "index.untrusted",
            "no channel root is trusted on this computer",
            hint="Get root.json and its fingerprint from the channel's operator; `pui pack trust-root --help`.",
        )
    return data


def fingerprint(root: bytes) -> str:
    """SHA-256 of the file, in hex: what a person compares."""
    return hashlib.sha256(root).hexdigest()


def install_root(paths: AppPaths, root: bytes, expected: str, *, replace: bool = False) -> KeyGroup:
    """Trusts `root`, whose fingerprint a person has got by another way than the file itself.

    Raises CallerError (another fingerprint; another root is trusted and not `replace`), SetupError index.*, HostError.
    """
    wanted = expected.lower().replace(":", "").replace(" ", "")
    if _FINGERPRINT.fullmatch(wanted) is None:
        raise CallerError("caller.bad_request", "a fingerprint is 64 hex digits (SHA-256 of the root's file)")
    if fingerprint(root) != wanted:
        raise CallerError(
            "caller.rejected",
            f"the file's fingerprint is {fingerprint(root)}, not the one you gave",
            hint="Do not use this file. Get root and fingerprint again, each by its own way.",
        )
    check_root(root)
    keys = release_keys(root)
    present = read_private_file(paths.trust_root, MAX_ROOT_BYTES)
    if present is not None and present != root and not replace:
        raise CallerError(
            "caller.rejected", "another channel root is trusted already", hint="Insist with --replace to change it."
        )
    keep_root(paths, root)
    return keys


def keep_root(paths: AppPaths, root: bytes, ops: FileOps | None = None) -> None:
    """Makes a verified root the trusted one; the root before is kept for packs that were installed under it."""
    before = read_private_file(paths.trust_root, MAX_ROOT_BYTES)
    if before == root:
        return
    own_dir(paths.data)
    own_dir(paths.trust_dir)
    if before is not None:
        name = f"{root_version(before):06d}-{fingerprint(before)[:12]}.root.json"
        write_private_file(paths.root_history / name, before, ops=ops)
    with mapped_os_errors(f"writing {paths.trust_root}"):
        write_private_file(paths.trust_root, root, ops=ops)
