"""What the console remembers for somebody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx

from ..tables import user_preferences


async def get(tx: Tx, user_id: UUID) -> dict[str, Any]:
    """Read a user's preferences; empty where none are kept."""
    query = select(user_preferences.c.preferences).where(user_preferences.c.user_id == user_id)
    return (await tx.execute(query)).scalar_one_or_none() or {}


async def put(tx: Tx, user_id: UUID, preferences: Mapping[str, Any]) -> None:
    """Store a user's preferences in place of those before."""
    statement = insert(user_preferences).values(user_id=user_id, preferences=dict(preferences))
    await tx.execute(
        statement.on_conflict_do_update(
            constraint="user_preferences_pkey",
            set_={"preferences": statement.excluded.preferences},
        )
    )
