"""The whole command line of QEMU on macOS and Windows, word for word.

In: fixed inputs. Out: literal lists; a change of any word must be meant. Never: QEMU.
"""

from __future__ import annotations

from pui.domain.launch_plan import plan_launch
from pui.domain.qemu_args import qemu_argv
from tests.support.launch_inputs import macos_inputs, windows_inputs

MACOS_HVF_X86_64 = (
    "/data/pack/qemu/bin/qemu-system",
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
    "-name",
    "guest=pui-t-1,debug-threads=on",
    "-L",
    "/data/pack/qemu/share",
    "-machine",
    "q35,vmport=off,i8042=off,sata=off,smbus=off,usb=off,graphics=off,dump-guest-core=off",
    "-accel",
    "hvf",
    "-cpu",
    "host",
    "-smp",
    "2",
    "-m",
    "768M",
    "-kernel",
    "/data/pack/kernel/vmlinux",
    "-initrd",
    "/data/pack/kernel/initrd.img",
    "-append",
    (
        "console=ttyS0 quiet loglevel=3 panic=-1 cryptomgr.notests reboot=t i8042.noaux i8042.nokbd "
        "pui.mode=task pui.root=/dev/vda pui.rootfstype=ext4"
    ),
    "-chardev",
    "socket,id=qmp,fd=9,server=on,wait=off",
    "-mon",
    "chardev=qmp,mode=control",
    "-chardev",
    "file,id=serial,path=/data/t-1/serial.log,append=off",
    "-device",
    '{"driver":"isa-serial","id":"console","chardev":"serial"}',
    "-object",
    '{"qom-type":"rng-builtin","id":"entropy"}',
    "-device",
    '{"driver":"virtio-rng-pci","id":"random","rng":"entropy"}',
    "-blockdev",
    (
        '{"driver":"file","node-name":"base-file","filename":"/data/pack/guest/base.qcow2",'
        '"read-only":true,"locking":"on"}'
    ),
    "-blockdev",
    '{"driver":"qcow2","node-name":"base","file":"base-file","read-only":true,"backing":null}',
    "-blockdev",
    (
        '{"driver":"file","node-name":"overlay-file","filename":"/data/t-1/overlay.qcow2",'
        '"locking":"on","discard":"unmap","cache":{"no-flush":true}}'
    ),
    "-blockdev",
    (
        '{"driver":"qcow2","node-name":"overlay","file":"overlay-file","backing":"base",'
        '"discard":"unmap","cache":{"no-flush":true}}'
    ),
    "-device",
    (
        '{"driver":"virtio-blk-pci","id":"root-disk","drive":"overlay","disable-legacy":"on",'
        '"werror":"enospc","rerror":"report"}'
    ),
    "-device",
    '{"driver":"virtio-serial-pci","id":"ports","max_ports":4,"disable-legacy":"on"}',
    "-chardev",
    "socket,id=port-ctl-backend,fd=10,server=on,wait=off",
    "-device",
    (
        '{"driver":"virtserialport","id":"port-ctl","bus":"ports.0","nr":1,"name":"pui.ctl",'
        '"chardev":"port-ctl-backend"}'
    ),
    "-chardev",
    "socket,id=port-rpc-backend,fd=11,server=on,wait=off",
    "-device",
    (
        '{"driver":"virtserialport","id":"port-rpc","bus":"ports.0","nr":2,"name":"pui.rpc",'
        '"chardev":"port-rpc-backend"}'
    ),
    "-chardev",
    "socket,id=port-model-backend,fd=12,server=on,wait=off",
    "-device",
    (
        '{"driver":"virtserialport","id":"port-model","bus":"ports.0","nr":3,"name":"pui.model",'
        '"chardev":"port-model-backend"}'
    ),
    "-fsdev",
    "local,id=share0-backend,path=/home/ann/project,security_model=mapped-xattr,fmode=0644,dmode=0755,multidevs=remap,readonly=off",
    "-device",
    ('{"driver":"virtio-9p-pci","id":"share0","fsdev":"share0-backend","mount_tag":"pui0","disable-legacy":"on"}'),
    "-fsdev",
    (
        "local,id=share1-backend,path=/home/ann/docs,, old,security_model=mapped-xattr,fmode=0644,dmode=0755,"
        "multidevs=remap,readonly=on"
    ),
    "-device",
    ('{"driver":"virtio-9p-pci","id":"share1","fsdev":"share1-backend","mount_tag":"pui1","disable-legacy":"on"}'),
)


