"""What a channel's documents mean to pui: release keys of a root, the pointer to the newest pack, floors, pace.

In: bytes whose signatures others have checked, times, numbers. Out: values, or a SetupError that names the fault.
Never: I/O, a clock of its own, a signature (adapters/channel has python-tuf for the metadata).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pui.domain.errors import SetupError
from pui.domain.events import JsonValue
from pui.domain.manifest import MAX_VERSION
from pui.domain.strict_json import StrictJsonError, dump_canonical, load_object
from pui.domain.trust import MAX_SIGNATURES, KeyGroup, TrustedKey, key_id

MAX_ROOT_BYTES = 512_000
MAX_NEWEST_BYTES = 4096
MAX_STATE_BYTES = 64 * 1024
NEWEST_SCHEMA = "pui-channel-newest-1"
STATE_SCHEMA = "pui-channel-state-1"
ISSUED_FIELD = "x-pui-issued"
"""Additional field of root and timestamp: when they were signed ("2026-01-02T03:04:05Z")."""

FLOORS_FIELD = "x-pui-security-floors"
"""Additional field of targets: the lowest version without known holes, by platform ({"linux-x86_64": 2026112302})."""

PARTS_SUFFIX = ".parts.json"
CLOCK_SLACK = timedelta(days=1)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_ENVELOPE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.envelope\.json")
_PLATFORM = re.compile(r"[a-z0-9]{1,20}-[a-z0-9_]{1,20}")


def release_keys(root: bytes) -> KeyGroup:
    """The keys of the root's `targets` role, as keys of pack envelopes, with that role's threshold.

    A key is counted by its bytes, so one that a root lists under two ids counts once. Raises SetupError
    index.malformed. The root's own signatures are not looked at.
    """
    try:
        signed = _table(load_object(root, MAX_ROOT_BYTES), "signed")
        if signed.get("_type") != "root":
            raise StrictJsonError(f"it is a {str(signed.get('_type'))[:32]!r}, not a root")
        role, known = _table(_table(signed, "roles"), "targets"), _table(signed, "keys")
        version, listed = _whole(signed, "version"), role.get("keyids")
        if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_SIGNATURES:
            raise StrictJsonError(f"the role targets has not 1 to {MAX_SIGNATURES} keys")
        found = {key.keyid: key for key in (_release_key(known, name, version) for name in listed)}
        threshold = _whole(role, "threshold")
        if threshold > len(found):
            raise StrictJsonError(f"the role targets needs {threshold} of {len(found)} keys")
    except StrictJsonError as error:
        raise SetupError("index.malformed", f"the root is refused: {error}") from error
    return KeyGroup(tuple(found.values()), threshold)


def root_version(root: bytes) -> int:
    """Raises SetupError index.malformed."""
    try:
        return _whole(_table(load_object(root, MAX_ROOT_BYTES), "signed"), "version")
    except StrictJsonError as error:
        raise SetupError("index.malformed", f"the root is refused: {error}") from error


def root_issued(root: bytes) -> datetime | None:
    """When the root says it was signed. Raises SetupError index.malformed."""
    try:
        value = _table(load_object(root, MAX_ROOT_BYTES), "signed").get(ISSUED_FIELD)
    except StrictJsonError as error:
        raise SetupError("index.malformed", f"the root is refused: {error}") from error
    return None if value is None else parse_time(value)


def newest_path(platform: str) -> str:
    """Target path of the pointer to the newest pack of `platform`."""
    return f"newest-{platform}.json"


def parts_path(archive_name: str) -> str:
    """Target path of the list of a pack's parts (domain/pack_parts.py)."""
    return archive_name.removesuffix(".tar.zst") + PARTS_SUFFIX


def envelope_path(archive_name: str) -> str:
    """Target path of a pack's envelope, and the name of its file beside the archive."""
    return archive_name.removesuffix(".tar.zst") + ".envelope.json"


def archive_name(pack_id: str) -> str:
    """What `pui pack build` calls the archive of the pack with this id."""
    return f"pui-runtime-{pack_id.rpartition('-')[0]}.tar.zst"


