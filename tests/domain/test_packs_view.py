"""What a person is shown of packs and jobs: shapes of docs/bridge.md, words of others scrubbed.

In: listed packs, jobs. Out: JSON. Never: a control character, an error's detail.
"""

from __future__ import annotations

from typing import Any, get_args

import pytest

from pui.domain.errors import PuiError
from pui.domain.pack_job import PHASE_LABELS, Job, Phase, Step, job_view, state_of_error
from pui.domain.pack_life import PackView, StoreView, unhealthy
from pui.domain.packs_view import ListedPack, PackSurroundings, StoreFacts, packs_view
from pui.domain.update_policy import KnownOffer, UpdateState

LABELS = {"failed": "Failed its trial"}


def view(**facts: Any) -> dict[str, Any]:
    around = PackSurroundings("https://h/", 5, can_build=False, state_labels=LABELS)
    return dict(packs_view(StoreFacts(**facts), around, UpdateState(), None))


def test_a_pack_that_cannot_be_read_is_shown_with_its_problem() -> None:
    broken = ListedPack("linux-x86_64-1-0123456789ab", "active", None, "", "pack.corrupt: \x1b[2Jgone")
    shown = view(packs=(broken,))
    (pack,) = shown["packs"]
    assert shown["active"] == pack
    assert (pack["version"], pack["size_bytes"], pack["components"]) == (0, 0, {})
    assert (pack["state"], pack["state_label"]) == ("absent", "absent")
    assert "pack.corrupt" in pack["reason"]
    assert "\x1b" not in pack["reason"]


def test_only_what_went_wrong_has_a_reason() -> None:
    listed = ListedPack("p", "", None, "")
    life = StoreView({"p": PackView("p", "failed", reason_code="guest.boot_timeout", reason="no hello")})
    (pack,) = view(packs=(listed,), life=life)["packs"]
    assert (pack["reason"], pack["state_label"]) == ("guest.boot_timeout no hello", "Failed its trial")
    life = StoreView({"p": PackView("p", "active", reason_code="x", reason="y")})
    assert view(packs=(listed,), life=life)["packs"][0]["reason"] == ""
    assert (
        "guest.boot_timeout: no hello"
        in unhealthy(PackView("p", "failed", 0, 1, "guest.boot_timeout", "no hello")).message
    )


def test_the_offer_and_the_last_error_are_shown() -> None:
    around = PackSurroundings("", None, can_build=True, state_labels={})
    offer = KnownOffer(7, "p-7", 100, 9)
    updates = UpdateState(5, offer, PuiError("index.expired", "old", detail="secret"), 7)
    shown: dict[str, Any] = dict(packs_view(StoreFacts(), around, updates, Job("j", "update", 1)))
    assert shown["update"] == {
        "version": 7,
        "pack_id": "p-7",
        "size_bytes": 100,
        "download_bytes": 9,
        "is_skipped": True,
    }
    assert (shown["check_error"]["code"], shown["last_check_ms"]) == ("index.expired", 5)
    assert "secret" not in str(shown)
    assert shown["job"]["phase"] == "waiting"


def test_a_job_in_numbers_and_words() -> None:
    running = Job("j", "update", 1, step=Step("downloading", 5, 10, "a note"), rate_bytes_s=2.4, left_s=2.1)
    shown = job_view(running)
    assert (shown["done_bytes"], shown["total_bytes"], shown["rate_bytes_s"], shown["left_s"]) == (5, 10, 2, 2)
    assert (shown["note"], shown["can_cancel"], shown["error"]) == ("a note", True, None)
    over = job_view(Job("j", "clean", 1, "failed", Step("cleaning"), error=PuiError("host.busy", "no"), note="end"))
    assert (over["total_bytes"], over["can_cancel"], over["note"]) == (None, False, "end")
    assert set(PHASE_LABELS) == set(get_args(Phase))


@pytest.mark.parametrize(
    ("code", "state"), [("job.cancelled", "cancelled"), ("fetch.cancelled", "cancelled"), ("host.busy", "failed")]
)
def test_a_stopped_job_has_not_failed(code: str, state: str) -> None:
    assert state_of_error(PuiError(code, "x")) == state
