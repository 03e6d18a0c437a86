"""A pywebview window at an address, which prints what the page leaves in `window.report` and stays open.

In: an address (argument 1), perhaps a file with a script for the page (argument 2). Out: a line `script is in` when
there is one, a line `report JSON`. Never: a bridge, a developer's console.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import webview


def report(window: webview.Window, over: threading.Event) -> None:
    for file in sys.argv[2:]:
        window.run_js(Path(file).read_text("ascii"))
        print("script is in", flush=True)
    while not over.is_set():
        said = window.run_js("window.report || ''")
        if said:
            print("report", said, flush=True)
            return
        time.sleep(0.1)


def main() -> None:
    over = threading.Event()
    window = webview.create_window("A window of a test", sys.argv[1], text_select=True, width=1560, height=960)
    assert window is not None
    window.events.closed += over.set
    webview.start(report, (window, over), http_server=False)


if __name__ == "__main__":
    main()
