"""A secret taken out of a stream of bytes, however the stream is cut.

In: chunks. Out: the same chunks with every occurrence of the secret replaced.
Never: more held back than the secret is long.
"""

from __future__ import annotations

REPLACEMENT = b"[key removed]"


class Redactor:
    """Replaces `secret` in what is fed; only a tail that could begin it is held back. Empty: nothing is changed."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """What is safe to pass on of everything fed so far."""
        if not self._secret:
            return chunk
        data = (self._held + chunk).replace(self._secret, REPLACEMENT)
        keep = self._tail_bytes(data)
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep]

    def finish(self) -> bytes:
        """What was held back; it was not the secret after all."""
        held, self._held = self._held, b""
        return held

    def _tail_bytes(self, data: bytes) -> int:
        longest = min(len(data), len(self._secret) - 1)
        return next((size for size in range(longest, 0, -1) if data.endswith(self._secret[:size])), 0)


def redact(data: bytes, secret: bytes) -> bytes:
    """`data` without `secret`."""
    return data.replace(secret, REPLACEMENT) if secret else data
