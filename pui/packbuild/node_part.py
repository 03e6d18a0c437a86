"""Node for the guest: the official glibc build from npm, stripped.

In: the locked tarball. Out: `/usr/bin/node` of the tree. Never: headers, npm, a script of the package.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

from pui.domain.errors import PuiError
from pui.packbuild.tools import Tools
from pui.packbuild.tree import Tree

NODE = "usr/bin/node"


def read_tarball(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Regular files of an npm tarball that `wanted` accepts, without the leading `package/`.

    Raises PuiError("pack.build") on a malformed tarball.
    """
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for info in archive:
                name = info.name.partition("/")[2]
                source = archive.extractfile(info) if info.isreg() and wanted(name) else None
                if source is not None:
                    files[name] = source.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise PuiError("pack.build", f"{path.name} is not a readable npm tarball: {error}") from error
    return files


def add_node(tree: Tree, tarball: Path, tools: Tools, work: Path) -> None:
    """Put the stripped binary into the tree (126 to 108 MB on x86_64)."""
    files = read_tarball(tarball, lambda name: name in {"bin/node", "LICENSE"})
    plain, stripped = work / "node", work / "node.stripped"
    plain.write_bytes(files["bin/node"])
    tools.run("strip", ["--strip-all", "-D", "-o", str(stripped), str(plain)], purpose="stripping Node")
    tree.file(NODE, stripped.read_bytes(), mode=0o755)
    tree.file("usr/share/doc/node/LICENSE", files["LICENSE"])
