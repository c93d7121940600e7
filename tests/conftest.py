"""Fixtures that all tests share."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

import borders
import web
from borders import North
from cluster import TEMPLATE, directory_of, fresh_database, name_of, shared
from moorage.kit.db import Database
from web import World

# A machine that is busy elsewhere must not fail a test.
settings.register_profile("moorage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("moorage"), max_examples=600)
settings.load_profile("moorage")


# As the platform's own processes have it: a fifth of what the tests cost went into looking for
# cycles among a million objects that stay.
gc.set_threshold(50_000)


# These wait for processes that start, are killed and start again.
_LONGEST = ("tests/scenarios/", "tests/sources/test_kill.py", "tests/simulate/test_demo.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first, so that nobody waits for it at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONGEST))


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of every later look for cycles."""
    gc.collect()
    gc.freeze()


# What requests log is shown with a failed test; tracebacks plain, since rich ones take seconds.
structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ],
    wrapper_class=structlog.make_filtering_bound_logger("warning"),
)


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest) -> str:
    """Give the throwaway PostgreSQL of this test session, started by whoever asks first."""
    is_worker = hasattr(request.config, "workerinput")
    session_pid = os.getppid() if is_worker else os.getpid()
    return shared(directory_of(session_pid), session_pid)


@pytest.fixture(scope="session")
async def settled(
    server_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[str, North]]:
    """Give the name of a database with one thing of every kind in it, and what those are."""
    with fresh_database(server_url) as url:
        async with web.running(url, tmp_path_factory.mktemp("settled")) as world:
            north = await borders.settle(world)
        yield name_of(url), north


@pytest.fixture
def database_url(request: pytest.FixtureRequest, server_url: str) -> Iterator[str]:
    """Give a fresh, migrated database, dropped after the test; a settled one if it asks north."""
    asks_north = "north" in request.fixturenames
    template = request.getfixturevalue("settled")[0] if asks_north else TEMPLATE
    with fresh_database(server_url, template) as url:
        yield url


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Give the running application on a database of its own."""
    async with web.running(database_url, tmp_path) as world:
        yield world


@pytest.fixture
def north(world: World, settled: tuple[str, North]) -> North:
    """Give an organisation with one thing of every kind, in the application's database."""
    return borders.settled_in(world, settled[1])


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Give a fresh, migrated database with a pool, for what depends on commits."""
    made = Database(database_url, pool_size=5)
    yield made
    await made.close()
