"""What an ELF file needs to run, read from the file itself.

In: bytes of ELF files. Out: names of needed libraries and interpreters, closures. Never: the builder's loader or ldd.
Source: System V ABI, dynamic section (DT_NEEDED); Linux module signing (Documentation/admin-guide/module-signing.rst).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable, Mapping

from elftools.common.exceptions import ELFError
from elftools.elf.constants import P_FLAGS
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from pui.domain.errors import PuiError

_MAGIC = b"\x7fELF"
_SIGNATURE_MARK = b"~Module signature appended~\n"


def is_elf(raw: bytes) -> bool:
    return raw.startswith(_MAGIC)


def needed_libraries(raw: bytes) -> tuple[str, ...]:
    """DT_NEEDED of an executable or library; empty for a static one. Raises PuiError("pack.build")."""
    try:
        for segment in ELFFile(io.BytesIO(raw)).iter_segments():
            if isinstance(segment, DynamicSegment):
                # pyelftools sets `needed` at run time on tags of this type, which its stubs cannot say
                return tuple(str(tag.needed) for tag in segment.iter_tags("DT_NEEDED"))  # type: ignore[attr-defined]
    except (ELFError, ValueError) as error:
        raise PuiError("pack.build", f"an ELF file cannot be read: {error}") from error
    return ()


def end_of_code(raw: bytes) -> int:
    """Bytes of the file up to the end of its last executable segment. Raises PuiError("pack.build")."""
    try:
        segments = [segment.header for segment in ELFFile(io.BytesIO(raw)).iter_segments("PT_LOAD")]
    except (ELFError, ValueError) as error:
        raise PuiError("pack.build", f"an ELF file cannot be read: {error}") from error
    return max((head.p_offset + head.p_filesz for head in segments if head.p_flags & P_FLAGS.PF_X), default=0)


def library_closure(roots: Mapping[str, bytes], find: Callable[[str], bytes | None]) -> dict[str, bytes]:
    """All libraries that `roots` (name: bytes) need, directly or not: soname to bytes.

    `find` gives the bytes of a soname. Raises PuiError("pack.build") naming what is missing and who needs it.
    """
    found: dict[str, bytes] = {}
    waiting = [(name, soname) for name, raw in roots.items() for soname in needed_libraries(raw)]
    while waiting:
        user, soname = waiting.pop()
        if soname in found:
            continue
        raw = find(soname)
        if raw is None:
            raise PuiError("pack.build", f"{user} needs {soname}, which no package of the recipe has")
        found[soname] = raw
        waiting.extend((soname, needed) for needed in needed_libraries(raw))
    return found


def missing_libraries(files: Iterable[tuple[str, bytes]], present: frozenset[str]) -> list[str]:
    """Lines "FILE needs LIBRARY" for every need that `present` (sonames) does not meet."""
    return [
        f"{name} needs {soname}"
        for name, raw in files
        if is_elf(raw)
        for soname in needed_libraries(raw)
        if soname not in present
    ]


def module_info(raw: bytes) -> dict[str, str]:
    """The `.modinfo` of a kernel module: key to value (the last one of a repeated key)."""
    section = ELFFile(io.BytesIO(raw)).get_section_by_name(".modinfo")
    if section is None:
        raise PuiError("pack.build", "a kernel module has no .modinfo section")
    pairs = (line.decode(errors="replace").split("=", 1) for line in section.data().split(b"\0") if b"=" in line)
    return {key: value for key, value in pairs}


def without_signature(raw: bytes) -> bytes:
    """A kernel module without its appended signature: checking one costs time at boot and proves nothing here, where
    the whole initrd and image are covered by the pack's own signature."""
    if not raw.endswith(_SIGNATURE_MARK):
        return raw
    info_end = len(raw) - len(_SIGNATURE_MARK)
    (signature_bytes,) = struct.unpack(">I", raw[info_end - 4 : info_end])
    return raw[: info_end - 12 - signature_bytes]
