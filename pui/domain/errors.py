"""Every error a person or a caller can meet, with its stable code.

In: a code of the table below, a message that names the concrete thing, optional detail.
Out: typed exceptions; families are split by what the caller can do about them.
Never: I/O, formatting for a terminal, wrapping of bugs (AssertionError, TypeError stay what they are).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Retry(StrEnum):
    """What trying again can bring."""

    NEVER = "never"
    AGAIN = "again"
    AFTER_SETUP = "after_setup"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class CodeInfo:
    """One line of the error table: what it means, what to do, whether to try again."""

    meaning: str
    hint: str
    retry: Retry


_REINSTALL = "Run `pui pack install FILE` with a pack you trust, or `pui pack build` to make one."
_BAD_PACK = "The pack is damaged or was changed: fetch it again, or build it with `pui pack build`."

CODES: Mapping[str, CodeInfo] = {
    # setup
    "pack.missing": CodeInfo("No runtime pack is installed.", _REINSTALL, Retry.AFTER_SETUP),
    "pack.corrupt": CodeInfo(
        "An installed pack differs from its manifest.",
        "Run `pui pack repair`, or `pui pack repair FILE` with the same pack: only what is broken is written anew.",
        Retry.AFTER_SETUP,
    ),
    "pack.unhealthy": CodeInfo(
        "The only installed pack failed its trial: no machine reached pi's answer with it.",
        "Run `pui pack try` to boot it again, or install another pack.",
        Retry.AFTER_SETUP,
    ),
    "pack.untrusted": CodeInfo(
        "No trusted key signed the pack.",
        "Use a pack signed by a key in the trust folder (`pui pack list` names it).",
        Retry.NEVER,
    ),
    "pack.incompatible": CodeInfo(
        "The pack is for another platform or app version.",
        "Use a pack made for this platform and this version of pui.",
        Retry.NEVER,
    ),
    "pack.rollback": CodeInfo("The pack is older than the version floor.", "Install a newer pack.", Retry.NEVER),
    "pack.malformed": CodeInfo("The manifest, envelope or archive is not well formed.", _BAD_PACK, Retry.NEVER),
    "pack.bad_path": CodeInfo("The pack names a path that is not allowed.", _BAD_PACK, Retry.NEVER),
    "pack.bad_type": CodeInfo("The archive holds something else than plain files.", _BAD_PACK, Retry.NEVER),
    "pack.checksum": CodeInfo("Bytes of the pack differ from the signed sums.", _BAD_PACK, Retry.AGAIN),
    "pack.too_large": CodeInfo("The pack is larger than its manifest says.", _BAD_PACK, Retry.NEVER),
    "pack.in_use": CodeInfo(
        "A task or another installer is using the pack.", "Wait for it to end, then try again.", Retry.AGAIN
    ),
    "pack.build": CodeInfo(
        "The runtime pack could not be built.", "Read the message; `pui pack build --help`.", Retry.AGAIN
    ),
    "accel.missing": CodeInfo(
        "This machine offers no hardware acceleration.",
        "Turn on virtualization (VT-x, AMD-V) in the firmware set-up; `pui doctor` shows more.",
        Retry.AFTER_SETUP,
    ),
    "accel.denied": CodeInfo(
        "The accelerator exists, but this user may not open it.",
        "Add your user to the group that owns it (on Linux: `sudo usermod -aG kvm $USER`), then log in again.",
        Retry.AFTER_SETUP,
    ),
    "accel.broken": CodeInfo(
        "The accelerator opens, but a probe machine does not run on it.",
        "Often nested virtualization without full support: run on the physical host, or ask its operator.",
        Retry.AFTER_SETUP,
    ),
    "qemu.missing": CodeInfo("QEMU of the pack is missing or does not start.", _REINSTALL, Retry.AFTER_SETUP),
    "qemu.too_old": CodeInfo("QEMU is older than pui needs.", _REINSTALL, Retry.AFTER_SETUP),
    # download
    "fetch.network": CodeInfo("The server could not be reached.", "Check the network and the address.", Retry.AGAIN),
    "fetch.http": CodeInfo("The server answered with an error.", "Check the address.", Retry.AGAIN),
    "fetch.redirect": CodeInfo("The server redirects to another origin.", "Give the final address.", Retry.NEVER),
    "fetch.stalled": CodeInfo("The download stalled.", "Try again.", Retry.AGAIN),
    "fetch.too_long": CodeInfo("The server sends more than announced.", "Check the address.", Retry.NEVER),
    "fetch.checksum": CodeInfo(
        "Downloaded bytes differ from the locked or signed sum.", "Check the mirror; try again.", Retry.AGAIN
    ),
    "fetch.cancelled": CodeInfo(
        "The download was cancelled.", "Start it again: it goes on where it ended.", Retry.AGAIN
    ),
    "fetch.not_an_index": CodeInfo(
        "Something else than a channel answered, often the log-in page of a network.",
        "Open a web page in your browser, log in to the network if it asks, then try again; else check the address.",
        Retry.AGAIN,
    ),
    # index of the channel
    "index.malformed": CodeInfo(
        "A document of the channel is not well formed.",
        "Nothing was changed and the installed pack goes on working. Tell the channel's operator.",
        Retry.AGAIN,
    ),
    "index.rollback": CodeInfo(
        "The channel serves an older state than it did before.",
        "Somebody may be replaying old files: nothing was changed. Try again later or from another network.",
        Retry.AGAIN,
    ),
    "index.expired": CodeInfo(
        "The channel's index is out of date.",
        "Check this computer's date. The installed pack goes on working; only updates wait for a fresh index.",
        Retry.AGAIN,
    ),
    "index.mismatch": CodeInfo(
        "The channel's documents do not belong together.",
        "Often a channel that is just being published: try again in some minutes.",
        Retry.AGAIN,
    ),
    "index.untrusted": CodeInfo(
        "The channel is not signed by the keys you trust.",
        "Settings, Runtime, «Trust a channel…» or `pui pack trust-root`: a new root needs its operator's word.",
        Retry.NEVER,
    ),
    "index.clock": CodeInfo(
        "This computer's clock cannot be right.", "Set date and time, then try again.", Retry.AFTER_SETUP
    ),
    # host
    "host.disk_full": CodeInfo("The disk is full.", "Free some space, then try again.", Retry.AGAIN),
    "host.memory": CodeInfo(
        "There is not enough free memory for the task.",
        "End other programs or tasks, or give the task less memory.",
        Retry.AGAIN,
    ),
    "host.permission": CodeInfo(
        "The system refuses access.", "Check owner and mode of the named path.", Retry.AFTER_SETUP
    ),
    "host.path_too_long": CodeInfo(
        "A socket path exceeds the system's limit.",
        "Set PUI_RUNTIME_DIR to a shorter path that only you can open.",
        Retry.AFTER_SETUP,
    ),
    "data.moved": CodeInfo(
        "pui's data folder was moved while this app was running.",
        "Close pui and start it again: it then works in the new folder.",
        Retry.AFTER_SETUP,
    ),
    "data.missing": CodeInfo(
        "The folder that pui's data was moved to is not there.",
        "Connect its disk and start again. To begin anew without that data, remove the file that the message names.",
        Retry.AFTER_SETUP,
    ),
    "host.busy": CodeInfo(
        "The limit of machines at one time is reached.", "Wait for a task to end, or cancel one.", Retry.AGAIN
    ),
    "host.no_dialog": CodeInfo(
        "pui needs to ask the person at this computer, and nobody can be asked here.",
        "Use the window (`pui`), or run `pui serve` in a terminal and answer there.",
        Retry.AFTER_SETUP,
    ),
    "host.no_notifications": CodeInfo(
        "The person cannot be told anything on their desktop: no service for it answers.",
        "Start pui within a desktop session whose panel or daemon shows notifications, or switch them off in Settings.",
        Retry.AFTER_SETUP,
    ),
    # window
    "window.no_display": CodeInfo(
        "There is no display to show a window on.",
        "Start pui in a desktop session, or use `pui serve` and a browser on this computer.",
        Retry.AFTER_SETUP,
    ),
    "window.no_backend": CodeInfo(
        "Nothing that can show the window is installed.", "Install GTK's WebKit or `pui[qt]`.", Retry.AFTER_SETUP
    ),
    "window.bad_backend": CodeInfo(
        "What would show the window is known to crash.", "Install another version of it.", Retry.AFTER_SETUP
    ),
    "window.not_answering": CodeInfo(
        "A window of pui runs already, but does not answer.",
        "Wait a moment; if it hangs, end that process and start pui again.",
        Retry.AGAIN,
    ),
    "host.disk_limit": CodeInfo(
        "Packs would take up more than the limit in the settings.",
        "Remove a pack (`pui pack list`, `pui pack remove ID`) or raise the limit (setting disk_limit_bytes).",
        Retry.AFTER_SETUP,
    ),
    "job.cancelled": CodeInfo(
        "The person stopped the job.", "Start it again: a download goes on where it ended.", Retry.AGAIN
    ),
    "job.busy": CodeInfo("Another job on packs is running.", "Wait for its end, or stop it.", Retry.AGAIN),
    # launch
    "launch.qemu_exit": CodeInfo("QEMU ended on its own.", "Read the last lines of its log.", Retry.AGAIN),
    "launch.mount_server": CodeInfo(
        "The mount server (virtiofsd) did not start or ended.", "Read its log; try again.", Retry.AGAIN
    ),
    "launch.overlay": CodeInfo("The overlay could not be made.", "Check the free disk space.", Retry.AGAIN),
    "launch.timeout": CodeInfo("QEMU did not answer in time.", "Try again; read its log.", Retry.AGAIN),
    # guest
    "guest.boot_timeout": CodeInfo("The guest did not say hello in time.", "Read serial.log of the task.", Retry.AGAIN),
    "guest.handshake_timeout": CodeInfo("pi did not answer in time.", "Read serial.log of the task.", Retry.AGAIN),
    "guest.agent_exit": CodeInfo("pi ended on its own.", "Read the last lines of its stderr.", Retry.AGAIN),
    "guest.config": CodeInfo("The guest refused its configuration.", "Read serial.log.", Retry.AGAIN),
    "guest.mount": CodeInfo("The guest could not mount a folder.", "Read serial.log.", Retry.AGAIN),
    "agent.refused": CodeInfo(
        "pi refused what it was asked to do.", "Read its words; what you can change is in the message.", Retry.UNKNOWN
    ),
    "agent.no_answer": CodeInfo(
        "pi did not answer in time.", "It may be busy: look at what it does, then try again.", Retry.AGAIN
    ),
    # model
    "model.no_key": CodeInfo(
        "No key is set for this provider.", "Set the key, or use the demo model.", Retry.AFTER_SETUP
    ),
    "model.upstream": CodeInfo(
        "The model provider answered with an error.", "Check key, model name and quota.", Retry.AGAIN
    ),
    # protocol
    "protocol.remote": CodeInfo("The guest broke the protocol.", "Start the task again.", Retry.AGAIN),
    "protocol.flood": CodeInfo("The guest sent too many oversized lines.", "Start again.", Retry.AGAIN),
    "protocol.local": CodeInfo("pui was about to break the protocol.", "Please report it.", Retry.NEVER),
    # outcome
    "channel.lost_after_send": CodeInfo(
        "The channel broke after a command was sent; whether it ran is unknown.",
        "Look at the folder before you try again.",
        Retry.UNKNOWN,
    ),
    # caller
    "caller.bad_request": CodeInfo("The request is not valid.", "See `pui --help`.", Retry.NEVER),
    "caller.not_ours": CodeInfo(
        "A call came from somewhere else than pui's own page.", "Close the page and start pui again.", Retry.NEVER
    ),
    "caller.too_large": CodeInfo("The call is larger than the limit.", "Send less at one time.", Retry.NEVER),
    "caller.too_fast": CodeInfo("Too many calls at one time.", "Wait a moment.", Retry.AGAIN),
    "caller.declined": CodeInfo("The person said no.", "Ask again when it is wanted.", Retry.AGAIN),
    "caller.rejected": CodeInfo("Not possible in this state.", "Look at the task's state.", Retry.NEVER),
    "talk.no_entry": CodeInfo(
        "The conversation has no such entry.", "Open the task again and choose one of your messages.", Retry.NEVER
    ),
    "talk.not_a_message": CodeInfo(
        "A conversation branches at a message of yours only.", "Choose one of your own messages.", Retry.NEVER
    ),
    "talk.not_kept": CodeInfo(
        "pi's own session does not hold this message as it is shown.",
        "Choose another message, or continue the whole conversation; of a run under way: wait until pi has settled.",
        Retry.AGAIN,
    ),
    "mount.refused": CodeInfo(
        "This folder may not be mounted.",
        "Choose a project folder below your home, not the home itself or a folder that holds secrets.",
        Retry.NEVER,
    ),
    "link.refused": CodeInfo(
        "pui does not open this link.", "Copy it and look at it closely before you open it yourself.", Retry.NEVER
    ),
    "chart.faulty": CodeInfo("A statechart file has faults.", "Run `pui chart check` and mend the file.", Retry.NEVER),
    "journal.unreadable": CodeInfo(
        "The journal of a task cannot be read.", "`pui tasks clean` removes it.", Retry.NEVER
    ),
    "task.cancelled": CodeInfo("The person cancelled the task.", "Start it again when you like.", Retry.AGAIN),
    "task.timed_out": CodeInfo("A state took longer than its limit.", "Read the journal.", Retry.AGAIN),
    "task.app_ended": CodeInfo("The app ended while the task ran.", "Start the task again.", Retry.AGAIN),
    "bug.unexpected": CodeInfo("A fault in pui itself.", "Please report the journal's last lines.", Retry.NEVER),
}


class PuiError(Exception):
    """An expected failure with a stable code.

    `code` is a key of CODES (KeyError otherwise: a bug). `message` names the concrete thing, `hint`
    defaults to the table's, `detail` is raw material (stderr, numbers) that a person may want to read.
    """

    def __init__(self, code: str, message: str, *, hint: str | None = None, detail: str = "") -> None:
        info = CODES[code]
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = info.hint if hint is None else hint
        self.retry = info.retry
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class SetupError(PuiError):
    """Needs set-up first: leads to setup-required unless a good pack is active."""


class DownloadError(PuiError):
    """Bytes could not be fetched; what is installed is untouched."""


class HostError(PuiError):
    """The host's resources or permissions stand in the way."""


class LaunchError(PuiError):
    """The virtual machine could not be started or ended on its own."""


class GuestError(PuiError):
    """The guest did not do its part."""


class ModelError(PuiError):
    """The model's side refused or failed."""


class ProtocolError(PuiError):
    """protocol.remote: bytes from the guest; protocol.local: our own bug, raised before sending."""


class OutcomeUnknownError(PuiError):
    """Neither retried nor reported as failed: nobody knows."""


class CallerError(PuiError):
    """The caller asked for something that cannot be; nothing was changed."""
