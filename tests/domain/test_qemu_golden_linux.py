"""The whole command line of QEMU on Linux, word for word.

In: fixed inputs. Out: literal lists; a change of any word must be meant. Never: QEMU.
"""

from __future__ import annotations

from pui.domain.launch_plan import plan_launch
from pui.domain.qemu_args import qemu_argv
from tests.support.launch_inputs import linux_inputs

KVM_X86_64 = (
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
    "guest=pui-t-1,debug-threads=on",
    "-L",
    "/data/pack/qemu/share",
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    "-object",
    '{"qom-type":"memory-backend-memfd","id":"ram","size":805306368,"share":true}',
    "-machine",
    "q35,vmport=off,i8042=off,sata=off,smbus=off,usb=off,graphics=off,dump-guest-core=off,memory-backend=ram",
    "-accel",
    "kvm",
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
    "-chardev",
    "socket,id=share0-backend,path=/run/p/fs-pui0.sock",
    "-device",
    '{"driver":"vhost-user-fs-pci","id":"share0","chardev":"share0-backend","tag":"pui0","queue-size":1024}',
    "-chardev",
    "socket,id=share1-backend,path=/run/p/fs-pui1.sock",
    "-device",
    '{"driver":"vhost-user-fs-pci","id":"share1","chardev":"share1-backend","tag":"pui1","queue-size":1024}',
)


def test_kvm_x86_64() -> None:
    assert qemu_argv(plan_launch(linux_inputs("x86_64", "kvm"))) == KVM_X86_64


TCG_X86_64 = (
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
    "guest=pui-t-1,debug-threads=on",
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
    "768M",
    "-kernel",
    "/data/pack/kernel/vmlinux",
    "-initrd",
    "/data/pack/kernel/initrd.img",
    "-append",
    (
        "console=ttyS0 quiet loglevel=3 panic=-1 cryptomgr.notests reboot=t i8042.noaux i8042.nokbd "
        "init_on_alloc=0 mitigations=off "
        "initcall_blacklist=jent_mod_init,init_encrypted,load_system_certificate_list,crypto_kdf108_init "
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


def test_tcg_x86_64() -> None:
    assert qemu_argv(plan_launch(linux_inputs("x86_64", "tcg"))) == TCG_X86_64


KVM_AARCH64 = (
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
    "guest=pui-t-1,debug-threads=on",
    "-L",
    "/data/pack/qemu/share",
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    "-object",
    '{"qom-type":"memory-backend-memfd","id":"ram","size":805306368,"share":true}',
    "-machine",
    "virt,usb=off,graphics=off,dump-guest-core=off,memory-backend=ram",
    "-accel",
    "kvm",
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
    "-chardev",
    "socket,id=share0-backend,path=/run/p/fs-pui0.sock",
    "-device",
    '{"driver":"vhost-user-fs-pci","id":"share0","chardev":"share0-backend","tag":"pui0","queue-size":1024}',
    "-chardev",
    "socket,id=share1-backend,path=/run/p/fs-pui1.sock",
    "-device",
    '{"driver":"vhost-user-fs-pci","id":"share1","chardev":"share1-backend","tag":"pui1","queue-size":1024}',
)


def test_kvm_aarch64() -> None:
    assert qemu_argv(plan_launch(linux_inputs("aarch64", "kvm"))) == KVM_AARCH64


TCG_AARCH64 = (
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
    "guest=pui-t-1,debug-threads=on",
    "-L",
    "/data/pack/qemu/share",
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    "-machine",
    "virt,usb=off,graphics=off,dump-guest-core=off",
    "-accel",
    "tcg,thread=multi",
    "-cpu",
    "max,pauth-impdef=on",
    "-smp",
    "1",
    "-m",
    "768M",
    "-kernel",
    "/data/pack/kernel/vmlinux",
    "-initrd",
    "/data/pack/kernel/initrd.img",
    "-append",
    (
        "console=ttyAMA0 quiet loglevel=3 panic=-1 cryptomgr.notests init_on_alloc=0 mitigations=off "
        "initcall_blacklist=jent_mod_init,init_encrypted,load_system_certificate_list,crypto_kdf108_init "
        "pui.mode=task pui.root=/dev/vda pui.rootfstype=ext4"
    ),
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


def test_tcg_aarch64() -> None:
    assert qemu_argv(plan_launch(linux_inputs("aarch64", "tcg"))) == TCG_AARCH64
