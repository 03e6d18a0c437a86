"""9p: QEMU serves the folder itself; all there is to find out is whether this QEMU can.

In: a pack. Out: a ShareVerdict. Never: a machine.
"""

from __future__ import annotations

from pathlib import Path

from pui.adapters.process import run_to_end
from pui.domain import pack_layout
from pui.domain.facts import ShareVerdict
from pui.domain.platforms import Platform
from pui.domain.qemu_args.syntax import program_argv
from pui.ports import ProcessStarter


async def probe_ninep(pack_root: Path, platform: Platform, starter: ProcessStarter, log_path: Path) -> ShareVerdict:
    """Asks QEMU for the device's help text; the device needs a build with 9p support. Raises as the starter does."""
    if "9p" not in platform.share_kinds:
        return ShareVerdict("9p", False, f"9p does not exist on {platform.os}")
    argv = (*program_argv(pack_root, platform, pack_layout.QEMU_SYSTEM), "-device", "virtio-9p-pci,help")
    env = {"LC_ALL": "C", "QEMU_MODULE_DIR": str(pack_root / pack_layout.QEMU_MODULE_DIR)}
    child = await starter.start(argv, env=env, log_path=log_path, as_guest_user=True)
    # The exit code is 0 for an unknown device too (QEMU 10.0).
    if await run_to_end(child) or "virtio-9p-pci options" not in child.log_tail(16_384):
        return ShareVerdict("9p", False, "QEMU of the pack has no virtio-9p device")
    return ShareVerdict("9p", True, "QEMU of the pack serves 9p itself")
