"""The licences of what the pack brings to the host, in one file.

In: unpacked trees with the `copyright` files of their packages. Out: text. Never: a package without its licence.
The root file system keeps its own below `/usr/share/doc`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pui.domain.errors import PuiError
from pui.packbuild.tree import Kind, Tree

PACK_PATH = "LICENCES.txt"
_COPYRIGHT = re.compile(r"usr/share/doc/([^/]+)(/copyright)?")


def is_copyright(path: str) -> bool:
    """True for a package's copyright file, and for a folder link that leads to another package's."""
    return _COPYRIGHT.fullmatch(path) is not None


def render_licences(parts: Iterable[tuple[Tree, Mapping[str, str]]]) -> bytes:
    """`parts` are trees with (package: version) of what was unpacked into them; one section a package, sorted.

    Raises PuiError("pack.build") when a package has no copyright file.
    """
    sections: dict[str, bytes] = {}
    for tree, versions in parts:
        found = _copyrights(tree)
        for name, version in versions.items():
            if name not in found:
                raise PuiError("pack.build", f"the package {name} has no copyright file")
            sections[name] = f"==== {name} {version} ====\n\n".encode() + found[name].rstrip(b"\n") + b"\n\n"
    return b"".join(raw for _, raw in sorted(sections.items()))


def _copyrights(tree: Tree) -> dict[str, bytes]:
    names = {match[1] for path, _ in tree.items() if (match := _COPYRIGHT.fullmatch(path))}
    paths = {name: tree.resolve(f"usr/share/doc/{name}/copyright") for name in names}
    entries = dict(tree.items())
    return {
        name: entries[path].content
        for name, path in paths.items()
        if path in entries and entries[path].kind is Kind.FILE
    }
