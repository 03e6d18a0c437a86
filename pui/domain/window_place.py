"""Size and place of the window, as kept between starts.

In: bytes of the file, numbers of the back end. Out: a place that fits any screen, or None. Never: I/O.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pui.domain.strict_json import StrictJsonError, load_object

FILE_LIMIT_BYTES = 4096
MIN_WIDTH, MIN_HEIGHT = 640, 480
MAX_SIZE = 16_384
DEFAULT_WIDTH, DEFAULT_HEIGHT = 1200, 800


@dataclass(frozen=True)
class WindowPlace:
    """Pixels; x and y of the upper left corner, None when the window system decides."""

    width: int = DEFAULT_WIDTH
    height: int = DEFAULT_HEIGHT
    x: int | None = None
    y: int | None = None
    is_maximized: bool = False


def render_place(place: WindowPlace) -> bytes:
    return json.dumps(vars(place)).encode("ascii")


def parse_place(data: bytes) -> WindowPlace | None:
    """None for anything that this program would not have written."""
    try:
        value = load_object(data, FILE_LIMIT_BYTES)
    except StrictJsonError:
        return None
    width, height, x, y = (value.get(name) for name in ("width", "height", "x", "y"))
    if not _is_size(width, MIN_WIDTH) or not _is_size(height, MIN_HEIGHT):
        return None
    has_place = _is_offset(x) and _is_offset(y)
    return WindowPlace(
        width=width,  # type: ignore[arg-type]
        height=height,  # type: ignore[arg-type]
        x=x if has_place else None,  # type: ignore[arg-type]
        y=y if has_place else None,  # type: ignore[arg-type]
        is_maximized=value.get("is_maximized") is True,
    )


def _is_size(value: object, low: int) -> bool:
    return type(value) is int and low <= value <= MAX_SIZE


def _is_offset(value: object) -> bool:
    return type(value) is int and -MAX_SIZE <= value <= MAX_SIZE
