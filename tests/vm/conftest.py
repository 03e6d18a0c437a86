"""Fixtures for tests with the real pack: they fail with words where no machine can run, they never skip.

In: the person's installed pack, the environment's developer switch. Out: `real`, folders of an app of its own.
Never: the person's data folder.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pui.domain.errors import PuiError
from pui.domain.preflight import PackFact, ResourceRequest, decide_preflight
from tests.support.app_process import processes_of
from tests.support.playbook import files_below
from tests.support.real_machine import RealApp, real_app
from tests.support.waiting import wait_until


@pytest.fixture(scope="session")
def prepared() -> Iterator[RealApp]:
    """One copy of the pack for all tests, checked to be able to run a machine."""
    folder = Path(tempfile.mkdtemp(prefix="pui-vm-"))
    try:
        app = _prepared(folder)
        yield app
        assert processes_of(folder) == {}
        assert files_below(app.paths.runtime) == []
    finally:
        shutil.rmtree(folder)


def _prepared(folder: Path) -> RealApp:
    try:
        app = real_app(folder)
    except PuiError as fault:
        pytest.fail(f"no usable runtime pack, so nothing of a real machine can be tested: {fault} → {fault.hint}")
    with app.composed() as composed:
        facts = asyncio.run(composed.host.probe(composed.packs.active()))
        verdict = decide_preflight(PackFact("x"), facts, ResourceRequest(768, 2, 1 << 30), composed.tcg_is_allowed)
    if verdict.setup_is_needed:
        words = "; ".join(f"{f.code}: {f.message} → {f.hint}" for f in verdict.findings)
        pytest.fail(f"this computer cannot run a machine (PUI_ALLOW_TCG=1 allows emulation): {words}")
    return app


@pytest.fixture
def real(prepared: RealApp) -> Iterator[RealApp]:
    """The app's folders; after the test no process and no socket of it is left."""
    yield prepared
    wait_until(lambda: processes_of(prepared.folder) == {}, "the end of every process of the test")
    assert files_below(prepared.paths.runtime) == []
