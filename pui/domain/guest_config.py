"""What the guest is told before pi starts: an ordered list of control orders.

In: a GuestSetup. Out: CtlCommands: config, mounts, pi's files, its environment, start. Never: I/O, a real key.
Source: pui/guest/protocol.md, section 2; pi 1.5.2 docs/cli.md, models.md, environment-variables.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pui.domain.demo_extension import SOURCE as DEMO_EXTENSION
from pui.domain.events import JsonValue
from pui.domain.handshake import CtlCommand
from pui.domain.launch_plan import CACHE_TAG
from pui.domain.model_policy import ModelChoice, SecretText

AGENT_UID = 1000
AGENT_HOME = "/home/agent"
AGENT_DIR = "/home/agent/.pi/agent"
SESSION_DIR = "/home/agent/.pi/sessions"
SESSION_FILE = f"{SESSION_DIR}/continued.jsonl"
COMPILE_CACHE = "/opt/pui/compile-cache"
NODE = "/usr/bin/node"
PI_ENTRY = "/opt/pui/pi/dist/bundle/cli.js"
RELAY_URL = "http://127.0.0.1:8089"
CACHE_PATH = "/cache"
"""Where a task with a cache volume finds it; everything below survives the task."""
CACHE_ENVIRONMENT: Mapping[str, str] = {
    "XDG_CACHE_HOME": f"{CACHE_PATH}/xdg",
    "npm_config_cache": f"{CACHE_PATH}/npm",
    "PIP_CACHE_DIR": f"{CACHE_PATH}/pip",
    "CARGO_HOME": f"{CACHE_PATH}/cargo",
    "GOMODCACHE": f"{CACHE_PATH}/go/mod",
    "GOCACHE": f"{CACHE_PATH}/go/build",
    "CCACHE_DIR": f"{CACHE_PATH}/ccache",
}
"""Where package managers and compilers keep what they can fetch or make again."""
_CHUNK_BYTES = 16_384
_DEMO_CONTEXT_TOKENS = 128_000

# pi guesses these from the address, and the relay's says nothing: what every compatible server understands.
_PLAIN_COMPLETIONS: Mapping[str, JsonValue] = {
    "supportsStore": False,
    "supportsDeveloperRole": False,
    "maxTokensField": "max_tokens",
}

PI_ENVIRONMENT: Mapping[str, str] = {
    "HOME": AGENT_HOME,
    "USER": "agent",
    "LOGNAME": "agent",
    "SHELL": "/bin/bash",
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    "LANG": "C.UTF-8",
    "TMPDIR": "/tmp",  # noqa: S108 - the guest's own
    "TERM": "dumb",
    "GIT_TERMINAL_PROMPT": "0",
    "PI_OFFLINE": "1",
    "PI_SKIP_VERSION_CHECK": "1",
    "PI_TELEMETRY": "0",
    "PI_CODING_AGENT_DIR": AGENT_DIR,
    "PI_CODING_AGENT_SESSION_DIR": SESSION_DIR,
    "NODE_COMPILE_CACHE": COMPILE_CACHE,
}


@dataclass(frozen=True)
class GuestMount:
    """A folder to mount: `fs_type` is "virtiofs" or "9p"; `path` is absolute in the guest."""

    tag: str
    path: str
    fs_type: str
    is_read_only: bool


@dataclass(frozen=True)
class GuestSetup:
    """All that one task's guest needs to know. `clock_ns` is Unix time, `token` is what the model gateway asks for.

    `has_person`: somebody is there to answer questions. `session`: the session file that pi goes on from, if any.
    """

    hostname: str
    clock_ns: int
    entropy: bytes
    mounts: tuple[GuestMount, ...]
    working_dir: str
    model: ModelChoice
    token: SecretText
    project_is_trusted: bool = False
    has_person: bool = False
    has_cache: bool = False
    session: bytes = b""


def cache_mount() -> CtlCommand:
    """The order that mounts the cache volume. One of its own, because a damaged volume must not end the task."""
    return _mount(GuestMount(CACHE_TAG, CACHE_PATH, "ext4", is_read_only=False))


def set_clock(clock_ns: int) -> CtlCommand:
    """The order that sets the guest's clock again: Unix time."""
    return CtlCommand("config", (("clock_ns", clock_ns),))


