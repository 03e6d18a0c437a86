"""Closures of libraries and kernel modules, read from the files."""

from __future__ import annotations

import struct

import pytest

from pui.domain.errors import PuiError
from pui.packbuild import elf
from tests.packbuild.packages import make_library

LIBRARIES = {
    "liba.so.1": make_library(["libb.so.2", "libc.so.6"]),
    "libb.so.2": make_library(["libc.so.6", "liba.so.1"]),
    "libc.so.6": make_library([]),
    "libunused.so": make_library([]),
}


def test_needs_are_read_in_order() -> None:
    assert elf.needed_libraries(make_library(["libz.so.1", "libc.so.6"])) == ("libz.so.1", "libc.so.6")


def test_a_closure_follows_libraries_and_survives_cycles() -> None:
    closure = elf.library_closure({"program": make_library(["liba.so.1"])}, LIBRARIES.get)
    assert sorted(closure) == ["liba.so.1", "libb.so.2", "libc.so.6"]


def test_a_missing_library_is_named_with_its_user() -> None:
    without = {name: raw for name, raw in LIBRARIES.items() if name != "libb.so.2"}
    with pytest.raises(PuiError, match=r"liba\.so\.1 needs libb\.so\.2"):
        elf.library_closure({"program": make_library(["liba.so.1"])}, without.get)


def test_the_check_of_a_tree_lists_every_unmet_need() -> None:
    files = [("bin/x", make_library(["libq.so", "libc.so.6"])), ("bin/script", b"#!/bin/sh\n")]
    assert elf.missing_libraries(files, frozenset({"libc.so.6"})) == ["bin/x needs libq.so"]


def test_damaged_elf_is_a_named_error() -> None:
    with pytest.raises(PuiError, match="cannot be read"):
        elf.needed_libraries(b"\x7fELF" + b"\xff" * 20)


def test_a_module_signature_is_cut_off() -> None:
    body, signature = b"\x7fELF module", b"s" * 77
    info = bytes(8) + struct.pack(">I", len(signature))
    signed = body + signature + info + b"~Module signature appended~\n"
    assert elf.without_signature(signed) == body
    assert elf.without_signature(body) == body
