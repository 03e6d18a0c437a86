"""Scenes for the page: shapes of docs/bridge.md with believable content.

In: nothing. Out: ScriptedBridge objects ready to be served, and builders for single shapes.
Never: a clock that runs: `NOW_MS` is the page's time of writing, tests may give another.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pui.domain.platforms import find_platform, jail_words
from tests.support.scripted_bridge import Params, ScriptedBridge

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def now_ms() -> int:
    return int(time.time() * 1000)


def folder(name: str, *, read_only: bool = False, warnings: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """A Folder: one that the person has granted."""
    path = more.pop("path", f"/home/ada/src/{name}")
    return {
        "id": f"f{sum(name.encode()):x}",
        "name": name,
        "path": path,
        "read_only": read_only,
        "warnings": list(warnings),
        "exists": True,
        "last": None,
        **more,
    }


def task(task_id: str, title: str, state: str, **more: Any) -> dict[str, Any]:
    """A TaskRow. `ago_ms`: how long ago it was made; `result`: the outcome of one that is over."""
    labels = {
        "created": "Created",
        "preflight": "Checking this computer",
        "setup-required": "Set-up required",
        "overlay-prep": "Preparing the disk",
        "qemu-launch": "Starting the machine",
        "handshake": "Waiting for pi",
        "running": "Running",
        "teardown": "Cleaning up",
        "finished": "Finished",
        "stranded": "Needs cleaning",
    }
    made = now_ms() - more.pop("ago_ms", 12 * MINUTE_MS)
    result = more.pop("result", None)
    outcome = {"result": result, "code": more.pop("code", ""), "message": more.pop("message", ""), "hint": ""}
    is_over = state in {"finished", "stranded"}
    row = {
        "task_id": task_id,
        "title": title,
        "state": state,
        "state_label": labels[state],
        "tags": ["busy", "usable"] if state == "running" else ["busy"],
        "agent_state": "streaming" if state == "running" else "",
        "agent_label": "Working" if state == "running" else "",
        "needs_you": "",
        "runs_elsewhere": False,
        "is_live": state in {"overlay-prep", "qemu-launch", "handshake", "running", "teardown"},
        "is_over": is_over,
        "folders": [
            {
                "name": "birds",
                "path": "/home/ada/src/birds",
                "read_only": False,
                "guest_path": "/workspace/birds",
                "share": "virtiofs",
            }
        ],
        "model": {
            "provider": "anthropic",
            "model": "claude-opus-5-5",
            "label": "claude-opus-5-5 (anthropic at api.anthropic.com)",
            "is_demo": False,
        },
        "network": "model",
        "network_label": "Model only",
        "cost_usd": 0.0,
        "tokens": None,
        "created_ms": made,
        "changed_ms": made + MINUTE_MS,
        "ended_ms": made + 4 * MINUTE_MS if is_over else None,
        "state_since_ms": made + 2 * 1000,
        "outcome": outcome if result else None,
        "accelerator": "kvm",
        "is_emulated": False,
        "changed_files": None,
        "flagged_files": None,
        "continues": "",
        "earlier_keys": 0,
        "earlier_messages": 0,
        "branch_key": 0,
        "can_continue": False,
        "can_branch": False,
    }
    return {**row, **more}


def a_folder_of_a_task(name: str, *, read_only: bool = False) -> dict[str, Any]:
    path = f"/home/ada/src/{name}"
    guest = f"/workspace/{name}"
    return {"name": name, "path": path, "read_only": read_only, "guest_path": guest, "share": "virtiofs"}


def eight_tasks() -> list[dict[str, Any]]:
    """A daily user's list: one of each kind that matters."""
    demo = {"provider": "demo", "model": "demo", "label": "demo model (scripted)", "is_demo": True}
    tokens = {"input": 182_400, "output": 9_120, "cache_read": 151_000, "cache_write": 20_100, "total": 362_620}
    web, api, notes = (a_folder_of_a_task(name) for name in ("storefront", "billing-api", "field-notes"))
    return [
        task("t-question", "Move the invoice totals to integer cents", "running", needs_you="question",
             agent_state="waiting-for-answer", agent_label="Asking you", folders=[api], cost_usd=1.42, tokens=tokens,
             ago_ms=31 * MINUTE_MS),
        task("t-turn", "Find why the basket test is flaky", "running", needs_you="turn", agent_state="idle",
             agent_label="Idle", folders=[web], cost_usd=0.38, tokens=tokens, changed_files=3, ago_ms=52 * MINUTE_MS),
        task("t-work", "Add a dark theme to the account pages and check contrast everywhere", "running",
             folders=[web, a_folder_of_a_task("design-tokens", read_only=True)], cost_usd=0.87, tokens=tokens,
             changed_files=11, ago_ms=9 * MINUTE_MS),
        task("t-boot", "Translate the help pages to Portuguese", "handshake", folders=[notes], ago_ms=11_000,
             state_since_ms=now_ms() - 4_000, agent_state="", agent_label=""),
        task("t-setup", "Profile the nightly import", "setup-required", needs_you="setup", folders=[api],
             ago_ms=3 * MINUTE_MS, accelerator=""),
        task("t-done", "Count the birds in birds.txt", "finished", result="completed", model=demo, cost_usd=0.0,
             network="offline", network_label="Offline", changed_files=2, flagged_files=1, ago_ms=26 * HOUR_MS),
        task("t-failed", "Upgrade the build to the new compiler", "finished", result="failed",
             code="guest.agent_exit", message="pi ended with status 137", folders=[api], cost_usd=2.17,
             tokens=tokens, ago_ms=28 * HOUR_MS),
        task("t-cancelled", "Rewrite the README", "finished", result="cancelled", code="task.cancelled",
             message="cancelled in the state running", folders=[notes], cost_usd=0.04, ago_ms=50 * HOUR_MS),
    ]  # fmt: skip


