"""How user stores fare, and when their people were last read."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx

from ..model import State
from ..tables import user_store_states, user_stores


async def note_state(tx: Tx, store_id: UUID, state: State, server: str, error: str) -> bool:
    """Write down how a store fares; tell whether that is news."""
    states = user_store_states
    new = insert(states).values(
        store_id=store_id, state=state.value, since=tx.now, server=server, error=error[:1_000],
        sync_asked=False, sync_error="", people=0, changed=0,
    )  # fmt: skip
    news = or_(
        states.c.state != new.excluded.state,
        states.c.server != new.excluded.server,
        states.c.error != new.excluded.error,
    )
    written = new.on_conflict_do_update(
        index_elements=[states.c.store_id],
        set_={
            "since": func.coalesce(
                select(states.c.since)
                .where(states.c.store_id == store_id, states.c.state == state.value)
                .scalar_subquery(),
                tx.now,
            ),
            "state": state.value,
            "server": server,
            "error": error[:1_000],
        },
        where=news,
    ).returning(states.c.since)
    return (await tx.execute(written)).first() is not None


async def exists_still(tx: Tx, store_id: UUID) -> bool:
    """Tell whether a store is there, and keep it there until the transaction ends."""
    query = select(user_stores.c.id).where(user_stores.c.id == store_id)
    return (await tx.execute(query.with_for_update(key_share=True))).first() is not None


async def ask_sync(tx: Tx, store_id: UUID) -> None:
    """Have a store's people read anew soon."""
    states = user_store_states
    new = insert(states).values(
        store_id=store_id, state=State.UNTRIED.value, since=tx.now, server="", error="",
        sync_asked=True, sync_error="", people=0, changed=0,
    )  # fmt: skip
    await tx.execute(
        new.on_conflict_do_update(index_elements=[states.c.store_id], set_={"sync_asked": True})
    )


async def due(tx: Tx) -> list[UUID]:
    """Tell whose people are to be read anew now."""
    states = user_store_states
    query = (
        select(user_stores.c.id)
        .outerjoin(states, states.c.store_id == user_stores.c.id)
        .where(
            user_stores.c.enabled,
            or_(
                states.c.sync_asked,
                states.c.synced_at.is_(None),
                states.c.synced_at + user_stores.c.sync_every <= tx.now,
            ),
        )
        .order_by(user_stores.c.id)
    )
    return list((await tx.execute(query)).scalars())


async def note_sync(tx: Tx, store_id: UUID, *, people: int, changed: int, error: str) -> None:
    """Write down how reading a store's people went, and that it was done now."""
    states = user_store_states
    values = {
        "sync_asked": False, "synced_at": tx.now, "sync_error": error[:1_000],
        "people": people, "changed": changed,
    }  # fmt: skip
    new = insert(states).values(
        store_id=store_id, state=State.UNTRIED.value, since=tx.now, server="", error="", **values
    )
    await tx.execute(new.on_conflict_do_update(index_elements=[states.c.store_id], set_=values))
