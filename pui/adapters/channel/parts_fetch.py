"""Fetches the parts of a pack that this computer lacks, and proves each before anybody uses it.

In: the list of parts that the channel signed, the manifest, the packs that are installed. Out: a PartsSource whose
every file was compared with the manifest, or None and the reason: then the whole archive is the way.
Never: trust in an installed file that was not hashed just now, a change to an installed pack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from pui.adapters.channel.download import Downloader, Wanted
from pui.adapters.packs.archive import Progress
from pui.adapters.packs.check import read_verified
from pui.adapters.packs.file_ops import mapped_os_errors
from pui.adapters.packs.keys import load_trust
from pui.adapters.packs.parts import PartsSource, has_digest
from pui.adapters.packs.slots import is_pack_id
from pui.adapters.paths import AppPaths, own_dir
from pui.domain.errors import DownloadError, PuiError, SetupError
from pui.domain.manifest import Manifest, ManifestFile
from pui.domain.pack_parts import DeltaPlan, Held, Part, helps, part_name, plan_delta

GOES_ON = ("fetch.network", "fetch.stalled", "fetch.cancelled")
"""What is no fault of the parts: the download goes on with them the next time."""


@dataclass(frozen=True)
class PartsWanted:
    """`files` of a pack to bring in from `parts`; `targets` is the address of the channel's targets."""

    label: str
    envelope: bytes
    manifest: Manifest
    files: Sequence[ManifestFile]
    parts: Sequence[Part]
    targets: httpx.URL


class PartsFetch:
    """Into `folder`, which only this user writes. `tell` gets a sentence when the parts do not help."""

    def __init__(self, downloader: Downloader, folder: Path, tell: Callable[[str], None]) -> None:
        self._downloader = downloader
        self._folder = folder
        self._tell = tell

    def source(
        self,
        wanted: PartsWanted,
        held: Mapping[str, Held],
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> PartsSource | None:
        """None when the parts do not help, told in words. Raises DownloadError fetch.network, .stalled, .cancelled;
        HostError."""
        plan = sound_plan(wanted.files, wanted.parts, held)
        if plan is None or not helps(plan, wanted.manifest):
            self._tell("the parts of the pack do not help here, fetching all of it")
            return None
        try:
            self._fetch(wanted, plan, progress, cancelled)
            source = PartsSource(wanted.label, wanted.envelope, plan, self._folder)
            for file in wanted.files:
                if file.sha256 in plan.fetched:
                    for _ in source.chunks(file):
                        pass
        except (DownloadError, SetupError) as error:
            if error.code in GOES_ON:
                raise
            self._tell(f"a part of the pack is no good ({error.code}: {error.message}), fetching all of it")
            return None
        return source

    def _fetch(self, wanted: PartsWanted, plan: DeltaPlan, progress: Progress, cancelled: Callable[[], bool]) -> None:
        own_dir(self._folder)
        done, total = 0, plan.download_bytes
        for part in plan.fetched.values():
            target = self._folder / part.sha256
            if not has_digest(target, part.sha256, part.download_bytes):
                before = done
                self._downloader.download(
                    Wanted(wanted.targets.join(part_name(part.sha256)), part.download_bytes, part.sha256),
                    target,
                    progress=lambda count, size, before=before: progress(before + count, total),  # type: ignore[misc]
                    cancelled=cancelled,
                )
            done += part.download_bytes
            progress(done, total)


def sound_plan(files: Sequence[ManifestFile], parts: Sequence[Part], held: Mapping[str, Held]) -> DeltaPlan | None:
    """A plan all of whose local files were hashed and are what they should be: damaged ones are left out."""
    usable = dict(held)
    proven: set[str] = set()
    while (plan := plan_delta(files, parts, usable)) is not None:
        unproven = {*plan.kept, *plan.bases} - proven
        if not unproven:
            return plan
        for digest in unproven:
            first, *others = usable[digest].paths
            if has_digest(Path(first), digest, usable[digest].size_bytes):
                proven.add(digest)
            elif others:
                usable[digest] = replace(usable[digest], paths=tuple(others))
            else:
                del usable[digest]
    return None


def held_files(paths: AppPaths) -> dict[str, Held]:
    """The files of all installed packs that have the length that their manifest says, by SHA-256.

    Nothing is hashed: see sound_plan. A pack whose manifest is not under a trusted signature counts for nothing.
    """
    found: dict[str, Held] = {}
    with mapped_os_errors(f"looking at {paths.packs_dir}"):
        names = sorted(path.name for path in paths.packs_dir.iterdir()) if paths.packs_dir.is_dir() else []
    trust = load_trust(paths.trust_dir)
    for name in (name for name in names if is_pack_id(name)):
        root = paths.packs_dir / name
        try:
            manifest = read_verified(root, trust).manifest
        except PuiError:
            continue  # whoever starts a task is told about it; here it only helps less
        for file in _present(root, manifest.files):
            before = found[file.sha256].paths if file.sha256 in found else ()
            found[file.sha256] = Held((*before, str(root / file.path)), file.size_bytes)
    return found


def _present(root: Path, files: Iterable[ManifestFile]) -> list[ManifestFile]:
    return [file for file in files if file.size_bytes and _length(root / file.path) == file.size_bytes]


def _length(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except OSError:
        return None
