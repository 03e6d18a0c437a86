"""The kernel's command line.

In: the platform's row, the accelerator, settings of pui's own init. Out: the value of -append.
Never: a value with a space, a quote or a control character; nothing about a task (that comes over pui.ctl).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pui.domain.errors import CallerError
from pui.domain.facts import AcceleratorName
from pui.domain.platforms import Platform

LIMIT_BYTES = 2047
"""COMMAND_LINE_SIZE of Linux: 2048 on x86 and arm64, the final NUL included."""

ROOT_DEVICE = "/dev/vda"
ROOT_FILE_SYSTEM = "ext4"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_VALUE = re.compile(r"[A-Za-z0-9_./:,@+-]+")

# What each costs or saves under TCG (guest.md section 2): cryptomgr.notests saves about 0.25 s, the console is the
# only witness of a boot that fails, panic=-1 with QEMU's -no-reboot makes a panic end QEMU instead of hanging it.
_ALWAYS: Mapping[str, str] = {"quiet": "", "loglevel": "3", "panic": "-1", "cryptomgr.notests": ""}
# The machine has no keyboard controller, so reset by triple fault; do not wait for a keyboard that is not there.
_X86: Mapping[str, str] = {"reboot": "t", "i8042.noaux": "", "i8042.nokbd": ""}

# Under software emulation only, where they are paid for instruction by instruction (figures: docs/performance.md).
# init_on_alloc: Debian's kernel clears each page that it hands out. mitigations: guards against what a processor
# guesses, built of extra indirect branches, each of which is a look-up for QEMU; the emulated one does not guess.
# A hardware accelerator keeps both: there they cost next to nothing, and they are the guest's own line of defence.
# _UNUSED_PARTS: a noise source that tests itself (jitterentropy; the machine has virtio-rng), a key type and a key
# derivation that nothing uses, certificates for module signatures that the pack has cut off.
_UNUSED_PARTS = ("jent_mod_init", "init_encrypted", "load_system_certificate_list", "crypto_kdf108_init")
_EMULATED: Mapping[str, str] = {
    "init_on_alloc": "0",
    "mitigations": "off",
    "initcall_blacklist": ",".join(_UNUSED_PARTS),
}


def build_cmdline(options: Mapping[str, str]) -> str:
    """`name=value` or, for an empty value, `name`, in order. Raises CallerError("caller.bad_request")."""
    words = [_word(name, value) for name, value in options.items()]
    text = " ".join(words)
    if len(text) > LIMIT_BYTES:
        raise CallerError("caller.bad_request", f"a kernel command line of {len(text)} bytes, at most {LIMIT_BYTES}")
    return text


def task_cmdline(platform: Platform, accelerator: AcceleratorName, extra: Mapping[str, str] | None = None) -> str:
    """The command line of a task's machine; `extra` is for measurements."""
    own = {"pui.mode": "task", "pui.root": ROOT_DEVICE, "pui.rootfstype": ROOT_FILE_SYSTEM}
    return build_cmdline({**_kernel_options(platform, accelerator), **own, **(extra or {})})


def probe_cmdline(platform: Platform, accelerator: AcceleratorName) -> str:
    """The command line of a probe machine: it prints one line and powers off."""
    return build_cmdline({**_kernel_options(platform, accelerator), "pui.mode": "probe"})


def _kernel_options(platform: Platform, accelerator: AcceleratorName) -> dict[str, str]:
    x86 = _X86 if platform.arch == "x86_64" else {}
    emulated = _EMULATED if accelerator == "tcg" else {}
    return {"console": platform.console, **_ALWAYS, **x86, **emulated}


def _word(name: str, value: str) -> str:
    if not _NAME.fullmatch(name) or (value and not _VALUE.fullmatch(value)):
        raise CallerError("caller.bad_request", f"{name!r}={value!r} does not belong on a kernel command line")
    return f"{name}={value}" if value else name
