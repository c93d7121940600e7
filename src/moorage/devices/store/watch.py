"""Which devices have fallen silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from moorage.kit.db import Tx

# Before this many contacts nothing is known of a device's habits.
LEARNED_FROM = 20
# A device that sends every few seconds is not missed for the first quarter of an hour.
LEAST_LEARNED_S = 900
USUAL_INTERVALS = 3


@dataclass(frozen=True, slots=True)
class Silent:
    """A device that should have been in contact by now."""

    id: UUID
    name: str
    application_id: UUID
    organization_id: UUID
    last_seen_at: datetime
    limit: timedelta
    learned: bool


# While the database itself was down nobody could be heard, so time counts from its start at the
# earliest. What is learned is not held against a device that keeps its connection.
_FIND = """
WITH limits AS (
    SELECT * FROM unnest(CAST(:applications AS uuid[]), CAST(:limits AS interval[]))
        AS limits(application_id, silent_after)
), judged AS (
    SELECT c.number, d.id, d.name, d.application_id, d.organization_id, c.last_seen_at,
        coalesce(d.silent_after, limits.silent_after) AS told,
        CASE WHEN c.contacts >= :learned_from AND NOT c.connected THEN make_interval(
            secs => greatest(c.usual_interval_s * :intervals, :least)) END AS learned
    FROM device_contacts c
    JOIN devices d USING (number)
    LEFT JOIN limits ON limits.application_id = d.application_id
    WHERE c.silent_since IS NULL AND c.last_seen_at IS NOT NULL AND d.state = 'active'
), silent AS (
    SELECT number FROM judged
    WHERE greatest(last_seen_at, pg_postmaster_start_time()) + coalesce(told, learned) < :now
    ORDER BY number LIMIT :most
)
UPDATE device_contacts c SET silent_since = :now
FROM judged WHERE judged.number = c.number AND c.number IN (SELECT number FROM silent)
    AND c.last_seen_at = judged.last_seen_at
RETURNING judged.id, judged.name, judged.application_id, judged.organization_id,
    judged.last_seen_at, coalesce(judged.told, judged.learned) AS allowed,
    judged.told IS NULL AS guess
"""


async def find_silent(tx: Tx, limits: Mapping[UUID, timedelta], most: int) -> list[Silent]:
    """Mark devices silent that were not, and give them.

    Args:
        tx: the transaction.
        limits: by application, for devices without a limit of their own.
        most: how many in one go.
    """
    rows = await tx.execute(
        _FIND,
        {
            "applications": list(limits),
            "limits": list(limits.values()),
            "learned_from": LEARNED_FROM,
            "least": LEAST_LEARNED_S,
            "intervals": USUAL_INTERVALS,
            "now": tx.now,
            "most": most,
        },
    )
    return [
        Silent(
            row.id, row.name, row.application_id, row.organization_id, row.last_seen_at,
            row.allowed, row.guess,
        )
        for row in rows
    ]  # fmt: skip


async def calm(tx: Tx) -> list[UUID]:
    """Unmark silent devices that nobody expects to hear from any more; give them."""
    rows = await tx.execute(
        "UPDATE device_contacts c SET silent_since = NULL FROM devices d "
        "WHERE d.number = c.number AND c.silent_since IS NOT NULL AND d.state <> 'active' "
        "RETURNING d.id"
    )
    return [row.id for row in rows]