@dataclass(frozen=True)
class Newest:
    """Which pack is the newest of a platform; `envelope` is the target path of its envelope."""

    platform: str
    pack_version: int
    envelope: str


def render_newest(newest: Newest) -> bytes:
    return dump_canonical(
        {
            "schema": NEWEST_SCHEMA,
            "platform": newest.platform,
            "pack_version": newest.pack_version,
            "envelope": newest.envelope,
        }
    )


def parse_newest(data: bytes, platform: str) -> Newest:
    """Raises SetupError index.malformed, also when it speaks of another platform."""
    try:
        table = load_object(data, MAX_NEWEST_BYTES)
        if table.get("schema") != NEWEST_SCHEMA or table.get("platform") != platform:
            raise StrictJsonError(f"it is not a {NEWEST_SCHEMA} of {platform}")
        envelope = table.get("envelope")
        if not isinstance(envelope, str) or _ENVELOPE_NAME.fullmatch(envelope) is None:
            raise StrictJsonError("envelope is not the name of an envelope")
        return Newest(platform, _whole(table, "pack_version"), envelope)
    except StrictJsonError as error:
        raise SetupError("index.malformed", f"the pointer to the newest pack is refused: {error}") from error


def parse_security_floors(value: JsonValue) -> Mapping[str, int]:
    """What FLOORS_FIELD says; nothing when it is absent. Raises SetupError index.malformed."""
    try:
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(_PLATFORM.fullmatch(name) for name in value):
            raise StrictJsonError("it is not a table of platforms")
        return {name: _whole(value, name) for name in value}
    except StrictJsonError as error:
        raise SetupError("index.malformed", f"the channel's security floors are refused: {error}") from error


def check_floor(floor: int, newest: Newest) -> None:
    """A floor that nothing on offer reaches is a mistake. Raises SetupError index.malformed."""
    if floor > newest.pack_version:
        raise SetupError(
            "index.malformed", f"the channel's security floor {floor} is above its newest pack, {newest.pack_version}"
        )


@dataclass(frozen=True)
class ChannelState:
    """What must not be forgotten when a cache is deleted.

    `issued`: the newest signing time ever accepted. `seen`: highest pack version ever offered, by platform.
    `seen_under`: the release keys that offered them; other keys (a root rotation) start `seen` anew, which is how a
    version number that a stolen key drove up is recovered from.
    """

    issued: datetime | None = None
    seen: Mapping[str, int] | None = None
    seen_under: tuple[str, ...] = ()

    def seen_version(self, platform: str, keys: KeyGroup) -> int:
        """0 when nothing was seen under these keys."""
        return (self.seen or {}).get(platform, 0) if self.seen_under == _names(keys) else 0

    def after(self, platform: str, version: int, keys: KeyGroup, issued: datetime | None) -> ChannelState:
        """The state once `version` was offered under `keys`, signed at `issued`."""
        kept = dict(self.seen or {}) if self.seen_under == _names(keys) else {}
        kept[platform] = max(version, kept.get(platform, 0))
        times = [time for time in (self.issued, issued) if time is not None]
        return ChannelState(max(times, default=None), kept, _names(keys))


def check_clock(now: datetime, *floors: datetime | None) -> None:
    """Raises SetupError index.clock when `now` is before a time that has certainly passed."""
    for floor in floors:
        if floor is not None and now < floor - CLOCK_SLACK:
            raise SetupError(
                "index.clock", f"this computer's clock says {_shown(now)}, but {_shown(floor)} has passed already"
            )


def check_issued(issued: datetime | None, now: datetime, state: ChannelState) -> None:
    """The signing time of a timestamp. Raises SetupError index.clock (in the future), index.rollback (it went back)."""
    if issued is None:
        return
    if issued > now + CLOCK_SLACK:
        raise SetupError("index.clock", f"the index was signed at {_shown(issued)}, the clock says {_shown(now)}")
    if state.issued is not None and issued < state.issued:
        raise SetupError(
            "index.rollback", f"the index was signed at {_shown(issued)}, one of {_shown(state.issued)} was seen before"
        )


