"""Node's compile cache for pi, made with the pack's own Node at the paths of the guest.

In: the finished tree. Out: entries below `/opt/pui/compile-cache`. Never: a run of anything but Node and pi's
own bundle.
The folder of a cache is named after version, architecture, V8's tag and uid (Node documentation, module compile cache).
The tag was the same on the build machine, under `-cpu max` and under `-cpu Nehalem`.
"""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

from pui.domain.errors import PuiError
from pui.packbuild import pi_part, recipe
from pui.packbuild.guest_root import enter, write_file
from pui.packbuild.run import run
from pui.packbuild.tree import Tree

_GUEST_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108 - a path inside the new root
    "NODE_COMPILE_CACHE": f"/{recipe.GUEST_COMPILE_CACHE}",
    "PI_OFFLINE": "1",
    "PI_SKIP_VERSION_CHECK": "1",
    "PI_TELEMETRY": "0",
    "PI_CODING_AGENT_DIR": "/tmp/agent",  # noqa: S108 - as above
}
_HASH_SEED = "--hash-seed=1"
"""V8 stores hashes of strings, seeded anew in each process, and works them out again when it reads them."""

_NODE_MAGIC = 0x8ADFDBB2
_NODE_HEADER = struct.Struct("<IIIII")
"""Of a cache file (Node's src/compile_cache.cc): magic, code size, cache size, code sum, CRC-32 of what follows."""
_FLAG_HASH = slice(_NODE_HEADER.size + 12, _NODE_HEADER.size + 16)
"""In V8's header: magic, version hash, source hash, then the hash of the command line flags."""


def add_compile_cache(tree: Tree, root: Path) -> None:
    """Run pi once in the guest root `root` and keep what Node cached. Raises PuiError("pack.build").

    The run has a fixed hash seed, so that its bytes repeat. V8 refuses a cache made under other flags than its own;
    therefore the hash of the flags is replaced by that of a run without the seed.
    """
    plain_folder, flag_hash = _plain_run(root)
    seeded = root / recipe.GUEST_COMPILE_CACHE
    _run_node(root, [_HASH_SEED, f"/{pi_part.ENTRY}", "--mode", "rpc", "--offline", "--no-session"])
    files = sorted(path for path in seeded.rglob("*") if path.is_file())
    if not files:
        raise PuiError("pack.build", "Node wrote no compile cache")
    for path in files:
        name = f"{recipe.GUEST_COMPILE_CACHE}/{plain_folder}/{path.name}"
        tree.file(name, with_flag_hash(path.read_bytes(), flag_hash))
    shutil.rmtree(seeded)


def _plain_run(root: Path) -> tuple[str, bytes]:
    """Name of the cache's folder and flag hash of a Node without our seed, from the cache of an empty module."""
    cache = root / recipe.GUEST_COMPILE_CACHE
    write_file(root / "tmp" / "empty.cjs", b"module.exports = 1;\n")
    _run_node(root, ["/tmp/empty.cjs"])  # noqa: S108 - inside the new root
    found = next((path for path in cache.rglob("*") if path.is_file()), None)
    if found is None:
        raise PuiError("pack.build", "Node wrote no compile cache for an empty module")
    result = found.parent.name, found.read_bytes()[_FLAG_HASH]
    shutil.rmtree(found.parent)
    return result


def with_flag_hash(raw: bytes, flag_hash: bytes) -> bytes:
    """A cache file with another flag hash and the sum to match. Raises PuiError("pack.build") on an unknown format."""
    if len(raw) < _FLAG_HASH.stop:
        raise PuiError("pack.build", "a file of Node's compile cache is too short")
    magic, code_size, cache_size, code_sum, cache_sum = _NODE_HEADER.unpack_from(raw)
    body = raw[_NODE_HEADER.size :]
    if magic != _NODE_MAGIC or cache_size != len(body) or zlib.crc32(body) != cache_sum:
        raise PuiError("pack.build", "Node's compile cache has a format that this version of pui does not know")
    start = _FLAG_HASH.start - _NODE_HEADER.size
    body = body[:start] + flag_hash + body[start + len(flag_hash) :]
    return _NODE_HEADER.pack(magic, code_size, cache_size, code_sum, zlib.crc32(body)) + body


def _run_node(root: Path, arguments: list[str]) -> None:
    argv = [*enter(root), "/usr/bin/node", *arguments]
    run(argv, purpose="filling Node's compile cache", env=_GUEST_ENVIRONMENT, timeout_s=120)
