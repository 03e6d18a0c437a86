"""Byte code for the guest's Python, so that the first import of a task does not compile it.

In: the guest root on disk. Out: `__pycache__` files of the tree. Never: a file time (the code is never checked against
its source, PEP 552).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pui.domain.errors import PuiError
from pui.packbuild.guest_root import enter
from pui.packbuild.run import run
from pui.packbuild.tree import Kind, Tree

STANDARD_LIBRARY = "usr/lib/python3.13"
_OUTPUT = "tmp/pycache"
_ENVIRONMENT = {"PATH": "/usr/bin", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
_COMPILE = f"""
import compileall, py_compile, sys
sys.pycache_prefix = "/{_OUTPUT}"
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
ok = compileall.compile_dir("/{STANDARD_LIBRARY}", quiet=1, invalidation_mode=mode)
sys.exit(not ok)
"""


def add_byte_code(tree: Tree, root: Path) -> None:
    """Compile the standard library with the guest's own Python. Raises PuiError("pack.build")."""
    run([*enter(root), "/usr/bin/python3", "-P", "-S", "-c", _COMPILE], purpose="compiling Python", env=_ENVIRONMENT)
    output = root / _OUTPUT
    files = sorted(output.rglob("*.pyc"))
    if not files:
        raise PuiError("pack.build", "Python wrote no byte code")
    for path in files:
        folder = path.parent.relative_to(output).as_posix()
        tree.file(f"{folder}/__pycache__/{path.name}", path.read_bytes())


_COMPILE_OUTSIDE = f"""
import compileall, py_compile, sys
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
folder = sys.argv[1]
ok = compileall.compile_dir(
    folder + "/{STANDARD_LIBRARY}", quiet=1, invalidation_mode=mode, stripdir=folder, prependdir="/"
)
sys.exit(not ok)
"""


def add_byte_code_from_outside(tree: Tree, python: Sequence[str], folder: Path) -> None:
    """The same with another Python of the same version (`python`: start of its command line), for a guest whose
    programs cannot run here: byte code does not depend on the processor. Raises PuiError("pack.build")."""
    for path, entry in tree.items():
        if entry.kind is Kind.FILE and path.startswith(f"{STANDARD_LIBRARY}/") and path.endswith(".py"):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(entry.content)
    run([*python, "-P", "-S", "-c", _COMPILE_OUTSIDE, str(folder)], purpose="compiling Python", env={})
    files = sorted(folder.rglob("*.pyc"))
    if not files:
        raise PuiError("pack.build", "Python wrote no byte code")
    for file in files:
        tree.file(file.relative_to(folder).as_posix(), file.read_bytes())
