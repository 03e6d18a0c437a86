"""The download cache against a real HTTP server, and what happens when a mirror lost an input."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pui.domain.errors import DownloadError, PuiError
from pui.packbuild import inputs
from pui.packbuild.downloads import DownloadCache, GoneError
from pui.packbuild.lock import Lock, LockedInput, parse_lock, render_lock
from pui.packbuild.mirrors import AptSource
from pui.packbuild.npm import choose_version, tarball_path
from pui.packbuild.progress import Progress
from pui.packbuild.resolve import merge_parts

NEW = b"bytes of the newer package"
OLD = b"bytes of the older package"


def _input(raw: bytes, version: str) -> LockedInput:
    path = f"pool/x_{version}_all.deb"
    return LockedInput("debian", "x", version, path, len(raw), hashlib.sha256(raw).hexdigest(), ("tools",))


def _lock(item: LockedInput) -> Lock:
    return Lock("2026-01-02T03:04:05Z", (item,))


@contextmanager
def mirror(files: dict[str, bytes]) -> Iterator[str]:
    """A server of `files`; every other path is 404, `/broken` is 500."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            raw = files.get(self.path)
            self.send_response(200 if raw is not None else 500 if self.path == "/broken" else 404)
            self.send_header("Content-Length", str(len(raw or b"")))
            self.end_headers()
            self.wfile.write(raw or b"")

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _cache(tmp_path: Path, seen: list[Progress] | None = None) -> DownloadCache:
    return DownloadCache(tmp_path / "cache", (seen if seen is not None else []).append)


def test_right_bytes_are_kept_under_their_sum(tmp_path: Path) -> None:
    item = _input(NEW, "2")
    cache = _cache(tmp_path)
    with mirror({"/x": NEW}) as base:
        cache.fetch(f"{base}/x", item.sha256, item.size_bytes, "x")
    assert cache.path_of(item.sha256).read_bytes() == NEW
    assert cache.has(item.sha256, item.size_bytes)


@pytest.mark.parametrize(
    ("path", "raw", "code"),
    [("/x", OLD, "fetch.checksum"), ("/x", NEW + b"more", "fetch.too_long"), ("/broken", None, "fetch.http")],
)
def test_wrong_answers_leave_nothing_behind(tmp_path: Path, path: str, raw: bytes | None, code: str) -> None:
    item = _input(NEW, "2")
    cache = _cache(tmp_path)
    with mirror({} if raw is None else {"/x": raw}) as base, pytest.raises(DownloadError) as caught:
        cache.fetch(f"{base}{path}", item.sha256, item.size_bytes, "x")
    assert caught.value.code == code
    assert not isinstance(caught.value, GoneError)
    assert list(cache.folder.iterdir()) == []


def test_a_server_that_is_not_there_is_a_network_error(tmp_path: Path) -> None:
    with mirror({}) as base:
        pass
    with pytest.raises(DownloadError) as caught:
        _cache(tmp_path).fetch(f"{base}/x", "a" * 64, 1, "x")
    assert caught.value.code == "fetch.network"


def test_a_damaged_cached_file_is_removed_not_used(tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    sha256 = cache.store(NEW)
    cache.path_of(sha256).write_bytes(NEW[:-1] + b"X")
    assert not cache.has(sha256, len(NEW))
    assert not cache.path_of(sha256).exists()


def _use_mirror(monkeypatch: pytest.MonkeyPatch, base: str, fresh: Lock) -> None:
    monkeypatch.setattr(inputs, "read_apt_sources", lambda: [AptSource(f"{base}/debian", "s", "")])
    monkeypatch.delenv("PUI_DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr(inputs, "resolve_lock", lambda cache, report, kept=None, lost=frozenset(): fresh)


def test_a_lost_input_is_resolved_anew_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = _input(OLD, "1"), _input(NEW, "2")
    lock_path = tmp_path / "versions.lock"
    lock_path.write_bytes(render_lock(_lock(old)))
    seen: list[Progress] = []
    cache = _cache(tmp_path, seen)
    cache_dir = tmp_path / "cache"
    with mirror({f"/debian/{new.path}": NEW}) as base:
        _use_mirror(monkeypatch, base, _lock(new))
        lock = inputs.obtain_inputs(
            cache, lock_path, cache_dir, frozenset(), frozen=False, update_lock=False, report=seen.append
        )
    assert lock.inputs == (new,)
    assert "x 1 -> 2" in [progress.note for progress in seen]
    assert parse_lock(lock_path.read_bytes()).inputs == (old,)
    # the next build finds the lock of this machine and needs neither mirror nor resolver
    again = inputs.obtain_inputs(
        cache, lock_path, cache_dir, frozenset(), frozen=False, update_lock=False, report=seen.append
    )
    assert again == lock


def test_frozen_refuses_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock_path = tmp_path / "versions.lock"
    lock_path.write_bytes(render_lock(_lock(_input(OLD, "1"))))
    cache = _cache(tmp_path)
    with mirror({}) as base:
        _use_mirror(monkeypatch, base, _lock(_input(NEW, "2")))
        with pytest.raises(PuiError, match="x 1, and --frozen forbids"):
            inputs.obtain_inputs(
                cache,
                lock_path,
                tmp_path / "cache",
                frozenset(),
                frozen=True,
                update_lock=False,
                report=lambda progress: None,
            )
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["downloads"]


def test_updating_rewrites_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = _input(NEW, "2")
    lock_path = tmp_path / "versions.lock"
    lock_path.write_bytes(render_lock(_lock(_input(OLD, "1"))))
    seen: list[Progress] = []
    with mirror({f"/debian/{new.path}": NEW}) as base:
        _use_mirror(monkeypatch, base, _lock(new))
        inputs.obtain_inputs(
            _cache(tmp_path),
            lock_path,
            tmp_path / "cache",
            frozenset(),
            frozen=False,
            update_lock=True,
            report=seen.append,
        )
    assert parse_lock(lock_path.read_bytes()).inputs == (new,)
    assert "x 1 -> 2" in [progress.note for progress in seen]


def test_a_mirror_that_names_what_it_does_not_have_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock_path = tmp_path / "versions.lock"
    lock_path.write_bytes(render_lock(_lock(_input(OLD, "1"))))
    with mirror({}) as base:
        _use_mirror(monkeypatch, base, _lock(_input(NEW, "2")))
        with pytest.raises(PuiError, match="names x 2, but does not have it"):
            inputs.obtain_inputs(
                _cache(tmp_path),
                lock_path,
                tmp_path / "cache",
                frozenset(),
                frozen=False,
                update_lock=False,
                report=lambda p: None,
            )


def test_one_file_of_two_parts_is_one_input() -> None:
    item = _input(NEW, "2")
    assert merge_parts([item, replace(item, parts=("rootfs",))]) == [replace(item, parts=("rootfs", "tools"))]


def test_npm_versions_exact_then_newest_of_the_line() -> None:
    published = {"24.2.0": 0, "24.10.1": 0, "24.9.0-rc.1": 0, "25.0.0": 0}
    assert choose_version(published, "24.2.0") == "24.2.0"
    assert choose_version(published, "24") == "24.10.1"
    assert choose_version(published, "24.99.0") == "24.10.1"
    with pytest.raises(PuiError, match="line 23"):
        choose_version(published, "23")


def test_npm_paths_of_scoped_names() -> None:
    assert tarball_path("@a/b", "1.0.0") == "@a/b/-/b-1.0.0.tgz"
