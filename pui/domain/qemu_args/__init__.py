"""From a launch plan to command lines: QEMU's, its environment, and those of its companions.

In: LaunchPlan and its parts. Out: tuples of arguments, a small environment. One small function a device.
Never: a shell, an unescaped value, a look at the computer.
"""

from __future__ import annotations

from pui.domain.qemu_args.companions import overlay_argv, virtiofsd_argv
from pui.domain.qemu_args.machine import qemu_argv, qemu_env

__all__ = ["overlay_argv", "qemu_argv", "qemu_env", "virtiofsd_argv"]
