"""The download of a pack: broken, resumed, lied to (threats.md B4, B8, B13 to B17, B22 to B24).

In: one file at a loopback server. Out: the whole file, or a named error and no wrong byte kept. Never: the network.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from pui.adapters.channel.download import Downloader, Wanted
from pui.adapters.packs.file_ops import FileOps
from pui.adapters.packs.web import FetchLimits, Web
from pui.domain.errors import PuiError
from tests.support.channel_rig import PATIENT, QUICK, page, serve
from tests.support.pack_server import Answer, Talk, pack_server

DATA = bytes(range(256)) * 4000
OTHER = bytes(reversed(range(256))) * 4000
SHA = hashlib.sha256(DATA).hexdigest()


@dataclass
class Place:
    """Where one download goes, and what it does."""

    folder: Path
    seen_progress: list[int] = field(default_factory=list)

    @property
    def target(self) -> Path:
        return self.folder / "file"

    @property
    def part(self) -> Path:
        return self.folder / "file.part"

    def get(
        self,
        answer: Answer,
        *,
        limits: FetchLimits = PATIENT,
        ops: FileOps | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[str]:
        """Downloads from a server that gives `answer`; the ranges it was asked for."""
        asked: list[str] = []

        def noted(talk: Talk) -> None:
            asked.append(talk.headers.get("range", "all"))
            answer(talk)

        with pack_server({"/f": noted}) as (address, _):
            wanted = Wanted(httpx.URL(f"{address}/f"), len(DATA), SHA)
            downloader = Downloader(Web(limits), ops=ops, pause=lambda seconds: None)
            downloader.download(
                wanted,
                self.target,
                progress=lambda done, total: self.seen_progress.append(done),
                cancelled=cancelled,
            )
        return asked

    def refused(self, answer: Answer, code: str, *, kept: int | None, ops: FileOps | None = None) -> None:
        """Fails by this name; `kept` bytes of the part stay, all of them right (None: at least one)."""
        with pytest.raises(PuiError) as caught:
            self.get(answer, ops=ops, limits=QUICK if code == "fetch.stalled" else PATIENT)
        assert caught.value.code == code, caught.value
        assert not self.target.exists()
        found = self.part.read_bytes()
        assert DATA.startswith(found)
        assert found if kept is None else len(found) == kept

    def whole(self) -> bool:
        return self.target.read_bytes() == DATA and list(self.folder.iterdir()) == [self.target]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def honest(talk: Talk) -> None:
    serve(talk, DATA)


def cut(at: int) -> Answer:
    return lambda talk: serve(talk, DATA, cut_at=at)


def in_turn(*answers: Answer) -> Answer:
    """One after the other; the last one for ever."""
    left = list(answers)
    return lambda talk: (left.pop(0) if len(left) > 1 else left[0])(talk)


def test_b13_whole(place: Place) -> None:
    assert place.get(honest) == ["all"]
    assert place.whole()
    assert place.seen_progress[-1] == len(DATA)
    assert place.seen_progress == sorted(place.seen_progress)


def test_b13_a_server_that_cuts_at_each_tenth(place: Place) -> None:
    tenth = len(DATA) // 10
    assert place.get(cut(tenth)) == ["all", *(f"bytes={n * tenth}-" for n in range(1, 10))]
    assert place.whole()


@pytest.mark.parametrize("tenths", range(1, 10))
def test_b13_another_process_goes_on(place: Place, tenths: int) -> None:
    at = len(DATA) * tenths // 10
    with pytest.raises(PuiError, match=r"fetch\.http"):
        place.get(in_turn(cut(at), lambda talk: talk.reply(503, b"")))
    assert len(place.part.read_bytes()) == at
    assert place.get(honest) == [f"bytes={at}-"]
    assert place.whole()


def test_b13_cancel_keeps_the_part(place: Place) -> None:
    with pytest.raises(PuiError, match=r"fetch\.cancelled"):
        place.get(honest, cancelled=lambda: bool(place.seen_progress))
    kept = len(place.part.read_bytes())
    assert 0 < kept < len(DATA)
    assert place.get(honest) == [f"bytes={kept}-"]
    assert place.whole()


def test_b14_another_version_is_never_spliced(place: Place) -> None:
    """If-Range brings the new version whole; it is not the signed one, and nothing of either stays."""
    place.refused(in_turn(cut(100_000), lambda talk: serve(talk, OTHER)), "fetch.checksum", kept=0)


def test_b14_the_signed_version_comes_back_under_another_etag(place: Place) -> None:
    asked = place.get(in_turn(cut(100_000), lambda talk: serve(talk, DATA, etag='"new"')))
    assert asked == ["all", "bytes=100000-"]
    assert place.whole()


@pytest.mark.parametrize("etag", ['W/"weak"', "", "bare", '"' + "x" * 300 + '"'])
def test_b14_without_a_strong_etag_it_begins_anew(place: Place, etag: str) -> None:
    place.refused(lambda talk: serve(talk, DATA, etag=etag, cut_at=100_000), "fetch.network", kept=None)
    assert place.get(honest) == ["all"]
    assert place.whole()


def test_b14_the_rest_of_another_version(place: Place) -> None:
    """If-Range ignored: a 206 whose ETag says that it is something else."""

    def rest(talk: Talk) -> None:
        data = OTHER[100_000:]
        content_range = f"bytes 100000-{len(DATA) - 1}/{len(DATA)}"
        talk.head(206, Content_Length=str(len(data)), ETag='"new"', Content_Range=content_range)
        talk.wfile.write(data)

    assert place.get(in_turn(cut(100_000), rest, honest)) == ["all", "bytes=100000-", "all"]
    assert place.whole()


def test_b14_a_server_that_lies_about_the_version(place: Place) -> None:
    """The same ETag, other bytes: only the hash can tell."""
    place.refused(in_turn(cut(100_000), lambda talk: serve(talk, OTHER, etag=_tag())), "fetch.checksum", kept=0)


def _tag() -> str:
    return f'"{SHA[:20]}"'


def test_b15_range_ignored(place: Place) -> None:
    def ignore(talk: Talk) -> None:
        talk.head(200, Content_Length=str(len(DATA)), ETag=_tag())
        talk.wfile.write(DATA)

    assert place.get(in_turn(cut(100_000), ignore)) == ["all", "bytes=100000-"]
    assert place.whole()


@pytest.mark.parametrize(
    "content_range",
    [
        f"bytes 0-{len(DATA) - 1}/{len(DATA)}",
        f"bytes 99999-{len(DATA) - 1}/{len(DATA)}",
        f"bytes 100000-{len(DATA) - 1}/*",
        "bytes */1",
        "",
    ],
)
def test_b15_wrong_content_range(place: Place, content_range: str) -> None:
    def wrong(talk: Talk) -> None:
        rest = OTHER[100_000:]
        talk.head(206, Content_Length=str(len(rest)), ETag=_tag(), Content_Range=content_range)
        talk.wfile.write(rest)

    assert place.get(in_turn(cut(100_000), wrong, honest)) == ["all", "bytes=100000-", "all"]
    assert place.whole()


def test_b15_416(place: Place) -> None:
    nothing: Answer = lambda talk: talk.head(416, Content_Length="0", Content_Range=f"bytes */{len(DATA)}")  # noqa: E731
    assert place.get(in_turn(cut(100_000), nothing, honest)) == ["all", "bytes=100000-", "all"]
    assert place.whole()


def test_b15_a_server_that_can_never_go_on(place: Place) -> None:
    answers = [cut(100_000), lambda talk: talk.head(416, Content_Length="0")] * 9
    with pytest.raises(PuiError, match=r"fetch\.http"):
        place.get(in_turn(*answers))


def test_b15_a_range_that_nobody_asked_for(place: Place) -> None:
    def unasked(talk: Talk) -> None:
        talk.head(206, Content_Length="10", Content_Range=f"bytes 0-9/{len(DATA)}")
        talk.wfile.write(DATA[:10])

    place.refused(unasked, "fetch.http", kept=0)


def longer(talk: Talk) -> None:
    talk.head(200, Connection="close", ETag=_tag())
    talk.wfile.write(DATA + b"more")


def endless(talk: Talk) -> None:
    talk.head(200, Transfer_Encoding="chunked", ETag=_tag())
    while not talk.stopping.is_set():
        talk.wfile.write(b"8000\r\n" + bytes(0x8000) + b"\r\n")


def elsewhere(talk: Talk) -> None:
    talk.head(302, Location="http://127.0.0.2:9/f", Content_Length="0")


CASES: list[tuple[str, Answer, str]] = [
    ("B4-other-bytes", lambda talk: talk.reply(200, OTHER), "fetch.checksum"),
    ("B4-longer-announced", lambda talk: talk.reply(200, DATA + b"x"), "fetch.checksum"),
    ("B8-redirect", elsewhere, "fetch.redirect"),
    ("B6-gzip", lambda talk: talk.reply(200, DATA, Content_Encoding="gzip"), "fetch.http"),
    ("B16-longer", longer, "fetch.too_long"),
    ("B16-endless", endless, "fetch.too_long"),
    ("B17-page", page, "fetch.not_an_index"),
    ("absent", lambda talk: talk.reply(404, b""), "fetch.http"),
]


@pytest.mark.parametrize(("answer", "code"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_no_bad_byte_is_kept(place: Place, answer: Answer, code: str) -> None:
    place.refused(answer, code, kept=0)
    assert place.get(honest) == ["all"]
    assert place.whole()


def test_b16_fewer_bytes_than_announced_are_right_and_kept(place: Place) -> None:
    place.refused(in_turn(cut(5000), cut(0)), "fetch.network", kept=5000)


def stall(talk: Talk) -> None:
    talk.head(200, Content_Length=str(len(DATA)), ETag=_tag())
    talk.wfile.write(DATA[:5000])
    talk.stopping.wait()


def drip(talk: Talk) -> None:
    talk.head(200, Content_Length=str(len(DATA)), ETag=_tag())
    for byte in DATA:
        talk.wfile.write(bytes([byte]))
        if talk.stopping.wait(0.05):
            return


def silent(talk: Talk) -> None:
    talk.stopping.wait()


def test_b22_a_stall_keeps_the_part(place: Place) -> None:
    place.refused(in_turn(stall, silent), "fetch.stalled", kept=5000)
    assert place.get(honest) == ["bytes=5000-"]
    assert place.whole()


def test_b7_a_drip_ends(place: Place) -> None:
    place.refused(in_turn(drip, silent), "fetch.stalled", kept=None)


class FullDisk(FileOps):
    """Takes `room` bytes, then says ENOSPC, as a full disk does in the middle of a write."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, fd: int, data: memoryview | bytes) -> None:
        part = bytes(data[: self.room])
        super().write(fd, part)
        self.room -= len(part)
        if len(part) < len(data):
            raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("room", [100, 65_536, 300_001])
