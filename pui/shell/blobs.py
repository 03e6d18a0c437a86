"""Bytes that the page hands over in parts: images for a prompt, files to save. In memory only.

In: base64 in parts, the clock. Out: the bytes of a blob, by an opaque id. Never: a file, more than the limits say.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field

from pui.domain.errors import CallerError
from pui.ports import Clock

TOTAL_LIMIT_BYTES = 24 * 1024 * 1024
COUNT_LIMIT = 64
LIFE_S = 600.0
ID_BYTES = 12


@dataclass
class _Blob:
    made_s: float
    data: bytearray = field(default_factory=bytearray)


class Blobs:
    """Every method belongs to the supervisor's loop."""

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._blobs: dict[str, _Blob] = {}

    def add(self, data_b64: str, blob_id: str | None = None) -> tuple[str, int]:
        """Append to a blob, or begin one; returns id and size. Raises CallerError caller.bad_request, .too_large."""
        self._forget_old()
        data = _decode(data_b64)
        held = sum(len(blob.data) for blob in self._blobs.values())
        if held + len(data) > TOTAL_LIMIT_BYTES or (blob_id is None and len(self._blobs) >= COUNT_LIMIT):
            raise CallerError("caller.too_large", f"more than {TOTAL_LIMIT_BYTES // 2**20} MiB wait to be used")
        if blob_id is None:
            blob_id = self._random_bytes(ID_BYTES).hex()
            self._blobs[blob_id] = _Blob(self._clock.monotonic_s())
        blob = self._find(blob_id)
        blob.data += data
        return blob_id, len(blob.data)

    def take(self, blob_id: str) -> bytes:
        """The bytes; the blob is gone afterwards. Raises CallerError("caller.bad_request")."""
        self._forget_old()
        data = bytes(self._find(blob_id).data)
        del self._blobs[blob_id]
        return data

    def clear(self) -> None:
        self._blobs.clear()

    def _find(self, blob_id: str) -> _Blob:
        if blob_id not in self._blobs:
            raise CallerError("caller.bad_request", "there is no such blob; it may be older than ten minutes")
        return self._blobs[blob_id]

    def _forget_old(self) -> None:
        oldest_s = self._clock.monotonic_s() - LIFE_S
        self._blobs = {id_: blob for id_, blob in self._blobs.items() if blob.made_s >= oldest_s}


def _decode(data_b64: str) -> bytes:
    try:
        return base64.b64decode(data_b64.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CallerError("caller.bad_request", "the blob is not base64") from error
