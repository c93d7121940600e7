"""Wrong passwords of late, and mail that somebody at the sign-in brought about."""

from __future__ import annotations

from sqlalchemy import case, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..model import FAILURES_FORGOTTEN, FREE_FAILURES, WAITS, Counted, Wish, WishKind
from ..tables import user_failures, user_wishes

# --- Mail that may be for nobody -------------------------------------------


async def wish(tx: Tx, kind: WishKind, email: str, origin: str | None) -> None:
    """Note that a mail is wanted."""
    values = {"id": uuid7(), "kind": kind.value, "email": email.lower(), "origin": origin}
    await tx.execute(insert(user_wishes).values(**values, asked_at=tx.now))


async def take_wishes(tx: Tx, most: int) -> list[Wish]:
    """Take the mails that have been wanted longest."""
    oldest = (
        select(user_wishes.c.id)
        .order_by(user_wishes.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    rows = await tx.execute(
        delete(user_wishes)
        .where(user_wishes.c.id.in_(oldest))
        .returning(user_wishes.c.kind, user_wishes.c.email, user_wishes.c.origin)
    )
    return [Wish(WishKind(row.kind), row.email, row.origin) for row in rows]


async def drop_old_wishes(tx: Tx) -> None:
    """Delete wishes that no worker answered for a day."""
    old = tx.now - FAILURES_FORGOTTEN
    await tx.execute(delete(user_wishes).where(user_wishes.c.asked_at < old))


# --- Wrong passwords ------------------------------------------------------


async def count_attempt(tx: Tx, kind: str, name: str) -> Counted:
    """Count an attempt as failed before it is tried, so that parallel guesses count too.

    While there is a wait, it is not counted.
    """
    old = user_failures.c
    forgotten = old.failed_at < tx.now - FAILURES_FORGOTTEN
    count = case((forgotten, 1), else_=old.failures + 1)
    excess = func.least(count - FREE_FAILURES[kind], 30)
    shortest, longest = WAITS[kind]
    wait = func.least(func.pow(2, excess - 1) * literal(shortest), literal(longest))
    row = (
        await tx.execute(
            insert(user_failures)
            .values(kind=kind, name=name.lower(), failures=1, failed_at=tx.now)
            .on_conflict_do_update(
                index_elements=[old.kind, old.name],
                set_={
                    "failures": count,
                    "failed_at": tx.now,
                    "blocked_until": case((excess > 0, literal(tx.now) + wait), else_=None),
                },
                where=or_(old.blocked_until.is_(None), old.blocked_until <= tx.now),
            )
            .returning(old.failures)
        )
    ).one_or_none()
    if row is not None:
        return Counted(row.failures)
    query = select(old.failures, old.blocked_until).where(
        old.kind == kind, old.name == name.lower()
    )
    # Whoever was let in meanwhile has ended the wait.
    found = (await tx.execute(query)).one_or_none()
    return Counted(0) if found is None else Counted(found.failures, found.blocked_until)


async def forget_failures(tx: Tx, kind: str, name: str) -> None:
    """Start counting anew."""
    await tx.execute(
        delete(user_failures).where(
            user_failures.c.kind == kind, user_failures.c.name == name.lower()
        )
    )


async def take_back_attempt(tx: Tx, kind: str, name: str) -> None:
    """Take back one counted attempt, which turned out right."""
    await tx.execute(
        update(user_failures)
        .where(user_failures.c.kind == kind, user_failures.c.name == name.lower())
        .values(failures=func.greatest(user_failures.c.failures - 1, 0), blocked_until=None)
    )


async def drop_old_failures(tx: Tx) -> None:
    """Delete what no longer counts."""
    await tx.execute(
        delete(user_failures).where(user_failures.c.failed_at < tx.now - FAILURES_FORGOTTEN)
    )
