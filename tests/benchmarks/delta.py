"""What an update costs when pi alone, or the kernel alone, is another: bytes, seconds, memory, by four ways.

In: the active pack; two packs built from its lock with one other input each (needs the inputs or the mirrors, two
minutes). Out: a table. Never: the person's own folders changed; packs are published and installed in a temporary one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pui.adapters.channel.publish import Publisher
from pui.adapters.channel.signing_keys import ALL_NAMES, SigningKeys, make_keys
from pui.adapters.packs.keys import load_trust
from pui.adapters.paths import app_paths
from pui.packbuild.apt import PrivateApt
from pui.packbuild.build import BuildOptions, build_pack
from pui.packbuild.downloads import DownloadCache
from pui.packbuild.lock import Lock, LockedInput, parse_lock, render_lock
from pui.packbuild.mirrors import choose_debian_mirror, npm_registry, read_apt_sources
from pui.packbuild.npm import resolve_npm
from tests.benchmarks.report import Table
from tests.support.channel_rig import StaticFolder
from tests.support.pack_server import pack_server

ROOT = Path(__file__).parents[2]
PI, KERNEL = "@earendil-works/pi-coding-agent", "linux-image-amd64"
WAYS = ("whole archive", "files one by one", "files and differences")
LEVEL = 10


def measure(pack: Path, rounds: int) -> list[Table]:
    """One round: bytes do not vary."""
    lock = parse_lock((pack / "versions.lock").read_bytes())
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory(prefix="pui-bench") as name:
        base = Path(name)
        old = _built(base / "old", lock, lock.created)
        for what, change in (("pi alone", _other_pi), ("kernel alone", _other_kernel)):
            new = _built(base / what.split()[0], change(base, lock), "2031-01-01T00:00:00Z")
            rows += [(what, *row) for row in _one(base / f"channel {what}", old, new)]
    columns = ("update", "way", "MiB to fetch", "fetch and prove s", "install s", "peak MiB")
    return [Table("delta", columns, rows)]


def _built(folder: Path, lock: Lock, created: str) -> Path:
    folder.mkdir()
    lock_path, paths = folder / "versions.lock", app_paths()
    lock_path.write_bytes(render_lock(replace(lock, created=created)))
    options = BuildOptions(folder, paths.cache, paths.dev_key, level=LEVEL, lock_path=lock_path)
    return build_pack(options, lambda step: None).archive


def _exchanged(lock: Lock, name: str, new: LockedInput) -> Lock:
    inputs = (replace(new, name=name, parts=item.parts) if item.name == name else item for item in lock.inputs)
    return Lock(lock.created, tuple(sorted(inputs)))


def _other_pi(base: Path, lock: Lock) -> Lock:
    """The newest of the same major version that the registry has."""
    newest = f"{lock.one(PI).version.partition('.')[0]}.x"
    new = resolve_npm(DownloadCache(app_paths().cache, lambda step: None), npm_registry(), PI, newest, "pi")
    return _checked(_exchanged(lock, PI, new), lock)


def _other_kernel(base: Path, lock: Lock) -> Lock:
    apt = PrivateApt(base / "apt", choose_debian_mirror(read_apt_sources()), "amd64")
    apt.update()
    [new] = apt.pin([address for address in apt.closure([KERNEL]) if "/linux-image-6" in address], "kernel")
    return _checked(_exchanged(lock, "linux-image", new), lock)


def _checked(new: Lock, old: Lock) -> Lock:
    if new == old:
        raise RuntimeError("the mirrors have nothing newer than the pack: nothing to compare")
    return new


def _one(base: Path, old: Path, new: Path) -> list[tuple[str, ...]]:
    base.mkdir()
    make_keys(base / "keys", ALL_NAMES, None)
    publisher = Publisher(base / "www", SigningKeys(base / "keys"), load_trust(app_paths().trust_dir))
    publisher.publish([old])
    with pack_server(StaticFolder(lambda: base / "www", {})) as (address, _):
        _child(base, address, "whole archive")
        publisher.publish([new])
        rows = []
        for way in WAYS:
            found = _child(base, address, way)
            mib = f"{found['bytes'] / 2**20:.2f}"
            rows.append((way, mib, f"{found['fetch_s']:.2f}", f"{found['install_s']:.2f}", f"{found['peak_mib']:.0f}"))
    return [*rows, _patched(base, old, new)]


def _child(base: Path, address: str, way: str) -> dict[str, float]:
    """In a process of its own, so that its memory can be told."""
    command = [sys.executable, "-m", "tests.support.delta_child", str(base), address, way]
    out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(out)
    return found


def _patched(base: Path, old: Path, new: Path) -> tuple[str, ...]:
    """zstd's own command on the whole archives, unpacked."""
    tars = [base / "old.tar", base / "new.tar"]
    for archive, tar in zip((old, new), tars, strict=True):
        subprocess.run(["zstd", "-dqf", "--long=27", str(archive), "-o", str(tar)], check=True)
    patch, back = base / "patch.zst", base / "back.tar"
    long = ["--long=29", f"--patch-from={tars[0]}"]
    subprocess.run(["zstd", "-q", f"-{LEVEL}", *long, str(tars[1]), "-o", str(patch)], check=True)
    size_mib = f"{patch.stat().st_size / 2**20:.2f}"
    took_s, peak = _timed(lambda: ["zstd", "-dq", *long, str(patch), "-o", str(back)])
    return "zstd --patch-from of the archives", size_mib, f"{took_s:.2f}", "", f"{peak:.0f}"


def _timed(command: Callable[[], list[str]]) -> tuple[float, float]:
    """Seconds, and the peak in MiB by a child of our own that starts the command."""
    code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    before_s = time.monotonic()
    argv = [sys.executable, "-c", code, *command()]
    out = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return time.monotonic() - before_s, int(out) / 1024
