"""The very pack that is installed, from a channel, of which only the broken files are fetched.

In: the verified envelope, a way to bring in files of that pack. Out: a PackSource for adapters/packs/repair.py.
Never: a byte fetched before the repair has said which files are broken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pui.adapters.packs.archive import Progress
from pui.adapters.packs.source import PackSource
from pui.domain.manifest import Manifest, ManifestFile
from pui.domain.ustar import UstarEvent


@dataclass(frozen=True)
class RepairSource:
    """`bring` fetches these files, or more, and proves them; it tells what it has fetched."""

    label: str
    envelope: bytes
    bring: Callable[[Sequence[ManifestFile], Progress], PackSource]

    def read_envelope(self) -> bytes:
        return self.envelope

    @contextmanager
    def open_files(
        self, manifest: Manifest, progress: Progress, only: Collection[str] | None = None
    ) -> Iterator[Iterator[UstarEvent]]:
        """See PackSource."""
        files = [file for file in manifest.files if only is None or file.path in only]
        source = self.bring(files, progress)
        with source.open_files(manifest, lambda done, total: None, only) as events:
            yield events
