"""The adversarial cases by id: what is tried, and what must come of it. docs/security.md is made of this table.

In: nothing. Out: GROUPS and THREATS. Never: a result; those come from a run of the tests.

A test carries an id in its name (`test_b13_…`, `test_a26_a27_…`), in the id of its parameters (`A34-byte`), or a mark
(`@pytest.mark.threat("J1")`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Threat:
    """`case` is what is tried, `outcome` what must come of it."""

    case: str
    outcome: str


GROUPS: Mapping[str, str] = {
    "A": "Pack: manifest, archive, signature",
    "B": "Channel: index, download",
    "C": "Crashes and faults while packs change",
    "D": "Overlay images (qcow2)",
    "E": "Launch",
    "F": "The guest's lines (RPC, control, monitor)",
    "G": "Mounted folders",
    "H": "Network of the guest",
    "I": "Page and bridge",
    "J": "Processes and instances",
}

_BAD_PATH, _BAD_TYPE, _CHECKSUM = "refused: `pack.bad_path`", "refused: `pack.bad_type`", "refused: `pack.checksum`"
_TOO_LARGE, _UNTRUSTED, _CORRUPT = (
    "refused: `pack.too_large`",
    "refused: `pack.untrusted`",
    "`pack.corrupt`, repairable",
)
_HEADER, _OLD_OR_NEW = "refused by the header check", "the old pack or the new one, never a mixture"
_DENIED, _NOT_FOLLOWED, _REFUSED = "denied", "not followed", "refused"
_NO_HOST = "denied: the guest names a path of one provider and no host"
_NO_CALL = "no navigation, no call of the bridge"

_PACK = {
    "A1": Threat("a good pack", "installs"),
    "A2": Threat("a path with `..`", _BAD_PATH),
    "A3": Threat("an absolute path", _BAD_PATH),
    "A4": Threat("drive letters, backslashes, `\\\\?\\`", _BAD_PATH),
    "A5": Threat("NUL, line ends, bidi and other controls in a path", _BAD_PATH),
    "A6": Threat("device names, dots and spaces at the edge", _BAD_PATH),
    "A7": Threat("two names that differ by case or Unicode form", _BAD_PATH),
    "A8": Threat("a symbolic link", _BAD_TYPE),
    "A9": Threat("a hard link", _BAD_TYPE),
    "A10": Threat("devices, fifos, folder entries", _BAD_TYPE),
    "A11": Threat("sparse files in all their forms", _BAD_TYPE),
    "A12": Threat("PAX and GNU headers that override path, size or link", _BAD_TYPE),
    "A13": Threat("a file twice", _CHECKSUM),
    "A14": Threat("a file that is not listed", _CHECKSUM),
    "A15": Threat("a listed file that is missing, another order, no end", _CHECKSUM),
    "A16": Threat("a size or mode that is not the listed one", _CHECKSUM),
    "A17": Threat("one flipped byte, anywhere", _CHECKSUM),
    "A18": Threat("the archive of CVE-2025-4517", "refused: `pack.bad_type`, nothing outside is touched"),
    "A19": Threat("negative, base-256 and blank sizes (CVE-2025-8194)", "refused: `pack.malformed`, at once"),
    "A20": Threat("a bomb of 32,763 to 1", "refused, memory below 64 MiB"),
    "A21": Threat("a window of 2^31 bytes", _TOO_LARGE),
    "A22": Threat("a forged content size of 2^40, padding without end", _TOO_LARGE),
    "A23": Threat("a truncated archive", _CHECKSUM),
    "A24": Threat("second, skippable or empty frames, bytes behind the end, dictionaries", "refused by name"),
    "A25": Threat(
        "a manifest that is long, deep, ambiguous, of odd numbers or of an unknown schema", "`pack.malformed`"
    ),
    "A26": Threat("no signature, or a manifest changed after signing", _UNTRUSTED),
    "A27": Threat("a key that nobody trusts", _UNTRUSTED),
    "A28": Threat("one key twice for a threshold of two", _UNTRUSTED),
    "A29": Threat("a signature made for another kind of document", _UNTRUSTED),
    "A30": Threat("a revoked key", _UNTRUSTED),
    "A31": Threat("a pack for another platform", "refused: `pack.incompatible`"),
    "A32": Threat("an app too old or too new for the pack", "refused: `pack.incompatible`"),
    "A33": Threat("an older version than one installed before", "refused: `pack.rollback`"),
    "A34": Threat("an installed file changed, exchanged or removed", _CORRUPT),
    "A35": Threat("something added to an installed pack", _CORRUPT),
    "A36": Threat("a pack that others can write or own", _CORRUPT),
}
_CHANNEL = {
    "B1": Threat("an old signed index is replayed", "`index.rollback`"),
    "B2": Threat("freeze: an index that nobody renews", "`index.expired`; the installed pack runs on"),
    "B3": Threat("documents of different times mixed", "`index.mismatch`"),
    "B4": Threat("other bytes of the same or another length", "refused, nothing kept"),
    "B5": Threat("an endless document", "`fetch.too_long`"),
    "B6": Threat("a bomb by Content-Encoding", "`fetch.http`: no encoding is accepted"),
    "B7": Threat("one byte now and then", "`fetch.stalled`"),
    "B8": Threat("a redirect to another origin", "`fetch.redirect`"),
    "B9": Threat("stolen online keys", "no pack: `index.untrusted`, `pack.untrusted`"),
    "B10": Threat("version numbers driven up by a stolen key", "recovered from by a new root"),
    "B11": Threat("a root that too few old keys signed, or after a gap", "`index.untrusted`, the old root stays"),
    "B12": Threat("damaged local metadata; wrong types under a good signature", "mended; `index.malformed`"),
    "B13": Threat("a connection that ends at any place, a cancelled download", "goes on where it was"),
    "B14": Threat("another version between two ranges", "begins anew, never spliced"),
    "B15": Threat("Range ignored, a wrong Content-Range, 416, a range nobody asked for", "no wrong byte kept"),
    "B16": Threat("more or fewer bytes than announced, chunks without end", "no wrong byte kept"),
    "B17": Threat("the log-in page of a network", "`fetch.not_an_index`"),
    "B18": Threat("expired, self-signed, misnamed certificates, TLS that breaks", "`fetch.network`"),
    "B19": Threat("an address without encryption", "not asked"),
    "B20": Threat("a name that leads to this computer", "not asked without encryption"),
    "B21": Threat("hostile proxies in the environment", "ignored, unless the person chose them"),
    "B22": Threat("silence in the middle", "`fetch.stalled`, the part is kept"),
    "B23": Threat("the disk is full at byte n", "`host.disk_full`; what is right is kept"),
    "B24": Threat("the part exchanged for a link, a fifo, a folder", _REFUSED),
    "B25": Threat("a clock ten years back or ahead", "`index.clock`; the floors hold"),
}
_CRASH = {
    "C1": Threat("killed at every write, sync and rename", _OLD_OR_NEW),
    "C2": Threat("the same, and what was not synced is torn", _OLD_OR_NEW),
    "C3": Threat("killed while packs are collected", _OLD_OR_NEW),
    "C4": Threat("killed in a rollback; a rollback to what is damaged or too old", _OLD_OR_NEW),
    "C5": Threat("killed again in the recovery", _OLD_OR_NEW),
    "C6": Threat("a file system that is read-only", "named; the old pack runs"),
    "C7": Threat("no space at each step", "named; the old pack runs"),
    "C8": Threat("two installers at once", "one waits or is refused"),
    "C9": Threat("the lock of a dead installer, a number used again", "taken over"),
    "C10": Threat("a new pack whose machine does not boot", "the previous pack is active, the reason is kept"),
}
_OVERLAY = {
    "D1": Threat("another backing file", _HEADER),
    "D2": Threat("an external data file", _HEADER),
    "D3": Threat("`json:`, `nbd:`, `http:` as backing", _HEADER),
    "D4": Threat("a raw disk that looks like qcow2", _HEADER),
    "D5": Threat(
        "an overlay that was there before", "`launch.overlay`: each task gets its own, none is taken up again"
    ),
    "D6": Threat("a base that changed under the overlay", "`pack.corrupt` before anything starts"),
    "D7": Threat("a short header, a huge table", _HEADER),
    "D8": Threat("no base", "`pack.corrupt` before anything starts"),
    "D9": Threat("the overlay's quota is reached", "the machine stops, the task says so"),
}
_LAUNCH = {
    "E1": Threat("QEMU missing, not executable, of another processor", "`qemu.missing`"),
    "E2": Threat("QEMU ends at once", "`launch.qemu_exit` with its last words, bounded and scrubbed"),
    "E3": Threat("an accelerator that opens and does not run", "found by a probe machine: set-up required"),
    "E4": Threat("an accelerator that is gone", "set-up required"),
    "E5": Threat("emulation", "only by a developer's switch, labelled"),
    "E6": Threat("a QEMU that never speaks", "named at its deadline"),
    "E7": Threat("a guest without RPC", "`guest.handshake_timeout`"),
    "E8": Threat("a guest that does not boot", "`guest.boot_timeout`"),
    "E9": Threat("a guest that dies at any time", "teardown, the reason kept"),
    "E10": Threat("a socket path that is too long", "`host.path_too_long`"),
    "E11": Threat("commas, spaces, line ends, dashes in paths", "works, or is named"),
    "E12": Threat("no home, a temporary folder that runs nothing", "works, or is named"),
    "E13": Threat("no jail on this computer", "told"),
}
_LINES = {
    "F1": Threat("random bytes", "counted; the hundredth bad line ends the channel"),
    "F2": Threat("invalid UTF-8", "replaced and marked"),
    "F3": Threat("a gibibyte without a line end", "bounded memory; the third time ends the channel"),
    "F4": Threat("a hundred thousand nested lists", "a fault, the next line is read"),
    "F5": Threat("lone surrogates, NUL, terminal escapes, bidi", "scrubbed"),
    "F6": Threat("a hundred thousand events a second", "coalesced, bounded"),
    "F7": Threat("one byte at a time", "the same as at once, in linear time"),
    "F8": Threat("silence in the middle of a line", "the deadline of the state"),
    "F9": Threat("duplicate and unknown ids", "a fault"),
    "F10": Threat("an answer to nothing that was asked", "a fault"),
    "F11": Threat("wrong types in every field", "a fault, never an exception"),
    "F12": Threat("a port closed and opened again", "goes on at the next line"),
    "F13": Threat("a guest that never reads", "bounded, nothing hangs"),
    "F14": Threat("a guest's question that looks like a grant", "shown as the guest's question"),
    "F15": Threat("U+2028 inside a line", "splits nothing"),
    "F16": Threat("CR before LF", "dropped, and no other"),
}
_MOUNTS = {
    "G1": Threat("a link to a file of the host", _NOT_FOLLOWED),
    "G2": Threat("a link exchanged in a race", _NOT_FOLLOWED),
    "G3": Threat("`..`", _NOT_FOLLOWED),
    "G4": Threat("two names that differ by case", "both are shown"),
    "G5": Threat("devices, fifos, sockets in a folder", "neither opened nor waited for"),
    "G6": Threat("set-user-id programs", "none on the host"),
    "G7": Threat("a read-only folder remounted by the guest's root", "the write fails"),
    "G8": Threat("a hard link to the outside", "impossible"),
    "G9": Threat("home, `/`, pui's own folders, folders with secrets", _REFUSED),
    "G10": Threat("a folder exchanged between choice and launch", _REFUSED),
    "G11": Threat("a million files, huge and sparse files", "bounded"),
    "G12": Threat("a guest that uses up descriptors", "the host is unharmed"),
    "G13": Threat("hooks and settings that run on the host", "reported; never run by pui"),
    "G14": Threat("names with line ends, markup, right-to-left", "shown as text"),
}
_NETWORK = {
    "H1": Threat("the host's own addresses", _DENIED),
    "H2": Threat("every spelling of every private address", _NO_HOST),
    "H3": Threat("a name that changes its address", _NO_HOST),
    "H4": Threat("one private address among the answers", _NO_HOST),
    "H5": Threat("an alias of an internal name", _NO_HOST),
    "H6": Threat("CONNECT to addresses and other ports", _DENIED),
    "H7": Threat("TLS for another host than was asked for", _NO_HOST),
    "H8": Threat("a Host that is not the target", "dropped: the provider's own is sent"),
    "H9": Threat("redirects to other hosts", "each judged anew; the model's way follows none"),
    "H10": Threat("two lengths in one request (smuggling)", _REFUSED),
    "H11": Threat("NUL, escapes, trailing dots, look-alikes in names", _NO_HOST),
    "H12": Threat("first bytes that are not HTTP", _REFUSED),
    "H13": Threat("UDP, ICMP, QUIC, DNS as tunnels", "no device that could send them"),
    "H14": Threat("offline", "not one packet"),
    "H15": Threat("an empty list of what is allowed", _DENIED),
    "H16": Threat("a rule that changes during a connection", "holds at once"),
    "H17": Threat("ten thousand connections, slow ones, huge answers", "bounded"),
    "H18": Threat("the gateway dies", "closed, not open"),
    "H19": Threat("another process of this computer", "needs the task's socket"),
}
_PAGE = {
    "I1": Threat("markup and scripts in every text of guest and folder", "shown as text; no script, no request"),
    "I2": Threat("dotted and magic names of methods", _REFUSED),
    "I3": Threat("frames, forms, links, new windows, drag and drop", _NO_CALL),
    "I4": Threat("a missing or old token", _REFUSED),
    "I5": Threat("a megabyte a call, ten thousand calls a second", "capped"),
    "I6": Threat("links that start programs", "not opened"),
    "I7": Threat("an exception that holds a secret", "no traceback crosses"),
    "I8": Threat("the page's server: foreign Host, no token, traversal, another user", _REFUSED),
    "I9": Threat("bidi text on the clipboard", "marked"),
    "I10": Threat("developer tools", "off in a release"),
}
_PROCESSES = {
    "J1": Threat("kill -9 of the app in any state", "no process is left; the next start cleans and says so"),
    "J2": Threat("kill -9 of QEMU or a mount server", "the task fails with that reason"),
    "J3": Threat("a stopped process", "the deadline of the state"),
    "J4": Threat("a process number used again", "nobody else is killed"),
    "J5": Threat("a second pui", "leaves the first one's tasks alone"),
    "J6": Threat("log-out, sleep, waking up", "told"),
    "J7": Threat("a thousand tasks one after the other", "no descriptor, thread or process more"),
    "J8": Threat("QEMU killed for want of memory", "the task fails with that reason"),
    "J9": Threat("the disk is full while a task runs", "told, nothing hangs"),
    "J10": Threat("the run folder removed", "told, nothing hangs"),
}

THREATS: Mapping[str, Threat] = (
    _PACK | _CHANNEL | _CRASH | _OVERLAY | _LAUNCH | _LINES | _MOUNTS | _NETWORK | _PAGE | _PROCESSES
)
