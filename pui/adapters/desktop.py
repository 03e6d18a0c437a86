"""What pui does on the person's desktop at the person's word: open an address, write a file that was named natively.

In: an address that domain/link.py judged, a path out of a native dialog. Out: nothing. Never: a choice of its own.
"""

from __future__ import annotations

import webbrowser
from pathlib import Path

from pui.adapters.private_file import write_private


class HostDesktop:
    """ports.Desktop. Both methods block and belong on a worker thread."""

    def open_link(self, url: str) -> bool:
        return webbrowser.open(url, new=2)

    def save_file(self, path: Path, data: bytes) -> None:
        write_private(path, data)
