"""What a person is shown of the packs of this computer.

In: listed packs, their states by the journal, what is known of updates, the running job. Out: the PackView of
docs/bridge.md. Never: I/O, a text of a pack that was not scrubbed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pui.domain.bridge_call import error_to_json
from pui.domain.channel import render_time
from pui.domain.channel_root import ChannelTrust
from pui.domain.events import JsonValue
from pui.domain.manifest import Manifest
from pui.domain.pack_job import Job, job_view
from pui.domain.pack_life import StoreView
from pui.domain.scrub import scrub_line
from pui.domain.update_policy import UpdateState, is_skipped

COMPONENTS = ("pi", "node", "kernel", "qemu", "virtiofsd")
"""The parts that a person is shown by name; the manifest lists every input."""


@dataclass(frozen=True)
class ListedPack:
    """One pack on disk; `manifest` is None when `problem` says why. `slot` is "active", "previous" or ""."""

    pack_id: str
    slot: str
    manifest: Manifest | None
    signed_by: str
    problem: str = ""


@dataclass(frozen=True)
class StoreFacts:
    """The store at one moment; `disk_use_bytes` of all packs and what is on its way in; `trust` None: no root."""

    packs: tuple[ListedPack, ...] = ()
    life: StoreView = field(default_factory=StoreView)
    disk_use_bytes: int = 0
    trust: ChannelTrust | None = None


@dataclass(frozen=True)
class PackSurroundings:
    """`channel` "" when none is set; `state_labels` are the labels of statecharts/pack.json."""

    channel: str
    disk_limit_bytes: int | None
    can_build: bool
    state_labels: Mapping[str, str]


def packs_view(
    store: StoreFacts, around: PackSurroundings, updates: UpdateState, job: Job | None
) -> dict[str, JsonValue]:
    """PackView of docs/bridge.md."""
    packs = {pack.pack_id: _pack(pack, store.life, around.state_labels) for pack in store.packs}
    slots = {pack.slot: packs[pack.pack_id] for pack in store.packs if pack.slot}
    return {
        "active": slots.get("active"),
        "previous": slots.get("previous"),
        "packs": list(packs.values()),
        "disk_use_bytes": store.disk_use_bytes,
        "disk_limit_bytes": around.disk_limit_bytes,
        "channel": around.channel,
        "trust": None if store.trust is None else _trust(store.trust),
        "can_build": around.can_build,
        "update": _update(updates),
        "last_check_ms": updates.last_check_ms,
        "check_error": None if updates.error is None else error_to_json(updates.error),
        "job": None if job is None else job_view(job),
    }


def _trust(trust: ChannelTrust) -> JsonValue:
    return {
        "fingerprint": trust.fingerprint,
        "version": trust.version,
        "expires": "" if trust.expires is None else render_time(trust.expires),
        "is_shipped": trust.is_shipped,
        "problem": scrub_line(trust.problem, 400),
    }


def _update(updates: UpdateState) -> JsonValue:
    offer = updates.offer
    if offer is None:
        return None
    return {
        "version": offer.version,
        "pack_id": offer.pack_id,
        "size_bytes": offer.size_bytes,
        "download_bytes": offer.download_bytes,
        "is_skipped": is_skipped(updates),
    }


def _pack(pack: ListedPack, life: StoreView, labels: Mapping[str, str]) -> JsonValue:
    known, manifest = life.of(pack.pack_id), pack.manifest
    reason = f"{known.reason_code} {known.reason}".strip() if known.state in ("failed", "corrupt") else ""
    components = {} if manifest is None else manifest.components
    return {
        "pack_id": pack.pack_id,
        "version": 0 if manifest is None else manifest.pack_version,
        "state": known.state,
        "state_label": labels.get(known.state, known.state),
        "reason": scrub_line(pack.problem or reason, 400),
        "size_bytes": 0 if manifest is None else manifest.total_size_bytes,
        "signed_by": scrub_line(pack.signed_by),
        "created": "" if manifest is None else manifest.created,
        "components": {name: scrub_line(components[name]) for name in COMPONENTS if name in components},
    }
