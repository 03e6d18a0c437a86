"""The drawing of which layer imports which, made from the sources themselves.

In: the package's source files. Out: Markdown with a Mermaid graph and a table. Never: an import of what it reads.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
LAYERS = ("cli", "compose", "shell", "adapters", "packbuild", "supervisor", "ports", "domain")
"""From the top to the bottom; resources and logs are data and plumbing that cli and compose use."""

_HEAD = """# Which layer imports which

Made from the sources (`make docs`); a test fails when it is stale, another one when an arrow points upward. The number
says how many modules of the upper layer import the lower one.

```mermaid
graph TD
"""


def layer_of(parts: tuple[str, ...]) -> str:
    """The layer of a module by its path below the package; "" for what is none (resources, logs, __main__)."""
    name = parts[0].removesuffix(".py")
    return name if name in LAYERS else ""


def edges() -> Counter[tuple[str, str]]:
    """(upper layer, lower layer) to the number of modules that import across."""
    found: Counter[tuple[str, str]] = Counter()
    for path in sorted(PACKAGE.rglob("*.py")):
        source = layer_of(path.relative_to(PACKAGE).parts)
        targets = {layer_of(tuple(name.split(".")[1:2]) or ("",)) for name in _imports(path)}
        found.update((source, target) for target in targets if source and target and target != source)
    return found


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pui."):
            yield str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("pui."))


def render_dependencies() -> str:
    """The whole page."""
    found = edges()
    ordered = sorted(found, key=lambda edge: (LAYERS.index(edge[0]), LAYERS.index(edge[1])))
    lines = [f"    {source} -->|{found[source, target]}| {target}\n" for source, target in ordered]
    return _HEAD + "".join(lines) + "```\n"
