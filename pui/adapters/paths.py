"""Every file that the app writes, by name (docs/files.md lists the same).

In: the environment, task ids. Out: paths; private folders that were checked.
Never: the content of a file, a path that somebody else could have prepared.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from pui.domain.errors import CallerError, HostError, SetupError

ENV_DATA_DIR = "PUI_DATA_DIR"
ENV_CACHE_DIR = "PUI_CACHE_DIR"
ENV_RUNTIME_DIR = "PUI_RUNTIME_DIR"
ENV_ALLOW_TCG = "PUI_ALLOW_TCG"
ENV_CHANNEL = "PUI_CHANNEL"

# names of the sockets in <runtime>/<task_id>/ (".sock" is appended by the transport)
SOCKET_QMP = "qmp"
SOCKET_RPC = "rpc"
SOCKET_CTL = "ctl"
SOCKET_MODEL = "model"
SOCKET_SUFFIX = ".sock"

# names in the trust folder
TRUST_ROOT = "root.json"
ROOT_HISTORY = "root_history"

# in a data folder whose content is elsewhere now
MOVED_TO = "moved-to"
MOVE_PLAN = "move.json"
MOVED_FROM = "moved-from"
DATA_LOCK = "in-use.lock"
MOVING_PREFIX = ".pui-move-"
_MAX_MOVES = 8
_MAX_POINTER_BYTES = 4096

SOCKET_PATH_LIMIT_BYTES = 107
"""sun_path of Linux holds 108 bytes, the last one a NUL (unix(7))."""

_TASK_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")


def virtiofsd_socket(tag: str) -> str:
    """Name of the vhost-user socket of one share."""
    return f"fs-{tag}"


@dataclass(frozen=True)
class AppPaths:
    """The three folders of the app and all that lies in them. Nothing is created by looking at a property."""

    data: Path
    cache: Path
    runtime: Path

    @property
    def pack_dir(self) -> Path:
        return self.data / "runtime"

    @property
    def packs_dir(self) -> Path:
        """Installed packs, one immutable folder each, named by its pack id."""
        return self.pack_dir / "packs"

    @property
    def active_pack(self) -> Path:
        """Text file with the id of the active pack."""
        return self.pack_dir / "active"

    @property
    def previous_pack(self) -> Path:
        return self.pack_dir / "previous"

    @property
    def staging_dir(self) -> Path:
        """Packs on their way in; whatever lies here after a crash is rubbish."""
        return self.pack_dir / "staging"

    @property
    def install_lock(self) -> Path:
        return self.pack_dir / "install.lock"

    @property
    def version_floor(self) -> Path:
        """Highest installed pack version per platform: the floor against rollback."""
        return self.pack_dir / "floor.json"

    @property
    def security_floor(self) -> Path:
        """Lowest pack version per platform that a person may go back to without insisting in words."""
        return self.pack_dir / "security-floor.json"

    @property
    def pack_journal(self) -> Path:
        """What happened to each pack: its states, causes and reasons."""
        return self.pack_dir / "journal.jsonl"

    @property
    def check_due(self) -> Path:
        """Exists after an unclean end, until every byte of the active pack was hashed again."""
        return self.pack_dir / "check-due"

    @property
    def folder_grants(self) -> Path:
        """The folders that the person has let pui use, with the last choice for each."""
        return self.data / "folders.json"

    @property
    def window_place(self) -> Path:
        """Size and place of the window."""
        return self.data / "window.json"

    @property
    def instance_socket(self) -> Path:
        """The running window listens here, so that a second start brings it to the front."""
        return self.runtime / "window.sock"

    @property
    def instance_lock(self) -> Path:
        """Held while a window runs."""
        return self.runtime / "window.lock"

    @property
    def trust_dir(self) -> Path:
        """`<keyid>.json`, one per trusted key."""
        return self.data / "trust"

    @property
    def trust_root(self) -> Path:
        """The newest root of the channel whose chain was verified: it names the keys of releases."""
        return self.trust_dir / TRUST_ROOT

    @property
    def root_history(self) -> Path:
        """Earlier roots: packs installed under them go on running."""
        return self.trust_dir / ROOT_HISTORY

    @property
    def channel_state(self) -> Path:
        """Floors of the channel: highest pack version seen, newest signing time. Not part of any cache."""
        return self.data / "channel.json"

    @property
    def channel_lock(self) -> Path:
        return self.data / "channel.lock"

    @property
    def settings(self) -> Path:
        """What the person has chosen for the whole app."""
        return self.data / "settings.json"

    @property
    def model_keys(self) -> Path:
        """Keys that the person wanted in a file (0600), and endings of those in the system's keystore."""
        return self.data / "model-keys.json"

    @property
    def updates(self) -> Path:
        """When the channel was asked last, what it offered, which version the person skips."""
        return self.data / "updates.json"

    @property
    def data_lock(self) -> Path:
        """Held by every running app; whoever moves the data folder holds it alone."""
        return self.data / DATA_LOCK

    @property
    def move_plan(self) -> Path:
        """A move of this folder that is not through: where to, and what has to be removed whichever way it ended."""
        return self.data / MOVE_PLAN

    @property
    def moved_from(self) -> Path:
        """In the new folder: which move made it. Gone once the old one is empty."""
        return self.data / MOVED_FROM

    @property
    def moved_to(self) -> Path:
        """Text file with the folder to which all of this one was moved."""
        return self.data / MOVED_TO

    @property
    def channel_cache(self) -> Path:
        """Metadata of channels and packs being downloaded; may be deleted at any time."""
        return self.cache / "channel"

    @property
    def dev_key(self) -> Path:
        """Private development key (PKCS8 PEM, 0600); made by `pui pack build`, never committed."""
        return self.data / "dev-key" / "ed25519.pem"

    @property
    def tasks_dir(self) -> Path:
        return self.data / "tasks"

    @property
    def cache_volumes(self) -> Path:
        """`<sha256 of the folder's path, 24 hex>.qcow2` with its `.lock`: what tasks of one folder keep."""
        return self.data / "cache-volumes"

    @property
    def probe_cache(self) -> Path:
        """Verdicts of the accelerator probe with what they depend on."""
        return self.data / "probe-cache.json"

    @property
    def app_log(self) -> Path:
        return self.data / "logs" / "pui.jsonl"

    @property
    def downloads_dir(self) -> Path:
        """Inputs of the pack build and packs being fetched, by hash."""
        return self.cache / "downloads"

    @property
    def build_dir(self) -> Path:
        return self.cache / "build"

    def task_dir(self, task_id: str) -> Path:
        """Raises CallerError caller.bad_request for an id that could leave the folder."""
        return self.tasks_dir / checked_task_id(task_id)

    def task_runtime_dir(self, task_id: str) -> Path:
        return self.runtime / checked_task_id(task_id)


