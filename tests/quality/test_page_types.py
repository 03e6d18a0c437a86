"""The page's modules pass TypeScript's checker, strict, with the real types of the libraries in ui/vendor.

In: ui/js, the checker that page_types/package-lock.json fixes. Out: its findings. Never: a file made or changed; a
checker needed to run or install pui.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import npm_packages

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "page_types"
VENDORED = {"@preact/signals", "dompurify", "highlight.js", "htm", "marked", "preact"}


@pytest.fixture(scope="module")
def packages() -> Path:
    return npm_packages.node_modules(HERE, "page-types")


def findings(packages: Path, source: Path, work: Path) -> list[str]:
    """What the checker says about the modules below `source`, a line each."""
    paths = {
        "/vendor/*": [str(HERE / "vendor" / "*")],
        "/js/*": [str(source / "*")],
        "preact": ["preact/src/index.d.ts"],
        "preact/hooks": ["preact/hooks/src/index.d.ts"],
        "@preact/signals": ["@preact/signals/dist/signals.d.ts"],
        "*": ["*"],
    }
    config = {
        "extends": str(HERE / "tsconfig.json"),
        "compilerOptions": {"baseUrl": str(packages), "paths": paths},
        "include": [f"{source}/**/*.js"],
    }
    (work / "tsconfig.json").write_text(json.dumps(config))
    command = ["node", str(packages / "typescript" / "bin" / "tsc"), "-p", str(work), "--pretty", "false"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=240, check=False)
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if not line.startswith(" ")]


@pytest.mark.timeout(300)
def test_the_page_is_typed(packages: Path, tmp_path: Path) -> None:
    assert findings(packages, ROOT / "ui" / "js", tmp_path) == []


@pytest.mark.timeout(300)
def test_a_wrong_type_is_found(packages: Path, tmp_path: Path) -> None:
    copy = tmp_path / "js"
    shutil.copytree(ROOT / "ui" / "js", copy)
    with (copy / "format.js").open("a") as file:
        file.write('\n/** @type {number} */\nexport const wrong = "text";\n')
    (found,) = findings(packages, copy, tmp_path)
    assert re.search(r"format\.js\(\d+,14\): error TS2322", found)


def test_every_module_asks_for_the_check() -> None:
    modules = sorted((ROOT / "ui" / "js").rglob("*.js"))
    assert len(modules) > 40
    assert [path.name for path in modules if not path.read_text().startswith("// @ts-check\n")] == []


def test_the_types_are_of_the_libraries_that_are_vendored() -> None:
    ours = json.loads((HERE / "package.json").read_text())["dependencies"]
    theirs = json.loads((ROOT / ".ci" / "vendor" / "package.json").read_text())["dependencies"]
    assert {name: ours[name] for name in VENDORED} == theirs