def check_seen(newest: Newest, state: ChannelState, keys: KeyGroup) -> None:
    """Raises SetupError index.rollback when the channel offers less than it did before."""
    seen = state.seen_version(newest.platform, keys)
    if newest.pack_version < seen:
        raise SetupError(
            "index.rollback", f"the channel offers pack version {newest.pack_version}, but {seen} was seen before"
        )


def parse_state(data: bytes) -> ChannelState:
    """Raises SetupError index.malformed."""
    try:
        table = load_object(data, MAX_STATE_BYTES)
        seen, keys, issued = table.get("seen"), table.get("seen_under"), table.get("issued")
        if table.get("schema") != STATE_SCHEMA or not isinstance(seen, dict) or not isinstance(keys, list):
            raise StrictJsonError(f"it is not a {STATE_SCHEMA}")
        versions = {name: _whole(seen, name) for name in seen if _PLATFORM.fullmatch(name)}
        return ChannelState(None if issued is None else parse_time(issued), versions, tuple(str(key) for key in keys))
    except StrictJsonError as error:
        raise SetupError("index.malformed", f"the channel's floors are unreadable: {error}") from error


def render_state(state: ChannelState) -> bytes:
    return dump_canonical(
        {
            "schema": STATE_SCHEMA,
            "issued": None if state.issued is None else render_time(state.issued),
            "seen": dict(state.seen or {}),
            "seen_under": list(state.seen_under),
        }
    )


def parse_time(value: JsonValue) -> datetime:
    """Raises SetupError index.malformed."""
    try:
        if not isinstance(value, str) or _TIME.fullmatch(value) is None:
            raise ValueError("another form")
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise SetupError("index.malformed", "a signing time is not of the form 2026-01-02T03:04:05Z") from error


def render_time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Pace:
    """Rate and time left of a transfer, from the last `window_s` seconds of a monotonic clock."""

    def __init__(self, window_s: float = 10.0) -> None:
        self._window_s = window_s
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, time_s: float, done_bytes: int) -> None:
        self._samples.append((time_s, done_bytes))
        while len(self._samples) > 2 and time_s - self._samples[0][0] > self._window_s:
            self._samples.popleft()

    @property
    def bytes_per_s(self) -> float | None:
        """None until two moments are known."""
        if len(self._samples) < 2:
            return None
        (start_s, start), (end_s, end) = self._samples[0], self._samples[-1]
        return max(end - start, 0) / (end_s - start_s) if end_s > start_s else None

    def left_s(self, total_bytes: int) -> float | None:
        rate = self.bytes_per_s
        return (total_bytes - self._samples[-1][1]) / rate if rate else None


def _names(keys: KeyGroup) -> tuple[str, ...]:
    return tuple(sorted(key.keyid for key in keys.keys))


def _shown(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M")


def _table(table: Mapping[str, JsonValue], key: str) -> Mapping[str, JsonValue]:
    value = table.get(key)
    if not isinstance(value, dict):
        raise StrictJsonError(f"{key} is missing or not an object")
    return value


def _whole(table: Mapping[str, JsonValue], key: str) -> int:
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_VERSION:
        raise StrictJsonError(f"{key[:40]} is not a whole number above 0")
    return value


def _release_key(known: Mapping[str, JsonValue], name: JsonValue, version: int) -> TrustedKey:
    key = known.get(name) if isinstance(name, str) else None
    if not isinstance(key, dict) or key.get("keytype") != "ed25519":
        raise StrictJsonError("the role targets names a key that is not a listed Ed25519 key")
    text = _table(key, "keyval").get("public")
    if not isinstance(text, str) or re.fullmatch(r"[0-9a-f]{64}", text) is None:
        raise StrictJsonError("a key of the role targets is not 32 bytes in hex")
    raw = bytes.fromhex(text)
    return TrustedKey(key_id(raw), raw, f"release key {key_id(raw)[:8]} (root {version})")
