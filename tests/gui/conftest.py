"""Fixtures for tests with a screen: one Xvfb a session, one Playwright a module, one trap a test.

In: programs of the system. Out: `display`, `playwright`, `trap`. Never: a skip.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Playwright, sync_playwright

from tests.support import desktop


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """A screen of the tests' own."""
    with desktop.xvfb() as number:
        yield number


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Its driver; no longer than a module, as asyncio.run refuses to work beside it."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture
def trap() -> Iterator[desktop.Canary]:
    """Where every request that leaves its page ends; a call there is a fault of the test that finds it."""
    with desktop.canary() as listener:
        yield listener
