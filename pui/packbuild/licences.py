"""The licences of everything that the pack carries, in one file, and their names for the SBOM.

In: unpacked trees with the `copyright` files of their packages, npm tarballs, the compiler's folder. Out: text, names.
Never: a package without its licence.
Source: Debian's machine-readable copyright format 1.0 (field `License`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pui.domain.errors import PuiError
from pui.packbuild.node_part import read_tarball
from pui.packbuild.tree import Kind, Tree

_COPYRIGHT = re.compile(r"usr/share/doc/([^/]+)(/copyright)?")
_NPM_LICENCE = re.compile(r"(LICEN[CS]E|COPYING|NOTICE)(\.(md|txt))?", re.IGNORECASE)
_FORMAT_MARK = b"copyright-format/1.0"
_LICENCE_FIELD = re.compile(rb"^License:[ \t]*(\S[^\n]*)$", re.MULTILINE | re.IGNORECASE)
_MAX_NAMES = 40

MIT_TEXT = b"""\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def is_copyright(path: str) -> bool:
    """True for a package's copyright file, and for a folder link that leads to another package's."""
    return _COPYRIGHT.fullmatch(path) is not None


def debian_texts(tree: Tree, versions: Mapping[str, str]) -> dict[str, bytes]:
    """ "NAME VERSION" to the text of every package that was unpacked into `tree` (`versions`: package to version).

    Raises PuiError("pack.build") when a package has no copyright file.
    """
    found = _copyrights(tree)
    for name in versions:
        if name not in found:
            raise PuiError("pack.build", f"the package {name} has no copyright file")
    return {f"{name} {version}": found[name] for name, version in versions.items()}


def npm_text(tarball: Path, name: str) -> tuple[bytes, str]:
    """Text and name of an npm package's licence. A package that names MIT but ships no text gets the standard one,
    with a line that says so. Raises PuiError("pack.build") when it has neither."""
    files = read_tarball(tarball, lambda path: path == "package.json" or _NPM_LICENCE.fullmatch(path) is not None)
    facts = json.loads(files.pop("package.json", b"{}"))
    licence = str(facts.get("license") or "")
    if files:
        return b"\n".join(files[path] for path in sorted(files)), licence or "see LICENCES.txt"
    if licence != "MIT":
        raise PuiError("pack.build", f"the npm package {name} has no licence text (it names {licence or 'none'})")
    said = f"The package has no licence text; its package.json says: license MIT, author {_author(facts)}.\n\n"
    return said.encode() + MIT_TEXT, licence


def _author(facts: Mapping[str, object]) -> str:
    author = facts.get("author")
    return str(author.get("name") if isinstance(author, dict) else author or "(not named)")


def licence_names(text: bytes) -> tuple[str, ...]:
    """Names in a machine-readable copyright file, sorted; "see LICENCES.txt" for one that is only prose."""
    if _FORMAT_MARK not in text[:2000]:
        return ("see LICENCES.txt",)
    names = {match.decode(errors="replace").strip() for match in _LICENCE_FIELD.findall(text)}
    return tuple(sorted(names))[:_MAX_NAMES] or ("see LICENCES.txt",)


def render_licences(texts: Mapping[str, bytes]) -> bytes:
    """`texts` maps headings to texts. Equal texts (packages of one source) share a section under all their headings."""
    sections: dict[bytes, list[str]] = {}
    for heading, text in sorted(texts.items()):
        sections.setdefault(text.rstrip(b"\n"), []).append(heading)
    return b"".join(_section(headings, text) for text, headings in sections.items())


def _section(headings: Iterable[str], text: bytes) -> bytes:
    return "".join(f"==== {heading} ====\n" for heading in headings).encode() + b"\n" + text + b"\n\n"


def _copyrights(tree: Tree) -> dict[str, bytes]:
    names = {match[1] for path, _ in tree.items() if (match := _COPYRIGHT.fullmatch(path))}
    paths = {name: tree.resolve(f"usr/share/doc/{name}/copyright") for name in names}
    entries = dict(tree.items())
    return {
        name: entries[path].content
        for name, path in paths.items()
        if path in entries and entries[path].kind is Kind.FILE
    }
