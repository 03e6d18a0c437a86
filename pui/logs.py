"""The app's own log: JSON lines for people who look for a fault, bounded in size.

In: events with fields; task id and state bound by context variables. Out: `<data>/logs/pui.jsonl`, three old ones kept.
Never: a secret (values that look like keys and exact known values are replaced), the journal's role.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, MutableMapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog

from pui.domain.private_words import without_keys

LOG_LIMIT_BYTES = 1_048_576
_KEEP = 3
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk|xai|gsk|key)[-_][A-Za-z0-9_-]{16,}|\bBearer\s+\S{8,}", re.IGNORECASE)
_REPLACED = "[redacted]"


def redacted(value: object, secrets: tuple[str, ...]) -> object:
    """`value` with every exact secret and everything that looks like a key replaced, in any depth."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, _REPLACED)
        return without_keys(_KEY_LIKE.sub(_REPLACED, value))
    if isinstance(value, dict):
        return {key: redacted(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item, secrets) for item in value]
    return value


class _Redact:
    """A structlog processor."""

    def __init__(self, secrets: Callable[[], Iterable[str]]) -> None:
        self._secrets = secrets

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        secrets = tuple(secret for secret in self._secrets() if secret)
        for key in list(event):
            event[key] = redacted(event[key], secrets)
        return event


def open_log(path: Path, secrets: Callable[[], Iterable[str]] = tuple) -> logging.Handler:
    """Send structlog's events to `path` (0600, its folder made); `secrets` are asked for at each event, as a key may
    be set while the app runs. Close the handler with `close_log`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    handler = RotatingFileHandler(path, maxBytes=LOG_LIMIT_BYTES, backupCount=_KEEP, encoding="utf-8", delay=True)
    logger = logging.getLogger("pui")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,  # before the redaction: a traceback may quote a key
            _Redact(secrets),
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
        logger_factory=lambda *_: logger,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    return handler


def close_log(handler: logging.Handler) -> None:
    """Undo open_log; later events go nowhere."""
    logging.getLogger("pui").removeHandler(handler)
    handler.close()
    structlog.configure(processors=[drop_events])


def drop_events(_logger: object, _method: str, _event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor for a process without a log."""
    raise structlog.DropEvent
