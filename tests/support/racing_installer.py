"""One of several installers at once, a program of its own.

In: argv: a folder with a shop, a version; a line on stdin starts it. Out: the code it ended with, "" when it installed.
Never: a verdict.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pui.adapters.packs.keys import load_trust
from pui.adapters.packs.source import FileSource
from pui.domain.errors import PuiError
from tests.support.crash_driver import sim
from tests.support.pack_shop import PackShop


def main() -> None:
    shop, version = PackShop(Path(sys.argv[1])), int(sys.argv[2])
    source = FileSource(sim(version).build().write(shop.base / f"source-{version}"))
    print("ready", flush=True)
    sys.stdin.readline()
    code = ""
    try:
        shop.installer(lock_wait_s=60.0).install(source, load_trust(shop.paths.trust_dir))
    except PuiError as error:
        code = error.code
    print(code, flush=True)


if __name__ == "__main__":
    main()
