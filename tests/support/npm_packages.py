"""Packages of npm that a test needs, installed once per lock file into pui's cache folder.

In: a folder with package.json and package-lock.json. Out: its node_modules. Never: a script of a package; network after
the first run.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from pui.adapters.paths import app_paths

INSTALL = "apt-get install -y --no-install-recommends nodejs npm"


def node_modules(folder: Path, name: str) -> Path:
    """What the lock file of `folder` says, in the cache as `name`."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is missing, {name} needs it. Run: {INSTALL}")
    lock = (folder / "package-lock.json").read_bytes()
    target = app_paths().cache / name / hashlib.sha256(lock).hexdigest()[:16]
    if not target.is_dir():
        _install(folder, target)
    return target / "node_modules"


def _install(folder: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=target.parent))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(folder / name, work)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode != 0:
        shutil.rmtree(work)
        pytest.fail(f"npm could not install {folder.name} (the first run needs the network):\n{done.stderr[-2000:]}")
    try:
        work.rename(target)
    except OSError:  # another worker was faster: its copy is the same
        shutil.rmtree(work)
