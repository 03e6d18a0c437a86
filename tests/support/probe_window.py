"""An empty pywebview window at an address, which prints what the page leaves in `window.report` and stays open.

In: an address (argument 1). Out: one line `report JSON` on stdout. Never: a bridge, a developer's console.
"""

from __future__ import annotations

import sys
import threading
import time

import webview


def report(window: webview.Window, over: threading.Event) -> None:
    while not over.is_set():
        said = window.run_js("window.report || ''")
        if said:
            print("report", said, flush=True)
            return
        time.sleep(0.1)


def main() -> None:
    over = threading.Event()
    window = webview.create_window("A window of a test", sys.argv[1], text_select=True)
    assert window is not None
    window.events.closed += over.set
    webview.start(report, (window, over), http_server=False)


if __name__ == "__main__":
    main()