def test_b23_a_full_disk_keeps_what_is_right(place: Place, room: int) -> None:
    place.refused(honest, "host.disk_full", kept=room - len(_tag()), ops=FullDisk(room))
    assert place.get(honest) == [f"bytes={room - len(_tag())}-"]
    assert place.whole()


def test_b23_a_disk_that_is_too_small_is_told_before_a_byte_is_fetched(place: Place) -> None:
    class Small(FileOps):
        def free_bytes(self, path: Path) -> int:
            return len(DATA) - 1

    with pytest.raises(PuiError, match=r"host\.disk_full"):
        place.get(lambda talk: pytest.fail("asked"), ops=Small())


@pytest.mark.parametrize("kind", ["link", "hard-link", "fifo", "folder"])
def test_b24_a_part_that_somebody_exchanged(place: Place, tmp_path: Path, kind: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    if kind == "link":
        place.part.symlink_to(victim)
    elif kind == "hard-link":
        place.part.hardlink_to(victim)
    elif kind == "fifo":
        os.mkfifo(place.part)
    else:
        place.part.mkdir()
    with pytest.raises(PuiError, match=r"host\.permission"):
        place.get(honest)
    assert victim.read_bytes() == b"untouched"
    assert not place.target.exists()


def test_b24_an_etag_file_that_is_a_link(place: Place, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (place.folder / "file.part.etag").symlink_to(victim)
    place.get(honest)
    assert victim.read_bytes() == b"untouched"
    assert place.target.read_bytes() == DATA


def test_b14_a_part_torn_by_a_power_cut_is_fetched_anew(place: Place) -> None:
    with pytest.raises(PuiError):
        place.get(in_turn(cut(200_000), lambda talk: talk.reply(503, b"")))
    place.part.write_bytes(bytes(200_000))
    assert place.get(honest) == ["bytes=200000-", "all"]
    assert place.whole()