def pack(version: int, state: str = "active", **more: Any) -> dict[str, Any]:
    labels = {"active": "Active", "previous": "Previous", "trial": "On trial", "failed": "Failed its trial",
              "corrupt": "Damaged", "retired": "To be removed"}  # fmt: skip
    return {
        "pack_id": f"pui-linux-x86_64-{version}",
        "version": version,
        "state": state,
        "state_label": labels[state],
        "reason": "",
        "size_bytes": 343_102_118,
        "signed_by": "7f3a9c01d2",
        "created": "2026-11-20T15:37:22Z",
        "components": {"pi": "0.74.2", "node": "22.14.0", "kernel": "6.12.9", "qemu": "10.0.8", "virtiofsd": "1.13.0"},
        **more,
    }


def trust(**more: Any) -> dict[str, Any]:
    shown = {"fingerprint": "5f2c" * 16, "version": 1, "expires": "2027-11-26T09:10:11Z", "is_shipped": True}
    return {**shown, "problem": "", **more}


def pack_view(**more: Any) -> dict[str, Any]:
    active, previous = pack(2026112001), pack(2026100201, "previous", created="2026-10-02T09:10:11Z")
    return {
        "active": active,
        "previous": previous,
        "packs": [active, previous],
        "disk_use_bytes": 702_310_400,
        "disk_limit_bytes": 4_000_000_000,
        "channel": "stable",
        "trust": trust(),
        "can_build": True,
        "update": None,
        "last_check_ms": now_ms() - 3 * HOUR_MS,
        "check_error": None,
        "job": None,
        **more,
    }


def no_pack_view(**more: Any) -> dict[str, Any]:
    nothing = {"active": None, "previous": None, "packs": [], "disk_use_bytes": 0, "last_check_ms": None}
    return pack_view(**{**nothing, **more})


def job(**more: Any) -> dict[str, Any]:
    return {
        "job_id": "j1",
        "kind": "install",
        "phase": "download",
        "phase_label": "Downloading",
        "done_bytes": 121_400_000,
        "total_bytes": 343_102_118,
        "rate_bytes_s": 8_200_000,
        "left_s": 27,
        "started_ms": now_ms() - 15_000,
        "state": "running",
        "can_cancel": True,
        "error": None,
        "note": "",
        **more,
    }


def finding(
    code: str, severity: str, title: str, message: str, hint: str, action: str = "", **more: Any
) -> dict[str, Any]:
    words = {"code": code, "severity": severity, "title": title, "message": message, "hint": hint, "action": action}
    return {**words, "steps": [], **more}


NO_JAIL = {"is_on": False, "reason": jail_words(find_platform("linux", "x86_64"))}


