"""Puts the app together: the only place that names concrete classes.

In: the environment. Out: an App with services and supervisor. Never: a decision about a task.
"""

from __future__ import annotations

import os
import platform
import random
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from pui.adapters.clock import SystemClock
from pui.adapters.data_dir import DataLease
from pui.adapters.data_move import DataMove, finish_moves
from pui.adapters.desktop import HostDesktop
from pui.adapters.folder_facts import HostFolders
from pui.adapters.folder_grants import FolderGrantFile
from pui.adapters.folder_scan import HostFolderScanner
from pui.adapters.host.linux import this_platform
from pui.adapters.host.metered import NetworkManagerProbe
from pui.adapters.keystore import read_model_environment
from pui.adapters.model_keys import ModelKeyring
from pui.adapters.mounts.virtiofsd import VirtiofsdServers
from pui.adapters.notifications import DesktopNotifier
from pui.adapters.packs.life import PackLife
from pui.adapters.packs.operations import Builder, PackOperations, Surroundings
from pui.adapters.packs.pack_journal import read_records
from pui.adapters.packs.this_app import this_app
from pui.adapters.paths import ENV_ALLOW_TCG, ENV_CHANNEL, AppPaths, app_paths, own_dir, private_dir
from pui.adapters.process import LinuxProcessStarter
from pui.adapters.process_table import LinuxProcessTable, own_identity
from pui.adapters.qemu.cache_volumes import CacheFolder
from pui.adapters.qemu.hypervisor import QemuHypervisor
from pui.adapters.qemu.img import QemuImages
from pui.adapters.qemu.probe import LinuxHostProbe, ProbeSettings
from pui.adapters.settings_file import SettingsFile
from pui.adapters.task_files import TaskFolders
from pui.adapters.task_logs import TaskLogFiles, private_words
from pui.adapters.transport import UnixTransport
from pui.adapters.update_file import UpdateFile
from pui.domain.chart_names import CHART_IDS
from pui.domain.errors import PuiError
from pui.domain.model_policy import DEMO_CHOICE, ModelChoice, SecretText
from pui.domain.pack_job import Step
from pui.domain.platforms import jail_words
from pui.domain.version import VERSION
from pui.logs import close_log, open_log
from pui.ports import Dialogs, ModelGateway
from pui.ports.upkeep import SettingsStore, StepReport
from pui.resources import data, load_chart, packaged_root
from pui.shell.archive import Archive
from pui.shell.blobs import Blobs
from pui.shell.desk import AppFacts, Carrier, Desk
from pui.shell.folder_book import FolderBook
from pui.supervisor.attention import Attention
from pui.supervisor.diagnosis import Diagnosis
from pui.supervisor.pack_board import PackBoard
from pui.supervisor.pack_trial import PackTrier
from pui.supervisor.services import Services
from pui.supervisor.setup_check import SetupCheck, SetupFacts
from pui.supervisor.supervisor import Supervisor
from pui.supervisor.update_watch import UpdateWatch
from pui.supervisor.upkeep import Upkeep

MACHINES_PER_CPU = 4
"""threats.md section 5: limit = min(what the memory carries, cores x 4)."""
MEMORY_PER_MACHINE_MIB = 1024
BUILD_LEVEL = 10
"""zstd level of packs made on this computer."""


@dataclass(frozen=True)
class App:
    """The composed app. `notes` are sentences for the person (a mended cache, the developer switch).

    `model` is what a task gets that names none; `model_fault` says why it is the demo and not what was chosen.
    """

    paths: AppPaths
    packs: PackLife
    host: LinuxHostProbe
    files: TaskFolders
    services: Services
    supervisor: Supervisor
    model: ModelChoice
    tcg_is_allowed: bool
    notes: list[str]
    settings: SettingsFile
    model_keys: ModelKeyring
    lease: DataLease
    pack_work: PackOperations
    environ: Mapping[str, str]
    model_fault: PuiError | None = None


def tcg_is_allowed(environ: Mapping[str, str]) -> bool:
    """The developer switch: exactly PUI_ALLOW_TCG=1."""
    return environ.get(ENV_ALLOW_TCG) == "1"


