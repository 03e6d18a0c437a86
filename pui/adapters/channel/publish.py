"""Makes and renews the static folder of a channel: TUF metadata, packs, their envelopes.

In: a folder, signing keys, packs that this computer trusts. Out: files that any web server can serve as they are.
Never: a signature under a pack that was not verified whole, a file that is replaced before what it needs is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from pui.adapters.channel.part_files import EarlierPack, make_parts
from pui.adapters.channel.repository import Repository, meta_of
from pui.adapters.channel.signing_keys import ROLE_NAMES, ROOT_THRESHOLD, SigningKeys
from pui.adapters.packs.archive import Progress
from pui.adapters.packs.file_ops import FileOps, mapped_os_errors
from pui.adapters.packs.keys import TrustFolder
from pui.adapters.packs.locks import installer_lock
from pui.adapters.packs.source import ARCHIVE_SUFFIX, ENVELOPE_SUFFIX, FileSource
from pui.domain.channel import (
    FLOORS_FIELD,
    ISSUED_FIELD,
    PARTS_SUFFIX,
    Newest,
    newest_path,
    parse_newest,
    parse_security_floors,
    parts_path,
    release_keys,
    render_newest,
    render_time,
)
from pui.domain.errors import CallerError, SetupError
from pui.domain.manifest import Manifest
from pui.domain.pack_parts import parse_parts, render_parts
from pui.domain.trust import PAYLOAD_TYPE, KeyGroup, VerifiedManifest, render_envelope, verify_by_groups

EARLIER_PACKS = 2
"""Differences are made to so many packs before a new one; an older one is left behind by the whole archive."""

_LOCK_WAIT_S = 10.0
Role = TypeVar("Role", Root, Targets, Snapshot, Timestamp)


@dataclass(frozen=True)
class Lifetimes:
    """After how many days each role must have been signed again; clients stop updating (not running) then."""

    days: dict[str, int] = field(default_factory=lambda: {"root": 365, "targets": 180, "snapshot": 30, "timestamp": 14})


@dataclass(frozen=True)
class Published:
    """`versions` of the four roles; `packs` are the ids that were added; `root` is the newest root's file; `cleaned`
    are the names of what a publication that died had left."""

    root: Path
    versions: dict[str, int]
    packs: tuple[str, ...]
    cleaned: tuple[str, ...] = ()


class Publisher:
    """One publication into `folder`. `clock` gives UTC."""

    def __init__(
        self,
        folder: Path,
        keys: SigningKeys,
        trust: TrustFolder,
        *,
        lifetimes: Lifetimes | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ops: FileOps | None = None,
    ) -> None:
        self._repository = Repository(folder, ops)
        self._keys = keys
        self._trust = trust
        self._lifetimes = lifetimes or Lifetimes()
        self._clock = clock
        self._new_keys: SigningKeys | None = None

    def publish(
        self,
        packs: Sequence[Path],
        *,
        rotate_to: SigningKeys | None = None,
        security_floors: Mapping[str, int] | None = None,
        progress: Progress = lambda done, total: None,
    ) -> Published:
        """Adds `packs`, signs what changed and a fresh snapshot and timestamp; makes the channel when there is none.

        `rotate_to` signs a new root in which every key that this folder has takes the place of the one before.
        `security_floors`: the lowest version without known holes, by platform; whoever updates goes below it only by
        words of insistence.
        Raises SetupError pack.*, CallerError, HostError; clients then see what they saw before.
        """
        repository = self._repository
        repository.prepare()
        with mapped_os_errors(f"writing {repository.folder}"), installer_lock(repository.lock, _LOCK_WAIT_S):
            cleaned = repository.remove_drafts()
            checked = [self._checked(path, progress) for path in packs]
            self._new_keys = rotate_to
            before = repository.root_bytes()
            root = self._root(before)
            targets = self._targets(root, checked, security_floors or {})
            snapshot = self._snapshot(targets)
            timestamp = self._timestamp(snapshot)
            for delegated in (targets, snapshot, timestamp):
                _require_signed(root.signed, delegated)
            for role in (targets, snapshot, timestamp, root):  # a new root last: see _sign_next
                repository.write(role)
        versions = {role.signed.type: role.signed.version for role in (root, targets, snapshot, timestamp)}
        added = tuple(verified.pack_id for _, verified in checked)
        return Published(repository.root_path(root.signed.version), versions, added, cleaned)

    def _checked(self, path: Path, progress: Progress) -> tuple[FileSource, VerifiedManifest]:
        """Everything an installation checks, save that the pack may be for another computer."""
        source = FileSource(path)
        verified = self._trust.verify(source.read_envelope())
        with source.open_files(verified.manifest, progress) as events:
            for _ in events:
                pass
        return source, verified

    def _signing(self, name: str) -> SigningKeys:
        new = self._new_keys
        return new if new is not None and new.has(name) else self._keys

    def _signing_both(self, name: str) -> list[SigningKeys]:
        """The new keys first; those before only during a rotation."""
        return [keys for keys in (self._new_keys, self._keys) if keys is not None and keys.has(name)] or [self._keys]

    def _root(self, before: bytes | None) -> Metadata[Root]:
        if before is None:
            root = Metadata(Root(version=1, consistent_snapshot=True))
            root.signed.roles["root"].threshold = ROOT_THRESHOLD
            for role in ROLE_NAMES:
                self._set_keys(root.signed, role)
        else:
            root = Metadata[Root].from_bytes(before)
            if self._new_keys is None:
                return root
            root.signed.version += 1
            for role in ROLE_NAMES:
                self._set_keys(root.signed, role)
        self._date(root)
        root.signatures.clear()
        old = [] if before is None else [self._keys.signer(name) for name in self._root_names(self._keys)]
        new = [self._signing(name).signer(name) for name in self._root_names(self._signing_any())]
        for signer in {signer.public_key.keyid: signer for signer in (*old, *new)}.values():
            root.sign(signer, append=True)
        if before is not None:
            _require_signed(Metadata[Root].from_bytes(before).signed, root)
        _require_signed(root.signed, root)
        return root

    def _signing_any(self) -> SigningKeys:
        new = self._new_keys
        return new if new is not None and any(new.has(name) for name in ROLE_NAMES["root"]) else self._keys

    def _root_names(self, keys: SigningKeys) -> list[str]:
        """As many as are at hand; the threshold is checked on the result."""
        names = [name for name in ROLE_NAMES["root"] if keys.has(name)]
        if len(names) < ROOT_THRESHOLD:
            raise CallerError("caller.bad_request", f"a root needs {ROOT_THRESHOLD} root keys, {len(names)} are there")
        return names

    def _set_keys(self, root: Root, role: str) -> None:
        """The role's keys become those of the new folder, if it has all of them; of the first folder for a new root."""
        source = self._new_keys or self._keys
        names = ROLE_NAMES[role]
        if self._new_keys is not None and not all(self._new_keys.has(name) for name in names):
            if any(self._new_keys.has(name) for name in names):
                raise CallerError("caller.bad_request", f"the new folder must hold all of {', '.join(names)} or none")
            return
        for keyid in list(root.roles[role].keyids):
            root.revoke_key(keyid, role)
        for name in names:
            root.add_key(source.signer(name).public_key, role)

    def _targets(
        self,
        root: Metadata[Root],
        packs: Sequence[tuple[FileSource, VerifiedManifest]],
        floors: Mapping[str, int],
    ) -> Metadata[Targets]:
        targets = self._repository.targets()
        if targets is not None and not packs and not floors and self._is_signed(root.signed, "targets", targets):
            return targets
        if targets is None:
            targets = _blank(Targets())
        else:
            self._sign_envelopes_anew(targets.signed, root.to_bytes())
        for source, verified in packs:
            self._add(targets.signed, source, verified)
            self._add_parts(targets.signed, verified.manifest, release_keys(root.to_bytes()))
        self._raise_floors(targets.signed, floors)
        return self._sign_next(targets, "targets")

    def _raise_floors(self, targets: Targets, floors: Mapping[str, int]) -> None:
        fields = targets.unrecognized_fields
        known = dict(parse_security_floors(fields.get(FLOORS_FIELD)))
        for platform, floor in floors.items():
            if floor < known.get(platform, 0):
                raise CallerError("caller.rejected", f"the floor of {platform} is {known[platform]} already")
            newest = self._newest(targets, platform)
            if newest is None or newest.pack_version < floor:
                raise CallerError("caller.rejected", f"the channel offers no pack of {platform} from {floor} on")
            known[platform] = floor
        if known:
            fields[FLOORS_FIELD] = known

    def _newest(self, targets: Targets, platform: str) -> Newest | None:
        listed = targets.targets.get(newest_path(platform))
        return None if listed is None else parse_newest(self._repository.read_target(listed), platform)

    @staticmethod
    def _is_signed(root: Root, role: str, metadata: Metadata[Targets]) -> bool:
        return any(keyid in root.roles[role].keyids for keyid in metadata.signatures)

    def _add(self, targets: Targets, source: FileSource, verified: VerifiedManifest) -> None:
        manifest = verified.manifest
        name = manifest.payload.name
        envelope_name = name.removesuffix(ARCHIVE_SUFFIX) + ENVELOPE_SUFFIX
        self._check_newer(targets, verified, name)
        listed = TargetFile.from_dict(
            {"length": manifest.payload.size_bytes, "hashes": {"sha256": manifest.payload.sha256}}, name
        )
        self._repository.copy_target(Path(source.label), listed)
        targets.targets[name] = listed
        self._put(targets, envelope_name, self._envelope(verified))
        pointer = Newest(manifest.platform, manifest.pack_version, envelope_name)
        self._put(targets, newest_path(manifest.platform), render_newest(pointer))

    def _add_parts(self, targets: Targets, manifest: Manifest, release: KeyGroup) -> None:
        """The pack's files one by one, and as differences to those of the packs before it."""
        listed = {name: targets.targets[name] for name in targets.targets if name.endswith(PARTS_SUFFIX)}
        known = [part for listing in listed.values() for part in parse_parts(self._repository.read_target(listing))]
        earlier = self._earlier_packs(targets, manifest, release)
        archive = self._repository.target_path(targets.targets[manifest.payload.name])
        parts = make_parts(self._repository, archive, manifest, known, earlier)
        self._put(targets, parts_path(manifest.payload.name), render_parts(parts))

    def _earlier_packs(self, targets: Targets, manifest: Manifest, release: KeyGroup) -> list[EarlierPack]:
        """The newest packs of the platform before this one whose archive the folder still has."""
        found: list[EarlierPack] = []
        own = manifest.payload.name.removesuffix(ARCHIVE_SUFFIX) + ENVELOPE_SUFFIX
        for name in [name for name in targets.targets if name.endswith(ENVELOPE_SUFFIX) and name != own]:
            before = verify_by_groups(self._repository.read_target(targets.targets[name]), [release]).manifest
            listed = targets.targets.get(before.payload.name)
            if before.platform != manifest.platform or before.pack_version >= manifest.pack_version or listed is None:
                continue
            path = self._repository.target_path(listed)
            if path.is_file():
                found.append(EarlierPack(path, before))
        return sorted(found, key=lambda pack: -pack.manifest.pack_version)[:EARLIER_PACKS]

    def _check_newer(self, targets: Targets, verified: VerifiedManifest, name: str) -> None:
        manifest = verified.manifest
        newest = self._newest(targets, manifest.platform)
        if newest is None:
            return
        if manifest.pack_version < newest.pack_version:
            raise CallerError("caller.rejected", f"the channel offers version {newest.pack_version} already")
        same = targets.targets.get(name)
        if manifest.pack_version == newest.pack_version and (
            same is None or same.hashes.get("sha256") != manifest.payload.sha256
        ):
            raise CallerError(
                "caller.rejected",
                f"the channel has another pack of version {newest.pack_version}",
                hint="Build it with a higher pack version.",
            )

    def _envelope(self, verified: VerifiedManifest) -> bytes:
        name, manifest = ROLE_NAMES["targets"][0], verified.manifest_bytes
        signatures = [keys.sign_manifest(name, PAYLOAD_TYPE, manifest) for keys in self._signing_both(name)]
        return render_envelope(manifest, dict(signatures))

    def _sign_envelopes_anew(self, targets: Targets, root: bytes) -> None:
        """What the channel offers must be signed by the release keys of `root`; earlier roots vouch for it till then.
        A rotation that died may have left some as they were."""
        current = [release_keys(root)]
        for name in [name for name in targets.targets if name.endswith(ENVELOPE_SUFFIX)]:
            data = self._repository.read_target(targets.targets[name])
            try:
                verify_by_groups(data, current)
            except SetupError:
                known = [release_keys(earlier) for earlier in self._repository.root_chain()]
                self._put(targets, name, self._envelope(verify_by_groups(data, known)))

    def _put(self, targets: Targets, name: str, data: bytes) -> None:
        listed = TargetFile.from_data(name, data, ["sha256"])
        self._repository.write_target(listed, data)
        targets.targets[name] = listed

    def _snapshot(self, targets: Metadata[Targets]) -> Metadata[Snapshot]:
        snapshot = self._repository.snapshot() or _blank(Snapshot())
        snapshot.signed.meta["targets.json"] = meta_of(targets)
        return self._sign_next(snapshot, "snapshot")

    def _timestamp(self, snapshot: Metadata[Snapshot]) -> Metadata[Timestamp]:
        timestamp = self._repository.timestamp() or _blank(Timestamp())
        timestamp.signed.snapshot_meta = meta_of(snapshot)
        return self._sign_next(timestamp, "timestamp")

    def _sign_next(self, metadata: Metadata[Role], role: str) -> Metadata[Role]:
        """Signed by the keys before as well as by the new ones, where both are at hand: then a client accepts the
        documents before and after the new root is in place, and whoever dies in between leaves a whole channel."""
        metadata.signed.version += 1
        self._date(metadata)
        name = ROLE_NAMES[role][0]
        metadata.signatures.clear()
        for keys in self._signing_both(name):
            metadata.sign(keys.signer(name), append=True)
        return metadata

    def _date(self, metadata: Metadata[Role]) -> None:
        now = self._clock().replace(microsecond=0)
        metadata.signed.expires = now + timedelta(days=self._lifetimes.days[metadata.signed.type])
        if metadata.signed.type in ("root", "timestamp"):
            metadata.signed.unrecognized_fields[ISSUED_FIELD] = render_time(now)


def _require_signed(root: Root, role: Metadata[Any]) -> None:
    """What no client would accept is not published. Raises CallerError caller.bad_request."""
    kind = role.signed.type
    try:
        root.verify_delegate(kind, role.signed_bytes, role.signatures)
    except UnsignedMetadataError as error:
        raise CallerError(
            "caller.bad_request",
            f"the keys at hand are not those that root {root.version} names for {kind}",
            hint="After a rotation, sign with the new keys.",
        ) from error


def _blank(role: Role) -> Metadata[Role]:
    """Before its first version."""
    role.version = 0
    return Metadata(role)
