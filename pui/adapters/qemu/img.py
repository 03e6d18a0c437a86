"""Makes overlays with the pack's qemu-img.

In: an installed pack, where the overlay shall be. Out: a fresh qcow2. Never: an image of unknown format, one reused.
"""

from __future__ import annotations

from pathlib import Path

from pui.adapters.process import run_to_end
from pui.domain import pack_layout
from pui.domain.errors import HostError, LaunchError
from pui.domain.platforms import Platform
from pui.domain.qemu_args import overlay_argv
from pui.domain.task_files import QEMU_IMG_LOG
from pui.ports import InstalledPack, ProcessStarter

_NO_SPACE = ("No space left on device", "Disk quota exceeded")


class QemuImages:
    """ports.DiskImages."""

    def __init__(self, starter: ProcessStarter, platform: Platform) -> None:
        self._starter = starter
        self._platform = platform

    async def create_overlay(self, pack: InstalledPack, overlay: Path) -> None:
        """An overlay that is there already is a fault: none is ever used twice. A failed one is removed."""
        if _is_there(overlay):
            raise LaunchError("launch.overlay", f"{overlay} exists already")
        argv = overlay_argv(pack.root, self._platform, pack.root / pack_layout.BASE_IMAGE, overlay)
        is_made = False
        try:
            child = await self._starter.start(
                argv, env={"LC_ALL": "C"}, log_path=overlay.parent / QEMU_IMG_LOG, as_guest_user=True
            )
            if code := await run_to_end(child):
                raise _error(overlay, code, child.log_tail())
            is_made = True
        finally:
            if not is_made:
                _remove(overlay)


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _error(overlay: Path, code: int, log: str) -> HostError | LaunchError:
    if any(reason in log for reason in _NO_SPACE):
        return HostError("host.disk_full", f"no space for {overlay}", detail=log)
    return LaunchError("launch.overlay", f"qemu-img ended with {code}", detail=log)
