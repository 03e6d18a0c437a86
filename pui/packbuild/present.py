"""Whether this computer can build packs, asked at each start of the app.

In: the computer. Out: a yes or no. Never: an import of the builder itself, which takes longer than the look.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pui.packbuild.recipe import DEBIAN_KEYRING


def is_there() -> bool:
    """Whether this computer has what a build resolves its packages with."""
    return shutil.which("apt-get") is not None and Path(DEBIAN_KEYRING).is_file()
