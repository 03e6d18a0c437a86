"""The page's libraries are the ones the manifest names, whole and small, and their licences lie beside them.

In: ui/vendor, .ci/vendor. Out: verdicts. Never: a network; how they behave in a browser is tests/gui's matter.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "ui" / "vendor"
LIMIT_BYTES = 300_000
FILES: list[dict[str, Any]] = json.loads((VENDOR / "manifest.json").read_text())["files"]
LIBRARIES = [library for file in FILES for library in file["libraries"]]
PERMISSIVE = {"MIT", "Apache-2.0", "BSD-3-Clause", "(MPL-2.0 OR Apache-2.0)"}
WANTED = {
    "preact.js": "html render h Component Fragment createContext useState useEffect useRef useMemo useCallback "
    "useLayoutEffect useReducer useContext signal computed effect batch useSignal useComputed",
    "marked.js": "marked",
    "purify.js": "default",
    "highlight.js": "default",
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file["file"]))
def test_a_file_is_the_one_that_the_manifest_names(file: dict[str, Any]) -> None:
    held = (VENDOR / file["file"]).read_bytes()
    assert (len(held), hashlib.sha256(held).hexdigest()) == (file["size_bytes"], file["sha256"]), "run .ci/vendor/make"


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: str(library["name"]))
def test_a_library_is_free_and_its_licence_lies_here(library: dict[str, str]) -> None:
    text = (VENDOR / library["licence_file"]).read_bytes()
    assert hashlib.sha256(text).hexdigest() == library["licence_sha256"]
    assert library["licence"] in PERMISSIVE


def test_nothing_else_lies_there() -> None:
    named = {"manifest.json"} | {f["file"] for f in FILES} | {lib["licence_file"] for lib in LIBRARIES}
    assert {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()} == named


def test_they_are_small_together() -> None:
    assert sum((VENDOR / file["file"]).stat().st_size for file in FILES) <= LIMIT_BYTES


def test_the_manifest_and_the_lock_file_name_the_same_versions() -> None:
    lock = json.loads((ROOT / ".ci" / "vendor" / "package-lock.json").read_text())["packages"]
    assert {lib["name"]: lib["version"] for lib in LIBRARIES} == {
        lib["name"]: lock[f"node_modules/{lib['name']}"]["version"] for lib in LIBRARIES
    }
    assert not [name for name, package in lock.items() if "resolved" in package]


@pytest.mark.parametrize("name", WANTED)
def test_a_module_exports_what_the_page_imports(name: str) -> None:
    export = re.findall(r"export\{([^}]*)\};?\s*$", (VENDOR / name).read_text())[-1]
    exported = {part.split(" as ")[-1] for part in export.split(",")}
    assert not set(WANTED[name].split()) - exported


@pytest.mark.parametrize("name", WANTED)
def test_no_module_makes_code_from_text(name: str) -> None:
    text = (VENDOR / name).read_text()
    assert not re.findall(r"\beval\(|new Function\b|document\.write\b|\bimport\(", text)