def app_paths(env: Mapping[str, str] | None = None) -> AppPaths:
    """The folders of this user, from the environment's overrides or the system's habits. Creates nothing.

    A data folder that was moved leads to its new place. Raises SetupError data.missing, HostError host.permission.
    """
    env = os.environ if env is None else env
    cache = env.get(ENV_CACHE_DIR) or platformdirs.user_cache_path("pui", appauthor=False)
    return AppPaths(data_chain(env)[-1], Path(cache).absolute(), _runtime_path(env).absolute())


def data_chain(env: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """The data folder that is named (--data-dir, PUI_DATA_DIR, else the system's habit) and where each was moved to.

    Raises as app_paths does.
    """
    env = os.environ if env is None else env
    chain = [Path(env.get(ENV_DATA_DIR) or platformdirs.user_data_path("pui", appauthor=False)).absolute()]
    while (target := _moved_to(chain[-1] / MOVED_TO)) is not None:
        if target in chain or len(chain) > _MAX_MOVES:
            raise HostError("host.permission", f"{chain[-1] / MOVED_TO} leads in a circle")
        if not target.is_dir():
            message = f"{chain[-1]} was moved to {target}, which is not there ({chain[-1] / MOVED_TO} says so)"
            raise SetupError("data.missing", message)
        chain.append(target)
    return tuple(chain)


def _moved_to(pointer: Path) -> Path | None:
    """Only what this user wrote is followed."""
    try:
        found = pointer.lstat()
    except OSError:
        return None  # nothing was moved, or whoever uses the folder will say what is wrong with it
    is_ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    if not is_ours or found.st_size > _MAX_POINTER_BYTES:
        raise HostError("host.permission", f"{pointer} is not a file that only you can write")
    target = Path(os.fsdecode(pointer.read_bytes().removesuffix(b"\n")))
    if not target.is_absolute():
        raise HostError("host.permission", f"{pointer} names no absolute path")
    return target


def _runtime_path(env: Mapping[str, str]) -> Path:
    if chosen := env.get(ENV_RUNTIME_DIR):
        return Path(chosen)
    if session := env.get("XDG_RUNTIME_DIR"):
        return Path(session) / "pui"
    return Path(tempfile.gettempdir()) / f"pui-{os.getuid()}"


def checked_task_id(task_id: str) -> str:
    """The id itself when it is a plain name (lower case letters, digits, hyphens; at most 48)."""
    if not _TASK_ID.fullmatch(task_id):
        raise CallerError("caller.bad_request", f"{task_id!r} is not a task id")
    return task_id


def private_dir(path: Path) -> Path:
    """Creates `path` as 0700 if it is absent and checks that it is a real folder that only this user can open.

    Raises HostError host.permission: a link, another owner, or a mode that lets others in. In a shared
    temporary folder anybody may have made that name first.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise HostError("host.permission", f"cannot make the folder {path}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise HostError("host.permission", f"{path} is not a folder")
    if found.st_uid != os.geteuid():
        raise HostError("host.permission", f"{path} belongs to user id {found.st_uid}, not to you")
    if found.st_mode & 0o077:
        raise HostError("host.permission", f"others may open {path}", hint=f"Run: chmod 700 '{path}'")
    return path


def own_dir(path: Path) -> Path:
    """Creates `path` (0700 when new) and checks that nobody else may write to it; others may read an older one."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise HostError("host.permission", f"cannot make the folder {path}: {error.strerror}") from error
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise HostError("host.permission", f"others may write to {path}", hint=f"Run: chmod go-w '{path}'")
    return path
