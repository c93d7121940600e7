"""Who is on the way to a provider, and what a provider may say once only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx

from ..model import ON_THE_WAY, Attempt
from ..tables import access_requests, identity_provider_attempts, identity_provider_spent

_attempts = identity_provider_attempts


async def add(tx: Tx, state: bytes, attempt: Attempt) -> None:
    """Write down that somebody sets out; `state` is the digest of what they bring back."""
    await tx.execute(
        insert(_attempts).values(
            digest=state,
            provider_id=attempt.provider_id,
            nonce=attempt.nonce,
            verifier=attempt.verifier,
            browser=attempt.browser,
            to=attempt.to,
            expires_at=tx.now + ON_THE_WAY,
        )
    )


async def take(tx: Tx, state: bytes, browser: bytes) -> Attempt | None:
    """Use an attempt up; gives nothing if it was used, is of another browser or took too long."""
    statement = (
        delete(_attempts)
        .where(
            _attempts.c.digest == state,
            _attempts.c.browser == browser,
            _attempts.c.expires_at > tx.now,
        )
        .returning(_attempts)
    )
    row = (await tx.execute(statement)).one_or_none()
    if row is None:
        return None
    return _attempt(row)


async def find(tx: Tx, state: bytes) -> Attempt | None:
    """Read an attempt that has not been answered yet; it stays."""
    query = select(_attempts).where(
        _attempts.c.digest == state, _attempts.c.arrived.is_(None), _attempts.c.expires_at > tx.now
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _attempt(row)


async def arrive(tx: Tx, state: bytes, arrived: bytes) -> bool:
    """Keep what a provider said for the browser that set out; tells whether it was the first."""
    statement = (
        update(_attempts)
        .where(
            _attempts.c.digest == state,
            _attempts.c.arrived.is_(None),
            _attempts.c.expires_at > tx.now,
        )
        .values(arrived=arrived)
        .returning(_attempts.c.digest)
    )
    return (await tx.execute(statement)).one_or_none() is not None


async def drop(tx: Tx, state: bytes) -> None:
    """Use an attempt up that failed."""
    await tx.execute(delete(_attempts).where(_attempts.c.digest == state))


def _attempt(row: Any) -> Attempt:
    return Attempt(row.provider_id, row.nonce, row.verifier, row.browser, row.to, row.arrived)


async def spend(tx: Tx, digest: bytes, until: datetime) -> bool:
    """Note that a provider said something that it may say once; tell whether it was the first."""
    spent = identity_provider_spent
    statement = (
        insert(spent)
        .values(digest=digest, expires_at=until)
        .on_conflict_do_nothing()
        .returning(spent.c.digest)
    )
    return (await tx.execute(statement)).one_or_none() is not None


async def drop_expired(tx: Tx) -> None:
    """Delete attempts, spent sayings and requests for access that are over."""
    for one in (_attempts, identity_provider_spent, access_requests):
        await tx.execute(delete(one).where(one.c.expires_at <= tx.now))
