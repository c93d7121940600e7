"""Fixtures of the tests of targets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from targets.api import Api, an_api
from targets.servers import HttpServer, http_server
from targets.world import World, a_world


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with a_world(database_url) as made:
        yield made


@pytest_asyncio.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with http_server() as made:
        yield made


@pytest_asyncio.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with an_api(world) as made:
        yield made
