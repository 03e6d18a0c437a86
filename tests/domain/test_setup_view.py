"""What a person is shown of this computer: each finding with words, a button that can help and steps.

In: verdicts. Out: the SetupView. Never: a look at this computer.
"""

from __future__ import annotations

from typing import Any, get_args

import pytest

from pui.domain.errors import CODES
from pui.domain.facts import OsName
from pui.domain.platforms import PLATFORMS, Platform, jail_words
from pui.domain.preflight import Finding, PackFact, PreflightVerdict, ResourceRequest, decide_preflight
from pui.domain.setup_steps import STEPS, steps_for
from pui.domain.setup_view import TITLES, SetupState, setup_view

NEED = ResourceRequest(512, 1, 1)


def view(code: str, *, has_previous: bool = False, os: OsName = "linux") -> dict[str, Any]:
    verdict = decide_preflight(PackFact("", code, "what\x1b[2J happened", "do this"), None, NEED, tcg_is_allowed=False)
    state = SetupState(os, "x86_64", 4, "/data", verdict, has_previous=has_previous)
    return dict(setup_view(state))


@pytest.mark.parametrize(
    ("code", "has_previous", "action"),
    [
        ("pack.missing", False, "install_pack"),
        ("pack.corrupt", False, "repair_pack"),
        ("pack.unhealthy", False, "try_pack"),
        ("pack.unhealthy", True, "roll_back"),
        ("pack.incompatible", False, "install_pack"),
    ],
)
def test_each_fault_of_the_pack_has_the_button_that_helps(code: str, has_previous: bool, action: str) -> None:
    shown = view(code, has_previous=has_previous)
    (finding,) = shown["findings"]
    assert (finding["code"], finding["severity"], finding["action"]) == (code, "blocker", action)
    assert finding["title"] == CODES[code].meaning
    assert "\x1b" not in finding["message"]
    assert (shown["is_ready"], shown["accelerator"], shown["computer"]) == (False, None, None)


@pytest.mark.parametrize("os", get_args(OsName))
@pytest.mark.parametrize("status", ["missing", "denied", "broken"])
def test_every_system_has_steps_for_every_fault_of_its_accelerator(os: OsName, status: str) -> None:
    steps = steps_for(os, f"accel.{status}")
    assert len(steps) >= 3
    assert "Check again" in steps[-1]
    assert not any("kvm" in step for step in steps if os != "linux" and "CPU model" not in step)


def test_steps_name_only_known_codes_and_the_rest_has_none() -> None:
    assert {code for _, code in STEPS} <= set(CODES)
    assert steps_for("linux", "pack.missing")
    assert steps_for("linux", "share.fallback") == ()


def test_findings_without_an_error_code_have_titles_too() -> None:
    findings = tuple(Finding(code, "note", "m", "h") for code in TITLES)
    state = SetupState("linux", "x86_64", 4, "/data", PreflightVerdict(findings, "tcg", "9p", "", 4.0))
    shown: dict[str, Any] = dict(setup_view(state))
    assert [found["title"] for found in shown["findings"]] == list(TITLES.values())
    assert (shown["is_ready"], shown["accelerator"]["is_emulated"]) == (True, True)
    before: dict[str, Any] = dict(setup_view(SetupState("linux", "x86_64", 4, "/data", started_ms=5)))
    assert (before["is_ready"], before["is_checking"], before["findings"]) == (False, True, [])


@pytest.mark.threat("E13")
@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=lambda platform: f"{platform.os}-{platform.arch}")
def test_without_a_jail_it_is_told_what_holds_qemu_in(platform: Platform) -> None:
    shown = setup_view(SetupState(platform.os, platform.arch, 4, "/data", jail_reason=jail_words(platform)))
    assert shown["jail"] == {"is_on": False, "reason": jail_words(platform)}
    assert ("seccomp" in jail_words(platform)) == platform.has_sandbox
    assert jail_words(platform).isprintable() and len(jail_words(platform)) > 20