def test_macos_hvf_x86_64() -> None:
    assert qemu_argv(plan_launch(macos_inputs("x86_64"))) == MACOS_HVF_X86_64


MACOS_HVF_AARCH64 = (
    "/data/pack/qemu/bin/qemu-system",
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
    "-name",
    "guest=pui-t-1,debug-threads=on",
    "-L",
    "/data/pack/qemu/share",
    "-machine",
    "virt,usb=off,graphics=off,dump-guest-core=off",
    "-accel",
    "hvf",
    "-cpu",
    "host",
    "-smp",
    "2",
    "-m",
    "768M",
    "-kernel",
    "/data/pack/kernel/vmlinux",
    "-initrd",
    "/data/pack/kernel/initrd.img",
    "-append",
    ("console=ttyAMA0 quiet loglevel=3 panic=-1 cryptomgr.notests pui.mode=task pui.root=/dev/vda pui.rootfstype=ext4"),
    "-chardev",
    "socket,id=qmp,fd=9,server=on,wait=off",
    "-mon",
    "chardev=qmp,mode=control",
    "-chardev",
    "file,id=serial,path=/data/t-1/serial.log,append=off",
    "-serial",
    "chardev:serial",
    "-object",
    '{"qom-type":"rng-builtin","id":"entropy"}',
    "-device",
    '{"driver":"virtio-rng-pci","id":"random","rng":"entropy"}',
    "-blockdev",
    (
        '{"driver":"file","node-name":"base-file","filename":"/data/pack/guest/base.qcow2",'
        '"read-only":true,"locking":"on"}'
    ),
    "-blockdev",
    '{"driver":"qcow2","node-name":"base","file":"base-file","read-only":true,"backing":null}',
    "-blockdev",
    (
        '{"driver":"file","node-name":"overlay-file","filename":"/data/t-1/overlay.qcow2",'
        '"locking":"on","discard":"unmap","cache":{"no-flush":true}}'
    ),
    "-blockdev",
    (
        '{"driver":"qcow2","node-name":"overlay","file":"overlay-file","backing":"base",'
        '"discard":"unmap","cache":{"no-flush":true}}'
    ),
    "-device",
    (
        '{"driver":"virtio-blk-pci","id":"root-disk","drive":"overlay","disable-legacy":"on",'
        '"werror":"enospc","rerror":"report"}'
    ),
    "-device",
    '{"driver":"virtio-serial-pci","id":"ports","max_ports":4,"disable-legacy":"on"}',
    "-chardev",
    "socket,id=port-ctl-backend,fd=10,server=on,wait=off",
    "-device",
    (
        '{"driver":"virtserialport","id":"port-ctl","bus":"ports.0","nr":1,"name":"pui.ctl",'
        '"chardev":"port-ctl-backend"}'
    ),
    "-chardev",
    "socket,id=port-rpc-backend,fd=11,server=on,wait=off",
    "-device",
    (
        '{"driver":"virtserialport","id":"port-rpc","bus":"ports.0","nr":2,"name":"pui.rpc",'
        '"chardev":"port-rpc-backend"}'
    ),
    "-chardev",
    "socket,id=port-model-backend,fd=12,server=on,wait=off",
    "-device",
    (
        '{"driver":"virtserialport","id":"port-model","bus":"ports.0","nr":3,"name":"pui.model",'
        '"chardev":"port-model-backend"}'
    ),
    "-fsdev",
    "local,id=share0-backend,path=/home/ann/project,security_model=mapped-xattr,fmode=0644,dmode=0755,multidevs=remap,readonly=off",
    "-device",
    ('{"driver":"virtio-9p-pci","id":"share0","fsdev":"share0-backend","mount_tag":"pui0","disable-legacy":"on"}'),
    "-fsdev",
    (
        "local,id=share1-backend,path=/home/ann/docs,, old,security_model=mapped-xattr,fmode=0644,dmode=0755,"
        "multidevs=remap,readonly=on"
    ),
    "-device",
    ('{"driver":"virtio-9p-pci","id":"share1","fsdev":"share1-backend","mount_tag":"pui1","disable-legacy":"on"}'),
)


