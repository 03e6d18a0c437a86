"""The list of what pi's start reads, for the guest's init to read ahead (pui/guest/prefetch.h).

In: the finished tree with the compile cache. Out: `/etc/pui/prefetch`, lines "BYTES /PATH". Never: a guess by name:
what Node loaded while the cache was filled is what its cache files are named after.
Source: Node's src/compile_cache.cc (a cache file's name is a CRC-32 over one byte, 0 for CommonJS or 1 for an ES
module, and the module's path or URL).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from pui.domain.errors import PuiError
from pui.packbuild import elf, recipe, rootfs
from pui.packbuild.node_part import NODE
from pui.packbuild.tree import Kind, Tree

LIST = "etc/pui/prefetch"
_COMMON_JS, _ES_MODULE = b"\0", b"\1"


def add_prefetch_list(tree: Tree) -> None:
    """Node's code, its libraries, the modules of pi that were loaded, their cache. Raises PuiError("pack.build")."""
    cache = [path for path, entry in _below(tree, recipe.GUEST_COMPILE_CACHE) if entry is Kind.FILE]
    modules = loaded_modules(tree, frozenset(path.rsplit("/", 1)[-1] for path in cache))
    if not modules:
        raise PuiError("pack.build", "no file of Node's compile cache belongs to a module of pi")
    node = tree.content(NODE)
    # of Node's data (half of the file) a start reads an eighth: that is left to the disk's read-ahead
    lines = [f"{elf.end_of_code(node)} /{NODE}"]
    lines += [f"0 /{path}" for path in [*_libraries(tree, node), *modules, *cache]]
    tree.file(LIST, "".join(f"{line}\n" for line in lines))


def loaded_modules(tree: Tree, cache_names: frozenset[str]) -> list[str]:
    """The JavaScript files of pi that have a file in the compile cache."""
    names = [path for path, kind in _below(tree, recipe.GUEST_PI) if kind is Kind.FILE]
    return [path for path in names if not cache_names.isdisjoint(_cache_names(f"/{path}"))]


def _cache_names(path: str) -> Iterator[str]:
    for kind, name in ((_COMMON_JS, path), (_ES_MODULE, f"file://{path}")):
        yield f"{zlib.crc32(name.encode(), zlib.crc32(kind)):x}"


def _libraries(tree: Tree, program: bytes) -> list[str]:
    """Where the libraries of `program` really lie, links resolved. Raises PuiError("pack.build") for a missing one."""

    def find(soname: str) -> bytes | None:
        path = _library_path(tree, soname)
        return None if path is None else tree.content(path)

    paths = (_library_path(tree, soname) for soname in elf.library_closure({NODE: program}, find))
    return sorted(path for path in paths if path is not None)


def _library_path(tree: Tree, soname: str) -> str | None:
    paths = (tree.resolve(f"{folder}/{soname}") for folder in rootfs.LIBRARY_FOLDERS)
    return next((path for path in paths if path in tree), None)


def _below(tree: Tree, folder: str) -> list[tuple[str, Kind]]:
    return sorted((path, entry.kind) for path, entry in tree.items() if path.startswith(f"{folder}/"))
