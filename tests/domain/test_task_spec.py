"""A task as asked for: what is refused, what the journal keeps, what an older journal means.

In: values of a caller. Out: specs, their JSON. Never: a spec that is not valid.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

from pui.domain.errors import CallerError
from pui.domain.prompt_images import (
    IMAGE_LIMIT,
    IMAGES_TOTAL_LIMIT_BYTES,
    ImageFile,
    PromptImage,
    check_images,
    image_files,
)
from pui.domain.task import (
    TITLE_LIMIT_CHARS,
    ModelRef,
    MountRequest,
    TaskSpec,
    check_message,
    check_network,
    spec_from_json,
    spec_to_json,
    title_of,
)

FOLDER = MountRequest(PurePosixPath("/home/ann/project"), read_only=True)
DEMO = ModelRef("demo", "demo-1")
REAL = ModelRef("anthropic", "claude-opus-5-5")
PNG = PromptImage("image/png", b"\x89PNG\r\n\x1a\n.")


def test_a_whole_spec_comes_back_from_its_json() -> None:
    spec = TaskSpec(
        "do it",
        (FOLDER,),
        memory_mib=1024,
        cpu_count=3,
        is_interactive=True,
        model=REAL,
        thinking="high",
        title="my task",
        cache=True,
        images=image_files([PNG]),
    )
    assert spec_from_json(spec_to_json(spec)) == spec
    assert spec_from_json(spec_to_json(TaskSpec("x", ()))) == TaskSpec("x", ())


def test_a_journal_of_an_older_pui_has_the_defaults() -> None:
    old: Any = {
        "prompt": "x",
        "mounts": [{"folder": "/home/ann/project", "read_only": True}],
        "memory_mib": 768,
        "cpu_count": 2,
    }
    spec = spec_from_json(old)
    assert (spec.mounts, spec.is_interactive, spec.model, spec.network) == ((FOLDER,), False, None, "model")


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": ""},
        {"prompt": 7},
        {"mounts": [7]},
        {"mounts": [{"folder": "relative"}]},
        {"memory_mib": True},
        {"cpu_count": 99},
        {"model": "demo"},
        {"model": {"provider": "unknown", "model": "x"}},
        {"model": {"provider": "demo", "model": "a b"}},
        {"thinking": "much"},
        {"network": "open"},
        {"title": "x" * (TITLE_LIMIT_CHARS + 1)},
        {"title": "\ud800"},
        {"images": [7]},
        {"images": [{"name": "../../x", "mime": "image/png", "size_bytes": 1}]},
        {"images": [{"name": "image-1.png", "mime": "text/html", "size_bytes": 1}]},
        {"images": [{"name": "image-1.png", "mime": "image/png", "size_bytes": "1"}]},
        {"images": [{"name": "image-1.png", "mime": "image/png", "size_bytes": IMAGES_TOTAL_LIMIT_BYTES + 1}]},
        {"network": "offline", "model": {"provider": "openai", "model": "gpt-x"}},
    ],
)
def test_what_is_not_a_task_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(CallerError) as caught:
        spec_from_json(spec_to_json(TaskSpec("x", ())) | change)
    assert caught.value.code == "caller.bad_request"


def test_offline_is_for_the_demo_model() -> None:
    assert TaskSpec("x", (), network="offline", model=DEMO).network == "offline"
    with pytest.raises(CallerError, match="only the demo model"):
        TaskSpec("x", (), network="offline", model=REAL)
    check_network("model", "anthropic")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("\n\n  first \u202e line\nsecond", "first <U+202E> line"),
        ("x" * 500, "x" * (TITLE_LIMIT_CHARS - 1) + "…"),
        ("", ""),
    ],
)
def test_the_title_is_the_first_line_that_says_something(text: str, title: str) -> None:
    assert title_of(text) == title


@pytest.mark.parametrize("text", ["", " \n", "\ud800", "x" * (1 << 20) + "y"])
def test_a_message_is_checked_as_the_prompt_is(text: str) -> None:
    with pytest.raises(CallerError):
        check_message(text)


@pytest.mark.parametrize(
    ("mime", "data"),
    [
        ("image/svg+xml", b"<svg/>"),
        ("image/png", b"GIF89a"),
        ("image/webp", b"RIFF....WAVE"),
        ("image/jpeg", b""),
        ("text/html", b"<html>"),
    ],
)
def test_an_image_is_what_it_says(mime: str, data: bytes) -> None:
    with pytest.raises(CallerError):
        PromptImage(mime, data)


def test_images_are_bounded_and_named_here() -> None:
    kinds = [PNG, PromptImage("image/jpeg", b"\xff\xd8\xff."), PromptImage("image/gif", b"GIF89a")]
    kinds.append(PromptImage("image/webp", b"RIFF....WEBP"))
    names = [file.name for file in image_files(kinds)]
    assert names == ["image-1.png", "image-2.jpg", "image-3.gif", "image-4.webp"]
    with pytest.raises(CallerError, match="at most"):
        check_images([PNG] * (IMAGE_LIMIT + 1))
    with pytest.raises(CallerError, match="larger"):
        check_images([PromptImage("image/gif", b"GIF8" + bytes(IMAGES_TOTAL_LIMIT_BYTES))])
    assert PNG.to_block() == {"type": "image", "data": "iVBORw0KGgou", "mimeType": "image/png"}
    assert ImageFile.from_json(image_files([PNG])[0].to_json()) == image_files([PNG])[0]