def test_macos_hvf_aarch64() -> None:
    assert qemu_argv(plan_launch(macos_inputs("aarch64"))) == MACOS_HVF_AARCH64


WINDOWS_WHPX_X86_64 = (
    "C:\\data\\pack\\qemu\\bin\\qemu-system.exe",
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
    "-name",
    "guest=pui-t-1,debug-threads=on",
    "-L",
    "C:\\data\\pack\\qemu\\share",
    "-machine",
    "q35,vmport=off,i8042=off,sata=off,smbus=off,usb=off,graphics=off,dump-guest-core=off",
    "-accel",
    "whpx,kernel-irqchip=off",
    "-cpu",
    "Westmere",
    "-smp",
    "2",
    "-m",
    "768M",
    "-kernel",
    "C:\\data\\pack\\kernel\\vmlinux",
    "-initrd",
    "C:\\data\\pack\\kernel\\initrd.img",
    "-append",
    (
        "console=ttyS0 quiet loglevel=3 panic=-1 cryptomgr.notests reboot=t i8042.noaux i8042.nokbd "
        "pui.mode=task pui.root=/dev/vda pui.rootfstype=ext4"
    ),
    "-chardev",
    "pipe,id=qmp,path=pui-t-1-qmp",
    "-mon",
    "chardev=qmp,mode=control",
    "-chardev",
    "file,id=serial,path=C:\\data\\t-1\\serial.log,append=off",
    "-device",
    '{"driver":"isa-serial","id":"console","chardev":"serial"}',
    "-object",
    '{"qom-type":"rng-builtin","id":"entropy"}',
    "-device",
    '{"driver":"virtio-rng-pci","id":"random","rng":"entropy"}',
    "-blockdev",
    (
        '{"driver":"file","node-name":"base-file","filename":"C:\\\\data\\\\pack\\\\guest\\\\base.qcow2",'
        '"read-only":true,"locking":"auto"}'
    ),
    "-blockdev",
    '{"driver":"qcow2","node-name":"base","file":"base-file","read-only":true,"backing":null}',
    "-blockdev",
    (
        '{"driver":"file","node-name":"overlay-file","filename":"C:\\\\data\\\\t-1\\\\overlay.qcow2",'
        '"locking":"auto","discard":"unmap","cache":{"no-flush":true}}'
    ),
    "-blockdev",
    (
        '{"driver":"qcow2","node-name":"overlay","file":"overlay-file","backing":"base",'
        '"discard":"unmap","cache":{"no-flush":true}}'
    ),
    "-device",
    (
        '{"driver":"virtio-blk-pci","id":"root-disk","drive":"overlay","disable-legacy":"on",'
        '"werror":"enospc","rerror":"report"}'
    ),
    "-device",
    '{"driver":"virtio-serial-pci","id":"ports","max_ports":4,"disable-legacy":"on"}',
    "-chardev",
    "pipe,id=port-ctl-backend,path=pui-t-1-pui.ctl",
    "-device",
    (
        '{"driver":"virtserialport","id":"port-ctl","bus":"ports.0","nr":1,"name":"pui.ctl",'
        '"chardev":"port-ctl-backend"}'
    ),
    "-chardev",
    "pipe,id=port-rpc-backend,path=pui-t-1-pui.rpc",
    "-device",
    (
        '{"driver":"virtserialport","id":"port-rpc","bus":"ports.0","nr":2,"name":"pui.rpc",'
        '"chardev":"port-rpc-backend"}'
    ),
    "-chardev",
    "pipe,id=port-model-backend,path=pui-t-1-pui.model",
    "-device",
    (
        '{"driver":"virtserialport","id":"port-model","bus":"ports.0","nr":3,"name":"pui.model",'
        '"chardev":"port-model-backend"}'
    ),
)


