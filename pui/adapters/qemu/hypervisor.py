"""Starts QEMU for a launch plan and watches it through its monitor.

In: LaunchPlan, the host end of the monitor's socket. Out: a machine that answers: its trouble, its exit, its end; its
monitor's events in a file beside its log.
Never: an option of QEMU (domain/qemu_args), a guest's channel, a machine that outlives `quit` or a failed start.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

from pui.adapters.qemu.event_log import EventLog
from pui.adapters.qemu.monitor import Monitor, Witness
from pui.domain.errors import LaunchError, PuiError
from pui.domain.launch_plan import SERIAL_LIMIT_BYTES, LaunchPlan, ListenerFd
from pui.domain.qemu_args import qemu_argv, qemu_env
from pui.domain.qmp import QmpEvent
from pui.domain.task_files import QMP_LOG
from pui.ports import Process, ProcessIdentity, ProcessStarter, SocketEndpoint, Transport

MONITOR_LIMIT_S = 20.0
"""QEMU greets within 0.1 s, long before its guest does anything; the rest is for a computer under load."""
SERIAL_WATCH_S = 1.0
_LOG_LIMIT_BYTES = 16_384
_EXIT_AFTER_CLOSE_S = 1.0

_TROUBLES = {
    "internal-error": "the accelerator failed (run state internal-error)",
    "io-error": "the machine was paused: its disk file cannot grow or be read (is the disk of this computer full?)",
    "guest-panicked": "the guest's kernel panicked",
    "watchdog": "the guest's watchdog expired",
}
"""Run states (QEMU docs, RunState) in which a machine lives and does nothing any more."""


class QemuHypervisor:
    """ports.Hypervisor."""

    def __init__(self, starter: ProcessStarter, transport: Transport, monitor_limit_s: float = MONITOR_LIMIT_S) -> None:
        self._starter = starter
        self._transport = transport
        self._monitor_limit_s = monitor_limit_s

    async def start(self, plan: LaunchPlan, *, qmp: SocketEndpoint, log_path: Path) -> QemuMachine:
        """QEMU runs without capabilities of the host, as the user that the guest knows as 1000."""
        endpoints = (plan.qmp, *(port.endpoint for port in plan.ports))
        process = await self._starter.start(
            qemu_argv(plan),
            env=qemu_env(plan),
            log_path=log_path,
            pass_fds=[endpoint.fd for endpoint in endpoints if isinstance(endpoint, ListenerFd)],
            as_guest_user=True,
        )
        is_ready = False
        try:
            monitor = await self._greet(process, qmp, EventLog(log_path.with_name(QMP_LOG)).note)
            is_ready = True
        finally:
            if not is_ready:
                await process.stop(0.0)
        return QemuMachine(process, monitor, Path(plan.serial_log))

    async def _greet(self, process: Process, qmp: SocketEndpoint, witness: Witness) -> Monitor:
        """When QEMU ends meanwhile, that is the reason told, not the silence of its monitor."""
        limit_s = self._monitor_limit_s
        opening = asyncio.create_task(Monitor.open(self._transport, qmp, limit_s, witness), name="qmp-open")
        exiting = asyncio.create_task(process.wait(), name="qemu-exit")
        try:
            await asyncio.wait({opening, exiting}, return_when=asyncio.FIRST_COMPLETED)
            if opening.done() and opening.exception() is not None:
                await asyncio.wait({exiting}, timeout=_EXIT_AFTER_CLOSE_S)
            if exiting.done():
                await _drop(opening)
                raise _exit_error(exiting.result(), process)
            return opening.result()
        except asyncio.CancelledError:
            await _drop(opening)
            raise
        finally:
            exiting.cancel()
            await asyncio.gather(exiting, return_exceptions=True)


async def _drop(opening: asyncio.Task[Monitor]) -> None:
    """Closes a monitor that nobody will use."""
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    if not opening.cancelled() and opening.exception() is None:
        await opening.result().close()


def _exit_error(code: int, process: Process) -> LaunchError:
    how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
    return LaunchError("launch.qemu_exit", f"QEMU {how}", detail=process.log_tail(_LOG_LIMIT_BYTES))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class QemuMachine:
    """ports.VirtualMachine. `reason` is the trouble that was noticed so far, "" when none."""

    def __init__(self, process: Process, monitor: Monitor, serial_log: Path) -> None:
        self._process = process
        self._monitor = monitor
        self._serial_log = serial_log
        self.reason = ""
        self._is_in_trouble = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._watch_events(), name="qemu-events"),
            asyncio.create_task(self._watch_serial(), name="qemu-serial"),
        ]

    @property
    def identity(self) -> ProcessIdentity:
        return self._process.identity

    def log_tail(self, limit_bytes: int = 4096) -> str:
        return self._process.log_tail(limit_bytes)

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.exit_code

    async def wait(self) -> int:
        return await self._process.wait()

    async def query_status(self) -> str:
        """QEMU's run state. Raises as Monitor.execute does."""
        return await self._monitor.query_status()

    async def trouble(self) -> str:
        await self._is_in_trouble.wait()
        return self.reason

    def _note_trouble(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._is_in_trouble.set()

    async def _watch_events(self) -> None:
        """A machine that stopped by itself says only STOP: its run state tells why. It may have stopped before us."""
        try:
            await self._look_at_status()
            async for event in self._monitor.events():
                if reason := _trouble_of(event):
                    self._note_trouble(reason)
                elif event.name == "STOP":
                    await self._look_at_status()
        except PuiError as error:
            if error.code == "protocol.remote":
                self._note_trouble(error.message)
        if self._monitor.fault is not None:
            self._note_trouble(self._monitor.fault.message)

    async def _look_at_status(self) -> None:
        if reason := _TROUBLES.get(await self._monitor.query_status()):
            self._note_trouble(reason)

    async def _watch_serial(self) -> None:
        """Keeps SERIAL_LIMIT_BYTES: a guest that prints for ever must not fill the disk."""
        while _size_bytes(self._serial_log) <= SERIAL_LIMIT_BYTES:  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(SERIAL_WATCH_S)
        with suppress(PuiError):  # a machine whose monitor is gone is being ended anyway
            await self._monitor.mute_serial()

    async def quit(self, grace_s: float) -> None:
        """Without a monitor SIGTERM comes at once. A cancelled quit kills at once: nothing is left behind."""
        try:
            async with asyncio.timeout(grace_s):
                await self._monitor.order_quit()
                await self._process.wait()
        except (TimeoutError, PuiError):
            await self._process.stop(grace_s)
        except asyncio.CancelledError:
            await self._process.stop(0.0)
            raise
        finally:
            await self._close()

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:
            await self._monitor.close()


def _trouble_of(event: QmpEvent) -> str:
    if event.name == "GUEST_PANICKED":
        return _TROUBLES["guest-panicked"]
    if event.name == "BLOCK_IO_ERROR" and event.data.get("action") == "stop":
        return _TROUBLES["io-error"]
    return ""


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
