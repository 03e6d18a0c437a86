"""The whole command line of the probe machine, word for word.

In: fixed inputs. Out: a literal list; a change of any word must be meant. Never: QEMU.
"""

from __future__ import annotations

from pui.domain.launch_plan import plan_probe
from pui.domain.qemu_args import qemu_argv
from tests.support.launch_inputs import PROBE

PROBE_TCG_X86_64 = (
    "/data/pack/qemu/lib/ld.so",
    "--inhibit-cache",
    "--library-path",
    "/data/pack/qemu/lib",
    "/data/pack/qemu/bin/qemu-system",
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
    "-name",
    "guest=pui-probe-tcg,debug-threads=on",
    "-L",
    "/data/pack/qemu/share",
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    "-machine",
    "q35,vmport=off,i8042=off,sata=off,smbus=off,usb=off,graphics=off,dump-guest-core=off",
    "-accel",
    "tcg,thread=multi",
    "-cpu",
    "max,la57=off,erms=off,fsrm=off,pku=off",
    "-smp",
    "1",
    "-m",
    "128M",
    "-kernel",
    "/data/pack/kernel/vmlinux",
    "-initrd",
    "/data/pack/kernel/initrd.img",
    "-append",
    "console=ttyS0 quiet loglevel=3 panic=-1 cryptomgr.notests reboot=t i8042.noaux i8042.nokbd "
    "init_on_alloc=0 mitigations=off "
    "initcall_blacklist=jent_mod_init,init_encrypted,load_system_certificate_list,crypto_kdf108_init "
    "pui.mode=probe",
    "-chardev",
    "socket,id=qmp,fd=9,server=on,wait=off",
    "-mon",
    "chardev=qmp,mode=control",
    "-chardev",
    "file,id=serial,path=/run/p/serial.log,append=off",
    "-device",
    '{"driver":"isa-serial","id":"console","chardev":"serial"}',
    "-object",
    '{"qom-type":"rng-builtin","id":"entropy"}',
    "-device",
    '{"driver":"virtio-rng-pci","id":"random","rng":"entropy"}',
)


def test_probe_tcg_x86_64() -> None:
    assert qemu_argv(plan_probe(PROBE)) == PROBE_TCG_X86_64