def test_windows_whpx_x86_64() -> None:
    assert qemu_argv(plan_launch(windows_inputs("x86_64"))) == WINDOWS_WHPX_X86_64


WINDOWS_WHPX_AARCH64 = (
    "C:\\data\\pack\\qemu\\bin\\qemu-system.exe",
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
    "-name",
    "guest=pui-t-1,debug-threads=on",
    "-L",
    "C:\\data\\pack\\qemu\\share",
    "-machine",
    "virt,usb=off,graphics=off,dump-guest-core=off",
    "-accel",
    "whpx",
    "-cpu",
    "host",
    "-smp",
    "2",
    "-m",
    "768M",
    "-kernel",
    "C:\\data\\pack\\kernel\\vmlinux",
    "-initrd",
    "C:\\data\\pack\\kernel\\initrd.img",
    "-append",
    ("console=ttyAMA0 quiet loglevel=3 panic=-1 cryptomgr.notests pui.mode=task pui.root=/dev/vda pui.rootfstype=ext4"),
    "-chardev",
    "pipe,id=qmp,path=pui-t-1-qmp",
    "-mon",
    "chardev=qmp,mode=control",
    "-chardev",
    "file,id=serial,path=C:\\data\\t-1\\serial.log,append=off",
    "-serial",
    "chardev:serial",
    "-object",
    '{"qom-type":"rng-builtin","id":"entropy"}',
    "-device",
    '{"driver":"virtio-rng-pci","id":"random","rng":"entropy"}',
    "-blockdev",
    (
        '{"driver":"file","node-name":"base-file","filename":"C:\\\\data\\\\pack\\\\guest\\\\base.qcow2",'
        '"read-only":true,"locking":"auto"}'
    ),
    "-blockdev",
    '{"driver":"qcow2","node-name":"base","file":"base-file","read-only":true,"backing":null}',
    "-blockdev",
    (
        '{"driver":"file","node-name":"overlay-file","filename":"C:\\\\data\\\\t-1\\\\overlay.qcow2",'
        '"locking":"auto","discard":"unmap","cache":{"no-flush":true}}'
    ),
    "-blockdev",
    (
        '{"driver":"qcow2","node-name":"overlay","file":"overlay-file","backing":"base",'
        '"discard":"unmap","cache":{"no-flush":true}}'
    ),
    "-device",
    (
        '{"driver":"virtio-blk-pci","id":"root-disk","drive":"overlay","disable-legacy":"on",'
        '"werror":"enospc","rerror":"report"}'
    ),
    "-device",
    '{"driver":"virtio-serial-pci","id":"ports","max_ports":4,"disable-legacy":"on"}',
    "-chardev",
    "pipe,id=port-ctl-backend,path=pui-t-1-pui.ctl",
    "-device",
    (
        '{"driver":"virtserialport","id":"port-ctl","bus":"ports.0","nr":1,"name":"pui.ctl",'
        '"chardev":"port-ctl-backend"}'
    ),
    "-chardev",
    "pipe,id=port-rpc-backend,path=pui-t-1-pui.rpc",
    "-device",
    (
        '{"driver":"virtserialport","id":"port-rpc","bus":"ports.0","nr":2,"name":"pui.rpc",'
        '"chardev":"port-rpc-backend"}'
    ),
    "-chardev",
    "pipe,id=port-model-backend,path=pui-t-1-pui.model",
    "-device",
    (
        '{"driver":"virtserialport","id":"port-model","bus":"ports.0","nr":3,"name":"pui.model",'
        '"chardev":"port-model-backend"}'
    ),
)


def test_windows_whpx_aarch64() -> None:
    assert qemu_argv(plan_launch(windows_inputs("aarch64"))) == WINDOWS_WHPX_AARCH64
