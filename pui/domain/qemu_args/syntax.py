"""QEMU's two ways to write an option, and how a program of the pack is started.

In: names and values. Out: arguments. Never: a value that could end its own field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePath

from pui.domain import pack_layout
from pui.domain.events import JsonValue
from pui.domain.platforms import Platform


def json_option(fields: Mapping[str, JsonValue]) -> str:
    """The JSON form of -blockdev, -device, -object: nothing in a value can be taken for syntax (QEMU 6.1 and later).

    Fields keep their order, characters beyond ASCII stay themselves. Callers pass valid Unicode (launch_plan checks).
    """
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def key_value_option(head: str, fields: Mapping[str, str]) -> str:
    """The `head,key=value,…` form of options that know no JSON; a comma in a value is doubled (qemu(1), «Syntax»)."""
    return ",".join([head, *(f"{key}={value.replace(',', ',,')}" for key, value in fields.items())])


def on_off(flag: bool) -> str:
    """QEMU's word for a boolean in the key=value form."""
    return "on" if flag else "off"


def program_argv(pack_root: PurePath, platform: Platform, program: str) -> tuple[str, ...]:
    """How a program of the pack is started: on Linux through the pack's own loader and libraries, so that neither the
    host's C library nor its library cache matters (ld.so(8)); elsewhere plainly."""
    path = str(pack_root / f"{program}{platform.executable_suffix}")
    if not platform.uses_pack_loader:
        return (path,)
    loader, libraries = pack_root / pack_layout.QEMU_LOADER, pack_root / pack_layout.QEMU_LIB_DIR
    return (str(loader), "--inhibit-cache", "--library-path", str(libraries), path)
