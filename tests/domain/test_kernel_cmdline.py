"""The kernel's command line: exact words, nothing that could be two words.

In: options. Out: the text or a refusal. Never: a kernel.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pui.domain.errors import CallerError
from pui.domain.kernel_cmdline import LIMIT_BYTES, build_cmdline, probe_cmdline, task_cmdline
from pui.domain.platforms import find_platform

X86 = find_platform("linux", "x86_64")
ARM = find_platform("linux", "aarch64")


def test_a_task_on_x86() -> None:
    assert task_cmdline(X86, "kvm") == (
        "console=ttyS0 quiet loglevel=3 panic=-1 cryptomgr.notests reboot=t i8042.noaux i8042.nokbd "
        "pui.mode=task pui.root=/dev/vda pui.rootfstype=ext4"
    )


def test_a_task_on_arm() -> None:
    assert task_cmdline(ARM, "kvm") == (
        "console=ttyAMA0 quiet loglevel=3 panic=-1 cryptomgr.notests "
        "pui.mode=task pui.root=/dev/vda pui.rootfstype=ext4"
    )


def test_a_probe() -> None:
    assert probe_cmdline(ARM, "kvm") == "console=ttyAMA0 quiet loglevel=3 panic=-1 cryptomgr.notests pui.mode=probe"


@pytest.mark.parametrize("make", [task_cmdline, probe_cmdline])
def test_only_an_emulated_machine_goes_without_the_kernels_guards(make: Callable[..., str]) -> None:
    costly = {"init_on_alloc=0", "mitigations=off"}
    assert costly <= set(make(X86, "tcg").split())
    assert costly <= set(make(ARM, "tcg").split())
    for accelerator in ("kvm", "hvf", "whpx"):
        assert costly.isdisjoint(make(X86, accelerator).split())


def test_extra_options_replace_and_add() -> None:
    text = task_cmdline(ARM, "kvm", {"loglevel": "7", "mitigations": "off"})
    assert text.split()[2] == "loglevel=7"
    assert text.endswith("mitigations=off")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a b", "c"),
        ("", "c"),
        ("-a", ""),
        ("a=b", ""),
        ("a", "b c"),
        ("a", '"b"'),
        ("a", "'"),
        ("a", "b\n"),
        ("a\n", ""),
        ("a", "b\tc"),
        ("a", "\\"),
        ("a", "ü"),
        ("a", "\0"),
    ],
)
def test_what_could_be_two_words_is_refused(name: str, value: str) -> None:
    with pytest.raises(CallerError):
        build_cmdline({name: value})


def test_the_limit() -> None:
    assert len(build_cmdline({"a": "b" * (LIMIT_BYTES - 2)})) == LIMIT_BYTES
    with pytest.raises(CallerError, match="2047"):
        build_cmdline({"a": "b" * (LIMIT_BYTES - 1)})
