"""How stores fare: written down and logged when it changes, not each time."""

from __future__ import annotations

import structlog

from moorage.kit.db import Database

from .. import store as data
from ..model import Server, State, UserStore

log = structlog.get_logger()


async def note_reached(database: Database, store: UserStore, server: Server) -> None:
    """Note that a server of a store answered."""
    if store.health.state is State.REACHED and store.health.server == str(server):
        return
    if not await _is_news(database, store, State.REACHED, str(server), ""):
        return
    if store.health.state is State.FAILING:
        log.warning("user_store_back", store_id=str(store.id), server=str(server))
    elif store.health.server and store.health.server != str(server):
        log.warning("user_store_failed_over", store_id=str(store.id), server=str(server))


async def note_failing(database: Database, store: UserStore, error: str) -> None:
    """Note that a store cannot be asked."""
    if store.health.state is State.FAILING and store.health.error == error[:1_000]:
        return
    if await _is_news(database, store, State.FAILING, "", error):
        log.warning("user_store_unreachable", store_id=str(store.id), error=error)


async def _is_news(
    database: Database, store: UserStore, state: State, server: str, error: str
) -> bool:
    """Write it down; of several who find the same at once, it is news to one."""
    async with database.begin() as tx:
        there = await data.exists_still(tx, store.id)
        return there and await data.note_state(tx, store.id, state, server, error)
