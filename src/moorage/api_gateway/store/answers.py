"""The only SQL about answers kept for repeats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx

from ..model import ANSWERS_KEPT, UNDERWAY_AT_MOST
from ..tables import api_answers


@dataclass(frozen=True, slots=True)
class Kept:
    """What stands under a digest."""

    content_digest: bytes
    finished_at: datetime | None
    sealed: bytes | None


async def claim(tx: Tx, digest: bytes, content_digest: bytes) -> Kept | None:
    """Begin a request; gives what stands there if it was begun before."""
    old = api_answers.c
    left = and_(
        old.finished_at.is_(None),
        old.started_at < tx.now - UNDERWAY_AT_MOST,
        old.content_digest == content_digest,
    )
    begun = await tx.execute(
        insert(api_answers)
        .values(digest=digest, content_digest=content_digest, started_at=tx.now)
        .on_conflict_do_update(
            index_elements=[old.digest],
            set_={
                "content_digest": content_digest,
                "started_at": tx.now,
                "finished_at": None,
                "sealed": None,
            },
            where=or_(left, old.started_at < tx.now - ANSWERS_KEPT),
        )
        .returning(old.digest)
    )
    if begun.one_or_none() is not None:
        return None
    query = select(old.content_digest, old.finished_at, old.sealed).where(old.digest == digest)
    row = (await tx.execute(query)).one_or_none()
    # Gone in between: whoever worked on it failed just now, and the client may ask again.
    return (
        Kept(content_digest, None, None)
        if row is None
        else Kept(row.content_digest, row.finished_at, row.sealed)
    )


async def keep(tx: Tx, digest: bytes, sealed: bytes | None) -> None:
    """Keep the answer of a finished request."""
    await tx.execute(
        update(api_answers)
        .where(api_answers.c.digest == digest)
        .values(finished_at=tx.now, sealed=sealed)
    )


async def forget(tx: Tx, digest: bytes) -> None:
    """Let a request that changed nothing be asked again."""
    await tx.execute(delete(api_answers).where(api_answers.c.digest == digest))


async def drop_old(tx: Tx) -> None:
    """Delete what is no longer kept."""
    await tx.execute(delete(api_answers).where(api_answers.c.started_at < tx.now - ANSWERS_KEPT))
