"""When a channel is asked by itself, what is done with its answer, and what is remembered of it.

In: settings, the last check, the time, whether the network is metered. Out: a wait, a decision with its reason, the
bytes of what is remembered. Never: I/O, a clock, randomness of its own; a reason to stop the pack that runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from pui.domain.errors import CODES, CallerError, PuiError
from pui.domain.events import JsonValue
from pui.domain.settings import Settings
from pui.domain.strict_json import StrictJsonError, dump_canonical, load_object

UPDATES_SCHEMA = "pui-updates-1"
MAX_UPDATES_BYTES = 16 * 1024
MAX_TEXT_CHARS = 2000
FIRST_WAIT_S = 60.0
"""A start has better things to do than to ask a channel."""
RETRY_WAIT_S = 3600.0
"""After a check that failed: a network may just be missing."""
JITTER_SHARE = 0.1
"""A channel's clients must not all come at the same minute."""

Answer = Literal["nothing-newer", "skipped", "only-tell", "metered", "install"]


@dataclass(frozen=True)
class KnownOffer:
    """The newest pack that the channel offered. `download_bytes` is what is still to be fetched for it."""

    version: int
    pack_id: str
    size_bytes: int
    download_bytes: int


@dataclass(frozen=True)
class UpdateState:
    """`last_check_ms` is Unix time, None before the first; `offer` only while it is newer than what was installed.

    `error` is why the last check or its update failed; `skip_version` is not offered any more, a later one is.
    """

    last_check_ms: int | None = None
    offer: KnownOffer | None = None
    error: PuiError | None = field(default=None, compare=False)
    skip_version: int | None = None


def due_ms(settings: Settings, state: UpdateState, began_ms: int, now_ms: int, chance: float) -> int | None:
    """When the channel is to be asked next, in Unix time; None while checks are off. `began_ms` is the app's start,
    `chance` from 0 to 1 was drawn by the caller.

    A last check in the future (the clock went back) counts as none.
    """
    if not settings.update_check or not settings.channel:
        return None
    earliest_ms = began_ms + round(FIRST_WAIT_S * 1000 * (1 + chance))
    if state.last_check_ms is None or state.last_check_ms > now_ms:
        return earliest_ms
    interval_s = settings.update_interval_h * 3600.0
    if state.error is not None:
        interval_s = min(interval_s, RETRY_WAIT_S)
    interval_s *= 1 + JITTER_SHARE * (2 * chance - 1)
    return max(state.last_check_ms + round(interval_s * 1000), earliest_ms)


def decide_answer(settings: Settings, state: UpdateState, is_metered: bool) -> Answer:
    """What to do with the offer of a check that went well."""
    if state.offer is None:
        return "nothing-newer"
    if is_skipped(state):
        return "skipped"
    if not settings.update_download:
        return "only-tell"
    if is_metered and not settings.update_on_metered:
        return "metered"
    return "install"


ANSWER_WORDS: dict[Answer, str] = {
    "nothing-newer": "there is nothing newer",
    "skipped": "the version on offer is the one you skip",
    "only-tell": "there is a newer version; it is downloaded when you say so (setting update_download)",
    "metered": "there is a newer version; the network is metered, so it waits (setting update_on_metered)",
    "install": "there is a newer version",
}


def is_skipped(state: UpdateState) -> bool:
    return state.offer is not None and state.offer.version == state.skip_version


def after_check(state: UpdateState, now_ms: int, offer: KnownOffer | None) -> UpdateState:
    """The channel has answered; None: nothing newer."""
    return replace(state, last_check_ms=now_ms, offer=offer, error=None)


def after_failure(state: UpdateState, now_ms: int, error: PuiError) -> UpdateState:
    """The channel did not answer, lied or is out of date; what it offered before is not taken back."""
    return replace(state, last_check_ms=now_ms, error=error)


def with_skip(state: UpdateState, version: int | None) -> UpdateState:
    """Raises CallerError("caller.bad_request") for a version that is not on offer."""
    if version is not None and (state.offer is None or state.offer.version != version):
        raise CallerError("caller.bad_request", f"version {version} is not on offer", hint="`pui pack watch --once`")
    return replace(state, skip_version=version)


def render_updates(state: UpdateState) -> bytes:
    offer, error = state.offer, state.error
    return dump_canonical(
        {
            "schema": UPDATES_SCHEMA,
            "last_check_ms": state.last_check_ms,
            "skip_version": state.skip_version,
            "offer": None
            if offer is None
            else {
                "version": offer.version,
                "pack_id": offer.pack_id,
                "size_bytes": offer.size_bytes,
                "download_bytes": offer.download_bytes,
            },
            "error": None
            if error is None
            else {"code": error.code, "message": error.message[:MAX_TEXT_CHARS], "hint": error.hint[:MAX_TEXT_CHARS]},
        }
    )


def parse_updates(data: bytes) -> UpdateState:
    """Raises CallerError("caller.bad_request") for bytes that render_updates did not make."""
    try:
        table = load_object(data, MAX_UPDATES_BYTES)
        if table.get("schema") != UPDATES_SCHEMA:
            raise StrictJsonError(f"it is not a {UPDATES_SCHEMA}")
        checked, skipped = (_count_or_none(table.get(key)) for key in ("last_check_ms", "skip_version"))
        return UpdateState(checked, _offer(table.get("offer")), _error(table.get("error")), skipped)
    except StrictJsonError as error:
        raise CallerError("caller.bad_request", f"what is known of updates is refused: {error}") from error


def _count_or_none(value: JsonValue) -> int | None:
    return None if value is None else _count(value)


def _count(value: JsonValue) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise StrictJsonError("a number is none")
    return value


def _text(value: JsonValue) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
        raise StrictJsonError("a text is none")
    return value


def _offer(value: JsonValue) -> KnownOffer | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {"version", "pack_id", "size_bytes", "download_bytes"}:
        raise StrictJsonError("the offer has other fields")
    numbers = (_count(value[key]) for key in ("version", "size_bytes", "download_bytes"))
    version, size_bytes, download_bytes = numbers
    return KnownOffer(version, _text(value["pack_id"]), size_bytes, download_bytes)


def _error(value: JsonValue) -> PuiError | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {"code", "message", "hint"} or value["code"] not in CODES:
        raise StrictJsonError("the error is none")
    return PuiError(_text(value["code"]), _text(value["message"]), hint=_text(value["hint"]))
