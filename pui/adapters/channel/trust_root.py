"""The root that a person trusts: put in place by its fingerprint once, moved forward only along verified chains.

In: root documents. Out: `<data>/trust/root.json` and the roots before it. Never: trust on first use.
"""

from __future__ import annotations

from dataclasses import replace as changed
from pathlib import Path

from pui.adapters.channel.tuf_client import check_root
from pui.adapters.packs.file_ops import FileOps, mapped_os_errors, read_file
from pui.adapters.packs.keys import read_private_file, write_private_file
from pui.adapters.packs.locks import installer_lock
from pui.adapters.paths import AppPaths, own_dir
from pui.domain.channel import MAX_ROOT_BYTES, MAX_STATE_BYTES, parse_state, release_keys, render_state, root_version
from pui.domain.channel_root import OfferedRoot, check_fingerprint, describe_root, fingerprint
from pui.domain.errors import CallerError, SetupError
from pui.domain.trust import KeyGroup

_LOCK_WAIT_S = 1.0


def trusted_root(paths: AppPaths) -> bytes:
    """Raises SetupError index.untrusted when no root was installed, HostError when others could have written it."""
    data = read_private_file(paths.trust_root, MAX_ROOT_BYTES)
    if data is None:
        raise SetupError(
            "index.untrusted",
            "no channel root is trusted on this computer",
            hint="Get root.json and its fingerprint from the channel's operator. In the window: Settings, Runtime, "
            "«Trust a channel…»; in a terminal: `pui pack trust-root --help`.",
        )
    return data


def read_root_file(file: Path) -> bytes:
    """A root that a person points at, not checked yet. Raises CallerError caller.bad_request, HostError."""
    with mapped_os_errors(f"reading {file}"):
        if not file.is_file() or file.stat().st_size > MAX_ROOT_BYTES:
            raise CallerError("caller.bad_request", f"{file} is not the file of a root")
        return read_file(file.resolve(), MAX_ROOT_BYTES)


def offered_root(paths: AppPaths, file: Path) -> OfferedRoot:
    """What a person is shown before trusting it. Raises CallerError, SetupError index.*, DownloadError, HostError."""
    data = read_root_file(file)
    facts = describe_root(data)
    check_root(data)
    present = read_private_file(paths.trust_root, MAX_ROOT_BYTES)
    return OfferedRoot(data, facts, None if present is None else describe_root(present))


def install_root(paths: AppPaths, root: bytes, expected: str, *, replace: bool = False) -> KeyGroup:
    """Trusts `root`, whose fingerprint a person has got by another way than the file itself.

    A root of another channel than before begins anew with the times that were seen.

    Raises CallerError (another fingerprint; another root is trusted and not `replace`), SetupError index.*,
    pack.in_use while a channel is being asked, HostError.
    """
    check_fingerprint(root, expected)
    check_root(root)
    keys, facts = release_keys(root), describe_root(root)
    own_dir(paths.data)
    with mapped_os_errors(f"locking {paths.channel_lock}"), installer_lock(paths.channel_lock, _LOCK_WAIT_S):
        present = read_private_file(paths.trust_root, MAX_ROOT_BYTES)
        if present is not None and present != root and not replace:
            raise CallerError(
                "caller.rejected", "another channel root is trusted already", hint="Insist with --replace to change it."
            )
        keep_root(paths, root)
        if present is not None and not facts.shares_a_signer(describe_root(present)):
            _forget_issued(paths)
    return keys


def _forget_issued(paths: AppPaths) -> None:
    """The signing times of one channel say nothing of another's: its first index would be taken for a replay."""
    data = read_private_file(paths.channel_state, MAX_STATE_BYTES)
    if data is not None:
        write_private_file(paths.channel_state, render_state(changed(parse_state(data), issued=None)))


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
