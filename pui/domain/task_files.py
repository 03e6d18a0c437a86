"""Names of the files in a task's own folder (docs/files.md says what each is for).

In: nothing. Out: constants and names made from mount tags. Never: a path.
"""

from __future__ import annotations

JOURNAL = "journal.jsonl"
TRANSCRIPT = "transcript.jsonl"
SESSION = "session.jsonl"
SERIAL_LOG = "serial.log"
QEMU_LOG = "qemu.log"
QMP_LOG = "qmp.jsonl"
QEMU_IMG_LOG = "qemu-img.log"
OVERLAY = "overlay.qcow2"
BASELINE = "baseline.zst"
CHANGES_DIFF = "changes.diff"
CHANGES_VIEW = "changes.json"

WORK_FILES = (OVERLAY, QEMU_IMG_LOG, f"{BASELINE}.new")
"""What a task leaves that nobody reads later: removed at teardown and by recovery."""


def virtiofsd_log(tag: str) -> str:
    """Log file of the mount server of one share; `tag` is the mount tag."""
    return f"virtiofsd-{tag}.log"
