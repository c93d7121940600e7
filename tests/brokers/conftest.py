"""Fixtures of the tests of brokers in front."""

from __future__ import annotations

import pytest_asyncio

import web
from brokers.desk import Desk, a_desk


@pytest_asyncio.fixture
async def desk(world: web.World) -> Desk:
    return await a_desk(world)
