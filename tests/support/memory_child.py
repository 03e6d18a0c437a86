"""Reads a pack in a process of its own and reports the peak of its memory.

In: argv: a folder with a shop and `source/`. Out: one JSON line: the code (or "installed") and the growth in KiB.
Never: the building of the pack, which may need more.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pui.adapters.packs.keys import load_trust
from pui.adapters.packs.source import FileSource
from pui.domain.errors import PuiError
from tests.support.pack_shop import PackShop


def peak_kib() -> int:
    """VmHWM, which begins anew with the program; ru_maxrss would count the process that started us as well."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])


def main() -> None:
    shop = PackShop(Path(sys.argv[1]))
    [archive] = (shop.base / "source").glob("*.tar.zst")
    before, code = peak_kib(), "installed"
    try:
        shop.installer().install(FileSource(archive), load_trust(shop.paths.trust_dir))
    except PuiError as error:
        code = error.code
    print(json.dumps({"code": code, "peak_kib": peak_kib(), "growth_kib": peak_kib() - before}))


if __name__ == "__main__":
    main()
