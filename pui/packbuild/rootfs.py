"""The root file system: Debian packages without their maintainer scripts, plus what those scripts would have made.

In: a tree with the packages. Out: the complete one. Never: root rights, a script of a package, documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pui.domain.errors import PuiError
from pui.packbuild import elf, recipe
from pui.packbuild.tree import Kind, Tree

_PYTHON = "usr/lib/python3.13"
_DROPPED = re.compile(
    r"usr/share/doc/[^/]+/(?!copyright$)"
    r"|usr/share/(man|info|locale|lintian|bash-completion|bug|menu|doc-base|gitweb|applications|icons|pixmaps|i18n|"
    r"zsh|fish|binfmts|debconf|perl5/Debian|sensible-utils|base-files/info.dir)(/|$)"
    r"|usr/share/zoneinfo/(right|posix)(/|$)"
    r"|usr/lib/(binfmt.d|systemd|sysusers.d|tmpfiles.d|udev|modules-load.d|sysctl.d)(/|$)"
    r"|usr/lib/git-core/git-(daemon|http-backend|http-push|imap-send|instaweb|shell|cvs.*|svn|p4|archimport|send-email)$"
    r"|usr/bin/(scalar|git-shell|pldd|zdump|tzselect|localedef|perl5.*-linux-gnu|py3clean|py3compile|py3versions|"
    r"deb-.*|su|pydoc3.*|pygettext3.*)$"
    r"|usr/sbin/(zic|iconvconfig|update-ca-certificates|add-shell|remove-shell|update-shells|installkernel|mkfs.*|fsck.*|"
    r"swap.*|mkswap|cfdisk|fdisk|sfdisk|fstrim|wipefs|runuser)$"
    rf"|{_PYTHON}/(test|idlelib|turtledemo|tkinter|ensurepip|lib2to3|pydoc_data|__phello__)(/|$)"
    rf"|{_PYTHON}/config-.*"
    r"|usr/lib/[a-z0-9_]+-linux-gnu/(gconv|audit|pkgconfig|engines-3|ossl-modules)(/|$)"
    r"|usr/lib/[a-z0-9_]+-linux-gnu/perl-base/unicore/lib(/|$)"
    r"|etc/(bash_completion.d|update-motd.d|systemd|init.d|cron.*|logrotate.d|kernel|dpkg|ca-certificates|apt)(/|$)"
)
MERGED_FOLDERS = ("bin", "sbin", "lib", "lib64")
ALTERNATIVES: Mapping[str, str] = {
    "usr/bin/awk": "mawk",
    "usr/bin/pager": "less",
    "usr/bin/which": "which.debianutils",
    "usr/bin/fd": "fdfind",
    "usr/bin/python": "python3",
    "usr/bin/sh": "dash",
}
"""What update-alternatives would link, `fd` under its own name, and `python`."""

LIBRARY_FOLDERS = (f"usr/lib/{recipe.MULTIARCH}", "usr/lib")


def library_folders(multiarch: str) -> tuple[str, ...]:
    return (f"usr/lib/{multiarch}", "usr/lib")


def is_wanted(path: str) -> bool:
    """False for documentation (but licences), translations, tests and tools that have no use in the guest."""
    return _DROPPED.match(path) is None


def empty_tree() -> Tree:
    """The merged folders, into which the packages of the part are unpacked."""
    tree = Tree()
    for folder in MERGED_FOLDERS:
        tree.folder(f"usr/{folder}")
        tree.symlink(folder, f"usr/{folder}")
    return tree


def finish(tree: Tree) -> bytes:
    """Everything that maintainer scripts or an administrator would add; returns the CA bundle (PEM)."""
    for path, target in ALTERNATIVES.items():
        if tree.resolve(f"usr/bin/{target}") not in tree:
            raise PuiError("pack.build", f"{target}, which {path} shall point to, is in no package")
        tree.symlink(path, target)
    bundle = ca_bundle(tree)
    tree.remove("usr/share/ca-certificates")
    tree.file("etc/ssl/certs/ca-certificates.crt", bundle)
    _add_users(tree)
    _add_settings(tree)
    _add_folders(tree)
    _share_equal_files(tree)
    return bundle


def ca_bundle(tree: Tree) -> bytes:
    """All certificates of ca-certificates in name order, as update-ca-certificates would join them."""
    names = [
        path for path, _ in tree.items() if path.startswith("usr/share/ca-certificates/") and path.endswith(".crt")
    ]
    if not names:
        raise PuiError("pack.build", "ca-certificates has no certificates")
    return b"".join(tree.content(name).rstrip(b"\n") + b"\n" for name in names)


def _add_users(tree: Tree) -> None:
    user, number = recipe.GUEST_USER, recipe.GUEST_ID
    tree.file(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\n"
        f"{user}:x:{number}:{number}:agent:/home/{user}:/bin/bash\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    )
    tree.file("etc/group", f"root:x:0:\ntty:x:5:\n{user}:x:{number}:\nnogroup:x:65534:\n")
    tree.file("etc/shadow", f"root:*:20000::::::\n{user}:*:20000::::::\n", mode=0o600)
    tree.folder(f"home/{user}", mode=0o755, uid=number)
    for name, source in (("bashrc", "etc/skel/.bashrc"), ("profile", "etc/skel/.profile")):
        if source in tree:
            tree.file(f"home/{user}/.{name}", tree.content(source), uid=number)


def _add_settings(tree: Tree) -> None:
    tree.remove("usr/lib/os-release")
    tree.file(
        "usr/lib/os-release",
        'NAME="pui guest"\nID=pui\nID_LIKE=debian\nPRETTY_NAME="pui guest (from Debian trixie)"\n'
        f"VERSION_CODENAME={recipe.SUITE}\n",
    )
    tree.symlink("etc/os-release", "../usr/lib/os-release")
    tree.file("etc/hostname", "pui\n")
    tree.file("etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n")
    tree.file("etc/resolv.conf", "# This machine has no network: models are reached through pui.\n")
    tree.file("etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n")
    tree.file("etc/fstab", "")
    tree.file("etc/profile", tree.content("usr/share/base-files/profile"))
    tree.file("etc/gitconfig", "[safe]\n\tdirectory = *\n[init]\n\tdefaultBranch = main\n")
    tree.symlink("etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
    tree.symlink("etc/mtab", "../proc/self/mounts")


def _add_folders(tree: Tree) -> None:
    for name in ("dev", "proc", "sys", "run", "mnt", "opt/pui", "var/log", "var/lib", "var/cache", "usr/local/bin"):
        tree.folder(name)
    for name in ("tmp", "var/tmp"):
        tree.folder(name, mode=0o1777)
    tree.folder("root", mode=0o700)
    tree.folder("workspace", uid=recipe.GUEST_ID)
    tree.symlink("var/run", "/run")


def _share_equal_files(tree: Tree) -> None:
    """git ships its program twice: a link instead."""
    first, second = "usr/bin/git", "usr/lib/git-core/git"
    if first in tree and second in tree and tree.content(first) == tree.content(second):
        tree.symlink(second, "../../bin/git")


def check_complete(tree: Tree, multiarch: str = recipe.MULTIARCH) -> None:
    """Every program and library must find its libraries, and every link of /usr/bin its target.

    Raises PuiError("pack.build") with the whole list: the guard behind `recipe.DROPPED_PACKAGES`.
    """
    files = [(path, entry.content) for path, entry in tree.items() if entry.kind is Kind.FILE]
    present = frozenset(
        path.rsplit("/", 1)[-1]
        for path, _ in tree.items()
        if path.rpartition("/")[0] in library_folders(multiarch) and tree.resolve(path) in tree
    )
    faults = elf.missing_libraries(files, present)
    faults += [
        f"{path} points to {entry.target}, which is missing"
        for path, entry in tree.items()
        if entry.kind is Kind.SYMLINK and path.startswith("usr/bin/") and tree.resolve(path) not in tree
    ]
    if faults:
        raise PuiError("pack.build", f"the root file system is not complete: {faults[0]}", detail="\n".join(faults))
