"""The host ends of ports and of the monitor, and the virtio-serial bus.

In: endpoints and port plans. Out: arguments. Never: a TCP socket.
"""

from __future__ import annotations

from pui.domain.events import JsonValue
from pui.domain.launch_plan import Endpoint, ListenerFd, ListenPath, PortPlan
from pui.domain.qemu_args.syntax import json_option, key_value_option


def chardev_option(backend_id: str, endpoint: Endpoint) -> str:
    """The value of -chardev. QEMU listens and starts without waiting for us to connect."""
    listening = {"server": "on", "wait": "off"}
    if isinstance(endpoint, ListenerFd):
        return key_value_option("socket", {"id": backend_id, "fd": str(endpoint.fd), **listening})
    if isinstance(endpoint, ListenPath):
        return key_value_option("socket", {"id": backend_id, "path": str(endpoint.path), **listening})
    return key_value_option("pipe", {"id": backend_id, "path": endpoint.name})


def ports_args(ports: tuple[PortPlan, ...]) -> tuple[str, ...]:
    """One bus and its ports; nothing without ports. Port 0 is reserved for a console."""
    if not ports:
        return ()
    bus: dict[str, JsonValue] = {
        "driver": "virtio-serial-pci",
        "id": "ports",
        "max_ports": len(ports) + 1,
        "disable-legacy": "on",
    }
    return ("-device", json_option(bus), *(argument for port in ports for argument in _port_args(port)))


def _port_args(port: PortPlan) -> tuple[str, ...]:
    device: dict[str, JsonValue] = {
        "driver": "virtserialport",
        "id": port.device_id,
        "bus": "ports.0",
        "nr": port.number,
        "name": port.name,
        "chardev": port.backend_id,
    }
    return ("-chardev", chardev_option(port.backend_id, port.endpoint), "-device", json_option(device))