@contextmanager
def composed_app(environ: MutableMapping[str, str] | None = None) -> Iterator[App]:
    """The app of this process, with its log open. Raises PuiError for folders, charts or keys that are not usable."""
    environ = os.environ if environ is None else environ
    moves = finish_moves(environ)
    paths = app_paths(environ)
    environment = read_model_environment(environ)
    own_dir(paths.data)
    private_dir(paths.runtime)
    lease = DataLease(paths)
    try:
        notes = list(moves)
        settings_file = SettingsFile(paths, notes.append)
        keys = ModelKeyring(paths, settings_file, environment)
        handler = open_log(paths.app_log, keys.secrets)
        try:
            yield _compose(paths, settings_file, keys, lease, notes, environ)
        finally:
            close_log(handler)
    finally:
        lease.close()


def _default_model(keys: ModelKeyring) -> tuple[ModelChoice, PuiError | None]:
    """A key that is kept in memory only is gone after a restart: that must not keep the app from starting."""
    name = keys.default()
    try:
        return keys.choice(name.provider, name.model), None
    except PuiError as error:
        return DEMO_CHOICE, error


def _compose(
    paths: AppPaths,
    settings_file: SettingsFile,
    keys: ModelKeyring,
    lease: DataLease,
    notes: list[str],
    environ: Mapping[str, str],
) -> App:
    allow_tcg = tcg_is_allowed(environ)
    model, model_fault = _default_model(keys)
    platform, clock, transport = this_platform(), SystemClock(), UnixTransport()
    starter = LinuxProcessStarter()
    settings = ProbeSettings(VERSION, allow_tcg, notes.append)
    packs, files = PackLife(paths, this_app(), load_chart("pack"), clock), TaskFolders(paths)
    host = LinuxHostProbe(starter, transport, paths, platform, clock, settings)
    services = Services(
        packs=packs,
        pack_lock=packs,
        host=host,
        disks=QemuImages(starter, platform),
        cache_volumes=CacheFolder(paths),
        hypervisor=QemuHypervisor(starter, transport),
        mount_servers=VirtiofsdServers(starter, platform),
        transport=transport,
        files=files,
        folders=HostFolders(paths, platform),
        scanner=HostFolderScanner(),
        clock=clock,
        process_table=LinuxProcessTable(),
        app=own_identity(),
        model=model,
        new_gateway=_new_gateway,
        new_task_id=_new_task_id,
        random_bytes=secrets.token_bytes,
        machine_limit=_machine_limit(),
        tcg_is_allowed=allow_tcg,
        pack_trial=packs,
        models=keys,
    )
    supervisor = Supervisor(services, load_chart("task"), load_chart("agent"))
    _log_start(allow_tcg, model)
    return App(
        paths,
        packs,
        host,
        files,
        services,
        supervisor,
        model,
        allow_tcg,
        notes,
        settings_file,
        keys,
        lease,
        pack_operations(paths, packs, settings_file, Surroundings(channel_of(settings_file, environ), packaged_root())),
        environ,
        model_fault,
    )


def compose_desk(app: App, dialogs: Dialogs, carrier: Carrier) -> Desk:
    """What the verbs work with, for the one page of this app."""
    services = app.services
    facts = AppFacts(
        version=VERSION,
        platform=f"{this_platform().os} {this_platform().arch}",
        carrier=carrier,
        is_emulation_allowed=app.tcg_is_allowed,
        notes=app.notes,
        data_dir=app.paths.data,
    )
    grants = FolderGrantFile(app.paths)
    return Desk(
        supervisor=app.supervisor,
        services=services,
        facts=facts,
        dialogs=dialogs,
        clock=services.clock,
        blobs=Blobs(services.clock, services.random_bytes),
        desktop=HostDesktop(),
        folders=FolderBook(grants, services.folders, dialogs, services.clock, services.random_bytes),
        archive=compose_archive(app),
        upkeep=compose_upkeep(app),
        attention=Attention(app.supervisor, DesktopNotifier(app.environ), app.settings, services.clock),
    )


def compose_archive(app: App) -> Archive:
    """The charts, and what can be looked up of tasks and packs."""
    charts = {chart_id: load_chart(chart_id) for chart_id in CHART_IDS}
    return Archive(
        charts=charts,
        chart_style=(data("ui") / "chart.css").read_text("utf-8"),
        diagnosis=compose_diagnosis(app.paths, app.files, app.model_keys.secrets),
        pack_records=lambda: read_records(app.paths.pack_journal),
    )


