"""The list of what pi's start reads, from a small tree with a compile cache."""

from __future__ import annotations

import zlib

import pytest

from pui.domain.errors import PuiError
from pui.packbuild import elf, prefetch, recipe
from pui.packbuild.node_part import NODE
from pui.packbuild.tree import Tree
from tests.packbuild.packages import make_library

LIB = f"usr/lib/{recipe.MULTIARCH}"
BUNDLE = f"{recipe.GUEST_PI}/dist/bundle"
# As Node 24 named them: read off a real cache whose files were made at these paths.
REAL_NAMES = {f"{BUNDLE}/cli.js": "63367537", f"{BUNDLE}/cli-runtime.js": "7d602994"}


def _tree(cache_names: list[str]) -> Tree:
    tree = Tree()
    tree.file(NODE, make_library(["libm.so.6"]) + b"symbols that a start does not read", mode=0o755)
    tree.file(f"{LIB}/libm.so.6.1", make_library(["libc.so.6"]))
    tree.symlink(f"{LIB}/libm.so.6", "libm.so.6.1")
    tree.file(f"{LIB}/libc.so.6", make_library([]))
    tree.file(f"{LIB}/libother.so.1", make_library([]))
    for path in (*REAL_NAMES, f"{BUNDLE}/never-loaded.js"):
        tree.file(path, "code")
    for name in cache_names:
        tree.file(f"{recipe.GUEST_COMPILE_CACHE}/v24/{name}", "cache")
    return tree


def test_the_list_has_nodes_code_its_libraries_and_what_was_loaded() -> None:
    tree = _tree([*REAL_NAMES.values()])
    prefetch.add_prefetch_list(tree)
    code = len(make_library(["libm.so.6"]))
    assert tree.content(prefetch.LIST).decode().splitlines() == [
        f"{code} /{NODE}",
        f"0 /{LIB}/libc.so.6",
        f"0 /{LIB}/libm.so.6.1",
        f"0 /{BUNDLE}/cli-runtime.js",
        f"0 /{BUNDLE}/cli.js",
        f"0 /{recipe.GUEST_COMPILE_CACHE}/v24/63367537",
        f"0 /{recipe.GUEST_COMPILE_CACHE}/v24/7d602994",
    ]


def test_a_common_js_module_is_found_by_its_path() -> None:
    path = f"{BUNDLE}/never-loaded.js"
    path_of_root = f"/{path}"
    name = f"{zlib.crc32(bytes(1) + path_of_root.encode()):x}"
    assert prefetch.loaded_modules(_tree([]), frozenset({name})) == [path]


def test_a_cache_that_names_none_of_pis_files_stops_the_build() -> None:
    with pytest.raises(PuiError, match="compile cache"):
        prefetch.add_prefetch_list(_tree(["00000000"]))


def test_the_end_of_code_of_a_damaged_file_is_a_named_error() -> None:
    with pytest.raises(PuiError, match="cannot be read"):
        elf.end_of_code(b"\x7fELF" + b"\xff" * 20)
