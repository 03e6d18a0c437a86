"""Imports point downward only, siblings never import each other, and the domain is pure.

In: the source tree. Out: failures that name file, line and import. Never: an import of the code under test.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pui.cli.dependencies import LAYERS, edges

ROOT = Path(__file__).parents[2] / "pui"

ALLOWED: dict[str, set[str]] = {
    "domain": {"domain"},
    "ports": {"ports", "domain"},
    "supervisor": {"supervisor", "ports", "domain"},
    "adapters": {"adapters", "ports", "domain"},
    "packbuild": {"packbuild", "ports", "domain"},
    "shell": {"shell", "supervisor", "ports", "domain"},
    "compose": {"shell", "packbuild", "supervisor", "adapters", "ports", "domain", "resources", "logs"},
    "cli": {"cli", "compose", "shell", "packbuild", "adapters", "supervisor", "ports", "domain", "resources", "logs"},
    "resources": {"domain"},
    "logs": {"domain"},
    "__main__": {"cli"},
    "__init__": set(),
}
FORBIDDEN_IN_DOMAIN = set(
    [
        "asyncio",
        "socket",
        "subprocess",
        "threading",
        "multiprocessing",
        "os",
        "shutil",
        "tempfile",
        "time",
        "random",
        "secrets",
        "httpx",
        "webview",
        "platformdirs",
        "logging",
        "structlog",
        "signal",
        "select",
        "ctypes",
        "urllib.request",
        "http",
        "io",
    ]
)
THIRD_PARTY_IN_DOMAIN = {"transitions", "cryptography", "jsonschema"}
STDLIB_IN_DOMAIN = set(
    [
        "__future__",
        "abc",
        "ast",
        "base64",
        "binascii",
        "bisect",
        "collections",
        "copy",
        "dataclasses",
        "datetime",
        "difflib",
        "enum",
        "fnmatch",
        "functools",
        "graphlib",
        "hashlib",
        "hmac",
        "html",
        "ipaddress",
        "itertools",
        "json",
        "math",
        "operator",
        "pathlib",
        "posixpath",
        "re",
        "shlex",
        "string",
        "struct",
        "textwrap",
        "types",
        "typing",
        "unicodedata",
        "urllib",
        "urllib.parse",
        "xml",
        "xml.sax.saxutils",
        "zlib",
    ]
)


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or "."


def _layer(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def faults_of(layer: str, source: str, place: str) -> list[str]:
    """Every forbidden import of one module's source."""
    return [
        f"{place}:{line}: {layer} may not import {name}"
        for line, name in _imports(ast.parse(source))
        if not _is_allowed(layer, name)
    ]


def _is_allowed(layer: str, name: str) -> bool:
    parts = name.split(".")
    if parts[0] == "pui":
        return len(parts) > 1 and parts[1] in ALLOWED[layer]
    if layer != "domain":
        return True
    if name in FORBIDDEN_IN_DOMAIN or parts[0] in FORBIDDEN_IN_DOMAIN:
        return False
    return name in STDLIB_IN_DOMAIN or parts[0] in STDLIB_IN_DOMAIN | THIRD_PARTY_IN_DOMAIN


def test_every_import_points_downward() -> None:
    found = [
        fault for path in sorted(ROOT.rglob("*.py")) for fault in faults_of(_layer(path), path.read_text(), str(path))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        ("domain", "import socket"),
        ("domain", "import os.path"),
        ("domain", "from pui.ports import Clock"),
        ("domain", "import httpx"),
        ("supervisor", "from pui.adapters.process import Starter"),
        ("adapters", "import pui.packbuild.recipe"),
        ("packbuild", "from pui.adapters import paths"),
        ("ports", "from pui.supervisor.runner import TaskRunner"),
        ("shell", "from pui.cli import app"),
    ],
)
def test_a_planted_import_is_found(layer: str, source: str) -> None:
    assert faults_of(layer, source, "planted.py")


def test_there_is_no_import_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for path in ROOT.rglob("*.py"):
        names = {name for _, name in _imports(ast.parse(path.read_text())) if name.startswith("pui.")}
        graph[_module(path)] = names
    assert not _cycle(graph)


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _cycle(graph: dict[str, set[str]]) -> list[str]:
    import graphlib

    known = {module: {name for name in names if name in graph and name != module} for module, names in graph.items()}
    try:
        list(graphlib.TopologicalSorter(known).static_order())
    except graphlib.CycleError as fault:
        return list(fault.args[1])
    return []


def test_the_drawing_of_the_layers_has_no_arrow_upward() -> None:
    allowed = {layer: rank for rank, layer in enumerate(LAYERS)}
    assert all(allowed[source] < allowed[target] for source, target in edges())
    assert ("supervisor", "domain") in edges()


def test_import_linter_agrees() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