def setup_view(**more: Any) -> dict[str, Any]:
    return {
        "is_ready": True,
        "is_checking": False,
        "started_ms": None,
        "checked_ms": now_ms() - 2 * MINUTE_MS,
        "accelerator": {"name": "kvm", "label": "KVM", "is_emulated": False},
        "jail": {**NO_JAIL},
        "findings": [],
        "computer": {
            "os": "Debian GNU/Linux 13",
            "arch": "x86_64",
            "kernel": "6.12.9",
            "cpu": "AMD Ryzen 7 7840U",
            "cpu_count": 16,
            "memory_total_mib": 31_900,
            "memory_free_mib": 18_240,
            "disk_free_bytes": 212_000_000_000,
        },
        "limits": {"machine_limit": 4, "memory_range_mib": [512, 24_576], "cpu_range": [1, 16]},
        "data_dir": "/home/ada/.local/share/pui",
        **more,
    }


def models_view(**more: Any) -> dict[str, Any]:
    no_key = {"is_set": False, "ending": "", "source": ""}

    def provider(name: str, label: str, needs_key: bool, models: list[str], **rest: Any) -> dict[str, Any]:
        first = models[0] if models else ""
        base = {"name": name, "label": label, "needs_key": needs_key, "key": no_key, "address": "", "models": models}
        return {**base, "default_model": first, **rest}

    anthropic_key = {"is_set": True, "ending": "3f9c", "source": "keystore"}
    return {
        "providers": [
            provider("demo", "Demo model (scripted, no key)", False, ["demo"]),
            provider("anthropic", "Anthropic", True, ["claude-opus-5-5", "claude-haiku-5-5"], key=anthropic_key,
                     address="api.anthropic.com"),
            provider("openai", "OpenAI", True, ["gpt-6.1-sol"], address="api.openai.com"),
            provider("openai-compatible", "OpenAI-compatible server", False, [], address=""),
        ],
        "default": {"provider": "anthropic", "model": "claude-opus-5-5"},
        "key_stores": ["memory", "file", "keystore"],
        **more,
    }  # fmt: skip


def settings(**more: Any) -> dict[str, Any]:
    return {
        "theme": "system",
        "contrast": "normal",
        "text_scale": 100,
        "motion": "system",
        "language": "en",
        "network": "model",
        "memory_mib": 2048,
        "cpu_count": 2,
        "thinking": "medium",
        "model": {"provider": "anthropic", "model": "claude-opus-5-5"},
        "cache": True,
        "channel": "stable",
        "update_check": True,
        "update_interval_h": 24,
        "update_on_metered": False,
        "update_download": False,
        "disk_limit_bytes": 4_000_000_000,
        "notify_needs_you": True,
        "notify_done": True,
        "notify_failed": True,
        "data_dir": "/home/ada/.local/share/pui",
        **more,
    }


LAST_CHOICE = {
    "network": "model",
    "model": {"provider": "anthropic", "model": "claude-haiku-5-5"},
    "thinking": "low",
    "memory_mib": 4096,
    "cpu_count": 4,
    "read_only": False,
}
DEMO_MODEL = {"provider": "demo", "model": "demo"}


def hello(**more: Any) -> dict[str, Any]:
    return {
        "version": "0.2.0",
        "platform": "linux-x86_64",
        "carrier": "browser",
        "is_emulation_allowed": False,
        "notes": [],
        "notifications": {"problem": ""},
        "settings": settings(),
        "tasks": [],
        "setup": setup_view(),
        "packs": pack_view(),
        "models": models_view(),
        "folders": [
            folder("billing-api"),
            folder("storefront", last=LAST_CHOICE),
            folder("design-tokens", read_only=True),
            folder("field-notes", warnings=("This folder is on a network drive: it may be slow.",)),
        ],
        **more,
    }  # fmt: skip


