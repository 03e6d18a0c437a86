"""The documents say what the program does.

In: docs/, README.md, the program's own tables. Out: failures that name the line. Never: a network.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pui.adapters import paths as path_names
from pui.adapters.paths import AppPaths
from pui.cli.app import parser
from pui.cli.docs import generated_docs
from pui.domain import task_files
from pui.domain.errors import CODES

ROOT = Path(__file__).parents[2]
DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("name", sorted(generated_docs()))
def test_a_generated_page_is_fresh(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == generated_docs()[name], "run `make docs`"


def test_every_error_has_meaning_and_hint() -> None:
    assert not [code for code, info in CODES.items() if not info.meaning.strip() or not info.hint.strip()]


def test_every_error_code_is_used_somewhere() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "pui").rglob("*.py") if path.name != "errors.py")
    computed = {"accel.missing", "accel.denied", "accel.broken"}  # made from an accelerator's status
    assert not [code for code in CODES if f'"{code}"' not in sources and code not in computed]


def test_every_file_name_of_the_app_is_documented() -> None:
    text = (ROOT / "docs" / "files.md").read_text()
    folders = AppPaths(Path("/DATA"), Path("/CACHE"), Path("/RUN"))
    properties = [name for name, value in vars(AppPaths).items() if isinstance(value, property)]
    names = {getattr(folders, name).name for name in properties}
    names |= {value for name, value in vars(task_files).items() if name.isupper() and isinstance(value, str)}
    names |= {
        value for name, value in vars(path_names).items() if name.startswith("SOCKET_") and isinstance(value, str)
    }
    assert not sorted(name for name in names if name.strip(".") not in text)


def test_every_link_in_the_documents_leads_somewhere() -> None:
    broken = []
    for page in DOCS:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert not broken


def test_every_command_of_the_readme_is_one_that_pui_knows() -> None:
    text = (ROOT / "README.md").read_text()
    known = parser().format_help()
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    commands = set(re.findall(r"^pui (\w+)", blocks, re.MULTILINE)) | set(re.findall(r"`pui (\w+)", text))
    assert commands
    assert not [command for command in commands if not re.search(rf"^\s+{command}\s", known, re.MULTILINE)]


def test_no_document_names_a_package_registry() -> None:
    hosts = re.compile(r"(?:deb|security|snapshot)\.debian\.org|registry\.npmjs\.org|(?:files\.)?pythonhosted\.org")
    tracked = [
        p for p in ROOT.rglob("*") if p.is_file() and not {".git", ".venv", "node_modules", "build"} & set(p.parts)
    ]
    small = [p for p in tracked if p.suffix in {".py", ".md", ".json", ".lock", ".toml", ".sh", ".c", ".h", ".mjs", ""}]
    found = [str(p) for p in small if p.stat().st_size < 5_000_000 and hosts.search(p.read_text(errors="ignore"))]
    assert [name for name in found if not name.endswith("tests/quality/test_docs.py")] == []
