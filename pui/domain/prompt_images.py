"""Images of a prompt: which are taken, how large, under which names they lie in the task's folder.

In: bytes and the media type that a page names. Out: checked images, ImageFile for the journal, pi's image blocks.
Never: I/O, an image decoded (pi resizes them inside the machine).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pui.domain.errors import CallerError
from pui.domain.events import JsonValue

IMAGE_LIMIT = 8
IMAGES_TOTAL_LIMIT_BYTES = 3 * 1024 * 1024
"""pi echoes a prompt's images in base64 in one line of at most 8 MiB."""

_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
_BEGINNINGS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}
_NAME = re.compile(r"image-\d{1,2}\.(png|jpg|gif|webp)")


@dataclass(frozen=True)
class PromptImage:
    """One image. Raises CallerError("caller.bad_request") unless `data` begins as `mime` says."""

    mime: str
    data: bytes

    def __post_init__(self) -> None:
        if self.mime not in _SUFFIXES:
            raise CallerError("caller.bad_request", f"images of the type {self.mime!r} are not taken")
        is_webp = self.data[:4] == b"RIFF" and self.data[8:12] == b"WEBP"
        if not (is_webp if self.mime == "image/webp" else self.data.startswith(_BEGINNINGS[self.mime])):
            raise CallerError("caller.bad_request", f"an image is not of the type {self.mime}")

    def to_block(self) -> JsonValue:
        """The image as pi's commands take it."""
        return {"type": "image", "data": base64.b64encode(self.data).decode("ascii"), "mimeType": self.mime}


@dataclass(frozen=True)
class ImageFile:
    """An image that was written into the task's folder under `name`."""

    name: str
    mime: str
    size_bytes: int

    def to_json(self) -> JsonValue:
        return {"name": self.name, "mime": self.mime, "size_bytes": self.size_bytes}

    @classmethod
    def from_json(cls, value: JsonValue) -> ImageFile:
        """Raises TypeError, KeyError for another shape."""
        if not isinstance(value, dict):
            raise TypeError("an image is not an object")
        name, mime, size_bytes = value["name"], value["mime"], value["size_bytes"]
        if not isinstance(name, str) or not isinstance(mime, str) or type(size_bytes) is not int:
            raise TypeError("an image is not named well")
        return cls(name, mime, size_bytes)


def check_images(images: Sequence[PromptImage]) -> None:
    """Raises CallerError("caller.bad_request") for too many images or too many bytes."""
    _check_sizes([len(image.data) for image in images])


def check_image_files(images: Sequence[ImageFile]) -> None:
    """Raises CallerError("caller.bad_request") for a name that pui would not have made, or beyond the limits."""
    _check_sizes([image.size_bytes for image in images])
    for image in images:
        if not _NAME.fullmatch(image.name) or image.mime not in _SUFFIXES:
            raise CallerError("caller.bad_request", f"{image.name!r} is not an image of a prompt")


def image_files(images: Sequence[PromptImage]) -> tuple[ImageFile, ...]:
    """The names under which the images of a first prompt are kept."""
    return tuple(
        ImageFile(f"image-{number}.{_SUFFIXES[image.mime]}", image.mime, len(image.data))
        for number, image in enumerate(images, 1)
    )


def _check_sizes(sizes_bytes: Sequence[int]) -> None:
    if len(sizes_bytes) > IMAGE_LIMIT:
        raise CallerError("caller.bad_request", f"at most {IMAGE_LIMIT} images, not {len(sizes_bytes)}")
    if sum(sizes_bytes) > IMAGES_TOTAL_LIMIT_BYTES:
        limit_mib = IMAGES_TOTAL_LIMIT_BYTES >> 20
        raise CallerError("caller.bad_request", f"the images are larger than {limit_mib} MiB together")