def scripted(page: dict[str, Any]) -> ScriptedBridge:
    """A bridge that answers the verbs that change little by changing `page` and sending the event."""
    bridge = ScriptedBridge(page)

    def set_setting(params: Params) -> Any:
        page["settings"] = {**page["settings"], params["key"]: params["value"]}
        bridge.send({"type": "settings", "settings": page["settings"]})
        return page["settings"]

    def rename(params: Params) -> Any:
        for row in page["tasks"]:
            if row["task_id"] == params["task_id"]:
                row["title"] = params["title"]
                bridge.send({"type": "task", "row": row})
        return {}

    def remove(params: Params) -> Any:
        page["tasks"] = [row for row in page["tasks"] if row["task_id"] != params["task_id"]]
        bridge.send({"type": "task_removed", "task_id": params["task_id"]})
        return {}

    bridge.answer("settings.set", set_setting)
    bridge.answer("app.presence", lambda _params: {})
    bridge.answer("task.rename", rename)
    bridge.answer("task.remove", remove)
    for verb in ("start", "cancel", "retry", "finish", "close"):
        bridge.answer(f"task.{verb}", lambda _params: {})
    bridge.answer("task.again", lambda _params: {"task_id": "t-new"})
    bridge.answer("task.create", lambda _params: {"task_id": "t-new"})
    bridge.answer("setup.check", lambda _params: page["setup"])
    bridge.answer("folder.list", lambda _params: page["folders"])
    bridge.answer("model.list", lambda _params: page["models"])
    bridge.answer("pack.check", lambda _params: page["packs"])
    bridge.answer("pack.skip", lambda _params: page["packs"])
    for verb in ("install", "update", "repair", "verify", "clean", "try", "rollback"):
        bridge.answer(f"pack.{verb}", lambda _params: {"job_id": "j1"})
    bridge.answer("pack.cancel", lambda _params: {})
    return bridge


def daily() -> ScriptedBridge:
    """Eight tasks in different states on a good computer."""
    return scripted(hello(tasks=eight_tasks()))


def fresh() -> ScriptedBridge:
    """A newcomer: nothing installed, nothing run."""
    missing = finding("pack.missing", "blocker", "The runtime is not installed",
                      "Tasks run in a small Linux machine that pui brings along; it is not on this computer yet.",
                      "Install it; it is verified before it is used.", "install_pack")  # fmt: skip
    view = setup_view(is_ready=False, accelerator=None, findings=[missing])
    own, models = settings(model=DEMO_MODEL), models_view(default=DEMO_MODEL)
    return scripted(hello(setup=view, packs=no_pack_view(), folders=[], settings=own, models=models))


def emulated() -> ScriptedBridge:
    """The developer switch is on: loud everywhere."""
    note = finding("accel.developer_switch", "note", "Emulation is allowed",
                   "DEVELOPER SWITCH: tasks run under emulation (TCG), slowly and without isolation.",
                   "Unset PUI_ALLOW_TCG to go back to hardware acceleration only.")  # fmt: skip
    broken = finding("accel.broken", "warning", "Acceleration does not work",
                     "The accelerator opens but a probe machine did not run on it (kvm): no answer within 2 s",
                     "Run pui on the physical computer, or ask the operator for nested virtualization.", "open_help",
                     steps=["Run `lscpu | grep Virtualization` and look for VT-x or AMD-V.",
                            "Restart, open the firmware set-up and turn on «Intel VT-x» or «AMD SVM».",
                            "`sudo modprobe kvm_amd` loads the module."])  # fmt: skip
    tcg = {"name": "tcg", "label": "Emulation (TCG)", "is_emulated": True}
    rows = [{**row, "is_emulated": True, "accelerator": "tcg"} for row in eight_tasks()[:3]]
    view = setup_view(accelerator=tcg, findings=[broken, note])
    return scripted(hello(setup=view, tasks=rows, is_emulation_allowed=True))


def installing() -> ScriptedBridge:
    """The newcomer, a moment later: the runtime is on its way."""
    bridge = fresh()
    bridge.hello["packs"] = no_pack_view(job=job())
    return bridge


HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>${alert(1)} javascript:alert(1)'


def hostile() -> ScriptedBridge:
    """Every text that a guest or a folder can fill carries markup."""
    rows = [{**row, "title": f"{HOSTILE} {row['title']}", "agent_label": HOSTILE} for row in eight_tasks()]
    for row in rows:
        row["folders"] = [{**one, "name": HOSTILE, "path": f"/home/ada/{HOSTILE}"} for one in row["folders"]]
    folders = [folder(HOSTILE, path=f"/srv/{HOSTILE}", warnings=(HOSTILE,))]
    bad = finding(HOSTILE, "warning", HOSTILE, HOSTILE, HOSTILE, "", steps=[HOSTILE])
    return scripted(hello(tasks=rows, folders=folders, setup=setup_view(findings=[bad])))


SCENES: dict[str, Callable[[], ScriptedBridge]] = {
    "daily": daily,
    "fresh": fresh,
    "installing": installing,
    "emulated": emulated,
    "hostile": hostile,
}