def compose_diagnosis(paths: AppPaths, files: TaskFolders, keys: Callable[[], Sequence[str]] = tuple) -> Diagnosis:
    """What `pui tasks bundle` and the page look faults up with; it needs no running app."""
    about = (f"pui {VERSION}", f"{platform.platform()}, {os.cpu_count()} processors", f"Python {sys.version}")
    return Diagnosis(files, TaskLogFiles(paths), load_chart("task"), lambda: private_words(keys()), about)


def compose_upkeep(app: App) -> Upkeep:
    """Settings, keys, set-up, packs and updates of this app."""
    services, settings = app.services, app.settings
    pack_chart, updates = load_chart("pack"), UpdateFile(app.paths)
    trier = PackTrier(services, load_chart("task"), load_chart("agent"))
    labels = {name: state.label for name, state in pack_chart.states.items()}
    board = PackBoard(app.pack_work, trier.boot, settings, updates, services.clock, _new_job_id, labels)
    metered = NetworkManagerProbe(LinuxProcessStarter(), app.paths)
    here = this_platform()
    facts = SetupFacts(
        here.os,
        here.arch,
        str(app.paths.data),
        lambda: app.packs.slots().previous is not None,
        jail_reason=jail_words(here),
    )
    watch = UpdateWatch(board, settings, updates, metered, services.clock, random.SystemRandom().random)
    setup = SetupCheck(load_chart("setup"), services, settings, facts)
    mover = DataMove(app.paths, this_app(), app.lease, app.environ, is_busy=lambda: bool(app.supervisor.running()))
    return Upkeep(settings, app.model_keys, app.model_keys, setup, board, watch, mover)


def pack_operations(paths: AppPaths, life: PackLife, settings: SettingsStore, around: Surroundings) -> PackOperations:
    """The acts on packs, with this computer's builder where it comes with the app."""
    return PackOperations(paths, this_app(), life, settings, around, PackBuilder(paths))


class PackBuilder(Builder):
    """packbuild, which an app may come without."""

    def __init__(self, paths: AppPaths) -> None:
        self._paths = paths

    def is_possible(self) -> bool:
        try:
            from pui.packbuild.present import is_there
        except ImportError:
            return False
        return is_there()

    def build(self, report: StepReport) -> Path:
        from pui.packbuild.build import BuildOptions, build_pack  # heavy, and absent from an app without the builder
        from pui.packbuild.progress import Progress

        paths = self._paths
        paths.cache.mkdir(parents=True, exist_ok=True)
        options = BuildOptions(
            paths.build_dir, paths.cache, paths.dev_key, level=BUILD_LEVEL, platform=this_app().platform
        )

        def tell(progress: Progress) -> None:
            report(Step("building", progress.done, progress.total, progress.note or progress.stage))

        return build_pack(options, tell).archive


def channel_of(settings: SettingsStore, environ: Mapping[str, str]) -> Callable[[], str]:
    """Where updates come from: the environment, else the setting."""
    named = environ.get(ENV_CHANNEL, "")
    return lambda: named or settings.current().channel


def _new_gateway(model: ModelChoice, token: SecretText) -> ModelGateway:
    from pui.adapters.model.gateway import HttpModelGateway  # late: only a task needs it

    return HttpModelGateway(model, token)


def _new_job_id() -> str:
    return secrets.token_hex(8)


def _new_task_id() -> str:
    """Sorts by time and cannot be guessed: `1123-151200-3f2a91`."""
    return f"{datetime.now(UTC):%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _machine_limit() -> int:
    memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return max(1, min((os.cpu_count() or 1) * MACHINES_PER_CPU, memory_mib // MEMORY_PER_MACHINE_MIB))


def _log_start(allow_tcg: bool, model: ModelChoice) -> None:
    log = structlog.get_logger()
    log.info("app started", version=VERSION, model=model.label, pid=os.getpid())
    if allow_tcg:
        log.warning("DEVELOPER SWITCH: emulation (TCG) is allowed; it is no isolation boundary", switch=ENV_ALLOW_TCG)
