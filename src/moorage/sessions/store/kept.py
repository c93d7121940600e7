"""What devices find again: sessions and retained messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, or_, select

from moorage.kit.db import Tx

from ..model import KeptSession, RetainedMessage
from ..tables import session_kept, session_retained

_KEEP = """
INSERT INTO session_kept (
    number, client_id, state, expiry_s, expires_at, will_delay_s, will_at, shares
)
SELECT e.number, e.client_id, e.state, e.expiry_s, e.expires_at, e.will_delay_s, e.will_at, e.shares
FROM unnest(
    CAST(:numbers AS integer[]), CAST(:clients AS text[]), CAST(:states AS bytea[]),
    CAST(:expiries AS integer[]), CAST(:expire_at AS timestamptz[]),
    CAST(:will_delays AS integer[]), CAST(:will_at AS timestamptz[]), CAST(:shares AS boolean[])
) AS e(number, client_id, state, expiry_s, expires_at, will_delay_s, will_at, shares)
ORDER BY e.number, e.client_id
ON CONFLICT (number, client_id) DO UPDATE SET
    state = excluded.state, expiry_s = excluded.expiry_s, expires_at = excluded.expires_at,
    will_delay_s = excluded.will_delay_s, will_at = excluded.will_at, shares = excluded.shares
"""

_RETAIN = """
INSERT INTO session_retained (number, topic, message, expires_at)
SELECT e.number, e.topic, e.message, e.expires_at
FROM unnest(
    CAST(:numbers AS integer[]), CAST(:topics AS text[]), CAST(:messages AS bytea[]),
    CAST(:expire_at AS timestamptz[])
) AS e(number, topic, message, expires_at)
ORDER BY e.number, e.topic
ON CONFLICT (number, topic) DO UPDATE SET
    message = excluded.message, expires_at = excluded.expires_at
"""


async def keep_sessions(tx: Tx, kept: Sequence[KeptSession]) -> None:
    """Write sessions, each at most once; their devices exist."""
    await tx.execute(
        _KEEP,
        {
            "numbers": [one.number for one in kept],
            "clients": [one.client_id for one in kept],
            "states": [one.state for one in kept],
            "expiries": [one.expiry_s for one in kept],
            "expire_at": [one.expires_at for one in kept],
            "will_delays": [one.will_delay_s for one in kept],
            "will_at": [one.will_at for one in kept],
            "shares": [one.shares for one in kept],
        },
    )


async def discard_sessions(tx: Tx, discarded: Sequence[KeptSession]) -> None:
    """Remove sessions."""
    await tx.execute(
        "DELETE FROM session_kept k USING unnest("
        "  CAST(:numbers AS integer[]), CAST(:clients AS text[])) AS e(number, client_id) "
        "WHERE k.number = e.number AND k.client_id = e.client_id",
        {
            "numbers": [one.number for one in discarded],
            "clients": [one.client_id for one in discarded],
        },
    )


async def retain(tx: Tx, retained: Sequence[RetainedMessage]) -> None:
    """Write retained messages, each topic at most once; their devices exist."""
    await tx.execute(
        _RETAIN,
        {
            "numbers": [one.number for one in retained],
            "topics": [one.topic for one in retained],
            "messages": [one.message for one in retained],
            "expire_at": [one.expires_at for one in retained],
        },
    )


async def clear_retained(tx: Tx, cleared: Sequence[RetainedMessage]) -> None:
    """Remove retained messages."""
    await tx.execute(
        "DELETE FROM session_retained r USING unnest("
        "  CAST(:numbers AS integer[]), CAST(:topics AS text[])) AS e(number, topic) "
        "WHERE r.number = e.number AND r.topic = e.topic",
        {"numbers": [one.number for one in cleared], "topics": [one.topic for one in cleared]},
    )


async def kept_sessions(tx: Tx, numbers: Iterable[int]) -> list[KeptSession]:
    """Read the sessions of devices that have not expired, or whose will waits."""
    rows = await tx.execute(
        select(session_kept).where(
            session_kept.c.number == func.any(list(numbers)),
            or_(
                session_kept.c.expires_at.is_(None),
                session_kept.c.expires_at > tx.now,
                session_kept.c.will_at.is_not(None),
            ),
        )
    )
    return [KeptSession(**row) for row in rows.mappings()]


async def retained_messages(tx: Tx, numbers: Iterable[int]) -> list[RetainedMessage]:
    """Read the retained messages of devices that have not expired."""
    rows = await tx.execute(
        select(session_retained).where(
            session_retained.c.number == func.any(list(numbers)),
            or_(session_retained.c.expires_at.is_(None), session_retained.c.expires_at > tx.now),
        )
    )
    return [RetainedMessage(**row) for row in rows.mappings()]


_LET_EXPIRE = """
UPDATE session_kept k
SET expires_at = :now + make_interval(secs => k.expiry_s),
    -- Nothing for a session without a will; `least` would pass over the NULL.
    will_at = :now + make_interval(
        secs => CASE WHEN k.will_delay_s > k.expiry_s THEN k.expiry_s ELSE k.will_delay_s END)
FROM session_homes h
WHERE h.number = k.number AND h.listener_id = ANY(CAST(:listeners AS uuid[]))
  AND k.expires_at IS NULL
"""

_DUE = """
SELECT DISTINCT k.number
FROM session_kept k
LEFT JOIN session_homes h ON h.number = k.number
WHERE k.will_at <= :now AND (h.listener_id IS NULL OR h.listener_id = :listener)
LIMIT :most
"""


async def let_expire(tx: Tx, listener_ids: Iterable[UUID]) -> None:
    """Start the clocks of the sessions that listeners left connected, and of their wills."""
    await tx.execute(_LET_EXPIRE, {"now": tx.now, "listeners": list(listener_ids)})


async def due_wills(tx: Tx, listener_id: UUID, most: int) -> list[int]:
    """List devices whose wills are due, at home at a listener or nowhere."""
    values = {"now": tx.now, "listener": listener_id, "most": most}
    return [row.number for row in await tx.execute(_DUE, values)]


_UNHEARING = """
SELECT DISTINCT k.number
FROM session_kept k
LEFT JOIN session_homes h ON h.number = k.number
WHERE k.shares AND h.listener_id IS NULL AND (k.expires_at IS NULL OR k.expires_at > :now)
LIMIT :most
"""


async def unhearing(tx: Tx, most: int) -> list[int]:
    """List devices at home nowhere with sessions that others may send something."""
    rows = await tx.execute(_UNHEARING, {"now": tx.now, "most": most})
    return [row.number for row in rows]


async def trim_kept(tx: Tx, before: datetime) -> None:
    """Forget sessions and retained messages that expired before then, unless a will waits."""
    await tx.execute(
        delete(session_kept).where(
            session_kept.c.expires_at < before, session_kept.c.will_at.is_(None)
        )
    )
    await tx.execute(delete(session_retained).where(session_retained.c.expires_at < before))
