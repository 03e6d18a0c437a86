"""Everything of the outside world that tasks need, in one value.

In: implementations of ports (compose.py makes the real ones, tests the simulated ones). Out: the same, by name.
Never: behaviour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pui.domain.model_policy import ModelChoice, SecretText
from pui.ports import (
    CacheVolumes,
    Clock,
    DiskImages,
    Folders,
    FolderScanner,
    HostProbe,
    Hypervisor,
    ModelChoices,
    ModelGateway,
    MountServers,
    PackLock,
    PackStore,
    PackTrial,
    ProcessIdentity,
    ProcessTable,
    TaskFiles,
    Transport,
)


@dataclass(frozen=True)
class Services:
    """`machine_limit` is the number of machines at one time; `new_gateway` takes the task's model and token.

    `model` is what a task gets that names none; `models` looks up the others, None where there is only the one.

    `pack_trial` is told how boots end, None where packs are no part of the matter.
    `random_bytes` returns that many fresh bytes for tokens and the guest's entropy.
    """

    packs: PackStore
    pack_lock: PackLock
    host: HostProbe
    disks: DiskImages
    hypervisor: Hypervisor
    mount_servers: MountServers
    transport: Transport
    files: TaskFiles
    folders: Folders
    scanner: FolderScanner
    clock: Clock
    process_table: ProcessTable
    app: ProcessIdentity
    model: ModelChoice
    new_gateway: Callable[[ModelChoice, SecretText], ModelGateway]
    new_task_id: Callable[[], str]
    random_bytes: Callable[[int], bytes]
    machine_limit: int
    tcg_is_allowed: bool
    pack_trial: PackTrial | None = None
    models: ModelChoices | None = None
    cache_volumes: CacheVolumes | None = None