def plan_guest_config(setup: GuestSetup) -> tuple[CtlCommand, ...]:
    """The orders in the order of protocol.md; `start` is the last. The caller numbers them."""
    config = CtlCommand(
        "config", (("hostname", setup.hostname), ("clock_ns", setup.clock_ns), ("entropy", setup.entropy.hex()))
    )
    files = [
        *_file(f"{AGENT_DIR}/models.json", _json(models_json(setup.model, setup.token))),
        *_file(f"{AGENT_DIR}/settings.json", _json(settings_json())),
        *(_file(SESSION_FILE, setup.session) if setup.session else []),
        *(_file(f"{AGENT_DIR}/extensions/pui-demo.js", DEMO_EXTENSION) if _has_demo_extension(setup) else []),
    ]
    variables = {**PI_ENVIRONMENT, **(CACHE_ENVIRONMENT if setup.has_cache else {})}
    env = [CtlCommand("env", (("name", name), ("value", value))) for name, value in variables.items()]
    return (config, *map(_mount, setup.mounts), *files, *env, _start(setup))


def _has_demo_extension(setup: GuestSetup) -> bool:
    return setup.model.is_demo and setup.has_person


def pi_argv(model: ModelChoice, *, project_is_trusted: bool = False, has_session: bool = False) -> tuple[str, ...]:
    """pi's command line. SIGUSR1 must not open Node's inspector to the tools; trust cannot be asked over RPC."""
    return (
        NODE,
        "--disable-sigusr1",
        PI_ENTRY,
        "--mode",
        "rpc",
        "--offline",
        "--session-dir",
        SESSION_DIR,
        *(("--session", SESSION_FILE) if has_session else ()),
        "--provider",
        model.provider,
        "--model",
        model.model,
        "--no-mcp",
        "--approve" if project_is_trusted else "--no-approve",
    )


def models_json(model: ModelChoice, token: SecretText) -> dict[str, JsonValue]:
    """pi's models.json: the chosen provider goes to the relay with the task's token as its key."""
    provider: dict[str, JsonValue] = {"baseUrl": f"{RELAY_URL}/{model.provider}", "apiKey": token.reveal()}
    if not model.kind.is_built_in:
        provider |= {"api": model.kind.api, "models": [_own_model(model)]}
    if not model.kind.is_built_in and model.kind.api == "openai-completions":
        provider["compat"] = dict(_PLAIN_COMPLETIONS)
    return {"providers": {model.provider: provider}}


def settings_json() -> dict[str, JsonValue]:
    """pi's settings.json: no cache warming (requests without a task's need), no trust by default."""
    return {"cacheWarming": "off", "defaultProjectTrust": "never", "quietStartup": True}


def _own_model(model: ModelChoice) -> JsonValue:
    free: JsonValue = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
    name = "Demo (scripted)" if model.is_demo else model.model
    own: dict[str, JsonValue] = {"id": model.model, "name": name, "input": ["text"], "reasoning": False, "cost": free}
    return own | {"contextWindow": _DEMO_CONTEXT_TOKENS, "maxTokens": 8192}


def _mount(mount: GuestMount) -> CtlCommand:
    return CtlCommand(
        "mount",
        (("tag", mount.tag), ("path", mount.path), ("type", mount.fs_type), ("ro", int(mount.is_read_only))),
    )


def _json(value: JsonValue) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode("ascii")


def _file(path: str, data: bytes) -> list[CtlCommand]:
    """As many orders as the line limit asks for: percent-encoding can treble the bytes."""
    parts = [data[at : at + _CHUNK_BYTES] for at in range(0, len(data), _CHUNK_BYTES)] or [b""]
    return [
        CtlCommand(
            "file", (("path", path), ("mode", "600"), ("owner", "agent"), ("append", int(number > 0)), ("data", part))
        )
        for number, part in enumerate(parts)
    ]


def _start(setup: GuestSetup) -> CtlCommand:
    has_session = bool(setup.session)
    argv = pi_argv(setup.model, project_is_trusted=setup.project_is_trusted, has_session=has_session)
    return CtlCommand(
        "start",
        (*(("argv", word) for word in argv), ("cwd", setup.working_dir), ("uid", AGENT_UID), ("gid", AGENT_UID)),
    )
