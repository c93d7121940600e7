"""What devices of an application share: messages under way between listeners, and retained ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, or_, select

from moorage.kit.db import Tx

from ..model import PassedMessage, SharedMessage
from ..tables import session_passed, session_shared_retained

# Of one application; what would be more is not retained.
MOST_RETAINED = 1_000
# What those may take that are larger than an even share of this.
MOST_RETAINED_BYTES = 16_777_216

_HAND_ON = """
INSERT INTO session_passed (application_id, listener_id, place, message, passed_at)
SELECT e.application_id, :listener, e.place, e.message, :now
FROM unnest(
    CAST(:applications AS uuid[]), CAST(:places AS bigint[]), CAST(:messages AS bytea[])
) AS e(application_id, place, message)
"""

_PASSED = """
SELECT p.application_id, p.listener_id, p.place, p.message
FROM session_passed p
LEFT JOIN unnest(CAST(:listeners AS uuid[]), CAST(:places AS bigint[])) AS h(listener_id, place)
  ON h.listener_id = p.listener_id
WHERE p.application_id = ANY(CAST(:applications AS uuid[])) AND p.place > coalesce(h.place, 0)
ORDER BY p.listener_id, p.place
"""

_RETAIN = """
INSERT INTO session_shared_retained (application_id, topic, message, expires_at)
SELECT e.application_id, e.topic, e.message, e.expires_at
FROM unnest(
    CAST(:applications AS uuid[]), CAST(:topics AS text[]), CAST(:messages AS bytea[]),
    CAST(:expire_at AS timestamptz[])
) AS e(application_id, topic, message, expires_at)
WHERE (EXISTS (
    SELECT FROM session_shared_retained r
    WHERE r.application_id = e.application_id AND r.topic = e.topic
) OR :most > (
    SELECT count(*) FROM session_shared_retained r WHERE r.application_id = e.application_id
)) AND (length(e.message) <= :even OR :most_bytes >= length(e.message) + (
    SELECT coalesce(sum(length(r.message)), 0) FROM session_shared_retained r
    WHERE r.application_id = e.application_id AND r.topic <> e.topic
))
ORDER BY e.application_id, e.topic
ON CONFLICT (application_id, topic) DO UPDATE SET
    message = excluded.message, expires_at = excluded.expires_at
"""

_CLEAR = """
DELETE FROM session_shared_retained r
USING unnest(CAST(:applications AS uuid[]), CAST(:topics AS text[])) AS e(application_id, topic)
WHERE r.application_id = e.application_id AND r.topic = e.topic
"""


async def pass_on(tx: Tx, listener_id: UUID, messages: Sequence[SharedMessage]) -> None:
    """Write messages for other listeners."""
    values = {
        "listener": listener_id,
        "now": tx.now,
        "applications": [one.application_id for one in messages],
        "places": [one.place for one in messages],
        "messages": [one.message for one in messages],
    }
    await tx.execute(_HAND_ON, values)


async def passed(
    tx: Tx, applications: Iterable[UUID], heard: Mapping[UUID, int]
) -> list[PassedMessage]:
    """Read what was passed on in applications after the last place heard of each listener."""
    values = {
        "applications": list(applications),
        "listeners": list(heard),
        "places": list(heard.values()),
    }
    rows = await tx.execute(_PASSED, values)
    return [PassedMessage(**row) for row in rows.mappings()]


async def retain(tx: Tx, messages: Sequence[SharedMessage]) -> None:
    """Write retained messages, each topic at most once; an empty one clears its topic.

    Their applications exist.
    """
    kept = [one for one in messages if not one.empty]
    if kept:
        values = {
            "applications": [one.application_id for one in kept],
            "topics": [one.topic for one in kept],
            "messages": [one.message for one in kept],
            "expire_at": [one.expires_at for one in kept],
            "most": MOST_RETAINED,
            "most_bytes": MOST_RETAINED_BYTES,
            "even": MOST_RETAINED_BYTES // MOST_RETAINED,
        }
        await tx.execute(_RETAIN, values)
    if cleared := [one for one in messages if one.empty]:
        values = {
            "applications": [one.application_id for one in cleared],
            "topics": [one.topic for one in cleared],
        }
        await tx.execute(_CLEAR, values)


async def retained(tx: Tx, applications: Iterable[UUID]) -> list[tuple[UUID, bytes]]:
    """Read the retained messages of applications that have not expired, with their application."""
    table = session_shared_retained
    rows = await tx.execute(
        select(table.c.application_id, table.c.message)
        .where(
            table.c.application_id.in_(list(applications)),
            or_(table.c.expires_at.is_(None), table.c.expires_at > tx.now),
        )
        .order_by(table.c.application_id, table.c.topic)
    )
    return [(row.application_id, row.message) for row in rows]


async def trim(tx: Tx, passed_before: datetime) -> None:
    """Forget what was passed on before then, and retained messages that have expired."""
    await tx.execute(delete(session_passed).where(session_passed.c.passed_at < passed_before))
    table = session_shared_retained
    await tx.execute(delete(table).where(table.c.expires_at < tx.now))
