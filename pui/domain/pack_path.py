"""Which file names a runtime pack may hold: names that mean the same thing on every system.

In: paths as a manifest lists them. Out: the first fault as a sentence, or None. Never: a look at a real file system.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

MAX_PATH_BYTES = 255  # ustar: 155 bytes prefix, a slash, 100 bytes name
MAX_PARTS = 32
RESERVED_FOLDER = ".pui"  # holds the envelope and the recorded stats of an installed pack

_DEVICE_STEMS = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"]
    + [f"{name}{digit}" for name in ("com", "lpt") for digit in "0123456789¹²³"]
)
# Controls, formats (bidi, zero width, BOM), surrogates, private, unassigned, line and paragraph separators.
_FORBIDDEN_CATEGORIES = frozenset(["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])
_FORBIDDEN_CHARACTERS = frozenset('\\:*?"<>|')


def path_fault(path: str) -> str | None:
    """Why `path` may not be in a pack, or None. Rules A2-A6 of the threat list; no name is ever repaired."""
    fault = _text_fault(path)
    if fault is not None:
        return fault
    parts = path.split("/")
    if len(parts) > MAX_PARTS:
        return f"has more than {MAX_PARTS} parts"
    if parts[0].casefold() == RESERVED_FOLDER:
        return f"lies in the reserved folder {RESERVED_FOLDER}"
    return next((fault for fault in map(_part_fault, parts) if fault is not None), None)


def clash_fault(paths: Iterable[str]) -> str | None:
    """Two of `paths` that are one file, or a file and its own folder, on some file system (rule A7), or None."""
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        key = _clash_key(path)
        if key in files:
            return f"{path!r} and {files[key]!r} are the same name on some systems"
        files[key] = path
        for folder in _folders_of(path):
            known = folders.setdefault(_clash_key(folder), folder)
            if known != folder:
                return f"the folders {folder!r} and {known!r} are the same name on some systems"
    both = files.keys() & folders.keys()
    if both:
        return f"{files[min(both)]!r} is both a file and a folder"
    return None


def _text_fault(path: str) -> str | None:
    if not path:
        return "is empty"
    for character in path:
        if unicodedata.category(character) in _FORBIDDEN_CATEGORIES:
            return f"has the forbidden character U+{ord(character):04X}"
        if character in _FORBIDDEN_CHARACTERS:
            return f"has the forbidden character {character!r}"
    if len(path.encode("utf-8")) > MAX_PATH_BYTES:
        return f"is longer than {MAX_PATH_BYTES} bytes"
    if unicodedata.normalize("NFC", path) != path:
        return "is not in Unicode form NFC"
    return None


def _part_fault(part: str) -> str | None:
    if part == "":
        return "is absolute or has an empty part"
    if part in (".", ".."):
        return f"has the part {part!r}"
    if part[-1] in ". " or part[0] == " ":
        return f"has a part with a dot or space at its edge: {part!r}"
    if part.split(".", 1)[0].rstrip().casefold() in _DEVICE_STEMS:
        return f"has a part that is a device on Windows: {part!r}"
    return None


def _folders_of(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _clash_key(path: str) -> str:
    """Canonical caseless form (Unicode standard, definition D145)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())
