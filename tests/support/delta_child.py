"""Updates a computer from a channel by one of three ways and tells bytes, seconds and its own peak memory.

In: argv: a folder with `www`, the channel's address, a way. Out: one JSON object on stdout; after the first update the
computer is as it was, so that each way starts from the same pack. Never: a measurement of anything but this process.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

from pui.adapters.channel.trust_root import install_root
from pui.adapters.channel.updater import ChannelUpdater, Offer
from pui.adapters.packs.install import PackInstaller
from pui.adapters.packs.this_app import this_app
from pui.adapters.paths import AppPaths
from pui.domain.channel_root import fingerprint
from tests.support.memory_child import peak_kib


def chosen(offer: Offer, way: str) -> Offer:
    if way == "whole archive":
        return replace(offer, parts=(), delta_bytes=None)
    if way == "files one by one":
        return replace(offer, parts=tuple(part for part in offer.parts if not part.base))
    return offer


def main() -> None:
    base, address, way = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    paths = AppPaths(base / "data", base / "cache", base / "run")
    is_first = not paths.data.exists()
    if is_first:
        root = (base / "www/metadata/1.root.json").read_bytes()
        install_root(paths, root, fingerprint(root))
    else:
        shutil.copytree(paths.data, base / "before", symlinks=True)
    updater = ChannelUpdater(paths, this_app(), address)
    offer = chosen(updater.check(), way)
    done = [0]
    start_s = time.monotonic()
    source = updater.download(offer, progress=lambda count, total: done.__setitem__(0, count))
    fetched_s = time.monotonic()
    PackInstaller(paths, this_app()).install(source, updater.release_trust())
    end_s = time.monotonic()
    updater.forget_download(offer)
    if not is_first:
        shutil.rmtree(paths.data)
        (base / "before").rename(paths.data)
    found = {
        "bytes": done[0],
        "fetch_s": fetched_s - start_s,
        "install_s": end_s - fetched_s,
        "peak_mib": peak_kib() / 1024,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
