"""The only SQL that reads facts, numbers them and keeps the system log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, delete, insert, or_, select

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.facts import facts

from .model import FactEntry, NewSystemEntry, SystemEntry, Wanted, WantedEntries
from .tables import system_log

_FACT = [facts.c[f.name] for f in fields(FactEntry)]

# Facts of one transaction keep their order; transactions are ordered by their ids, all of which
# lie below every one that still runs, so no fact can come to stand before a numbered one.
_NUMBER = """
WITH ready AS (
    SELECT id, row_number() OVER (ORDER BY transaction, id) AS place
    FROM facts
    WHERE number IS NULL
      AND transaction < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
    ORDER BY transaction, id
    LIMIT :most
)
UPDATE facts
SET number = (SELECT coalesce(max(number), 0) FROM facts) + ready.place
FROM ready
WHERE facts.id = ready.id
"""


async def list_facts(
    tx: Tx, seen: Reach, asked: pages.PageRequest, wanted: Wanted
) -> pages.Page[FactEntry]:
    """Read a page of the facts of organisations in `seen`."""
    query = select(*_FACT)
    if not seen.everywhere:
        query = query.where(facts.c.organization_id.in_(seen.organization_ids))
    if wanted.organization_id is not None:
        query = query.where(facts.c.organization_id == wanted.organization_id)
    if wanted.subject_id is not None:
        query = query.where(facts.c.subject_id == wanted.subject_id)
    if wanted.caller_id is not None:
        query = query.where(facts.c.caller_id == wanted.caller_id)
    if wanted.name is not None:
        query = query.where(facts.c.name.startswith(wanted.name, autoescape=True))
    if wanted.from_ is not None:
        query = query.where(facts.c.at >= wanted.from_)
    if wanted.to is not None:
        query = query.where(facts.c.at < wanted.to)
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"at": facts.c.at},
        default="-at",
        key=facts.c.id,
        read=_fact,
    )


async def number_facts(tx: Tx, most: int) -> int:
    """Number committed facts in order; tells how many. One process at a time does it."""
    locked = "SELECT pg_try_advisory_xact_lock(hashtext('moorage.number_facts'))"
    if not (await tx.execute(locked)).scalar_one():
        return 0
    return (await tx.execute(_NUMBER, {"most": most})).rowcount


async def drop_facts(tx: Tx, own: Mapping[UUID, datetime], others: datetime, most: int) -> None:
    """Delete facts from before their organisation's time, at most so many.

    Args:
        tx: the transaction.
        own: until when, of the organisations that have a time of their own.
        others: until when, of all others and of what belongs to none.
        most: how many rows at most.
    """
    given = {"organizations": list(own), "until": list(own.values()), "others": others}
    await tx.execute(_DROP, {**given, "most": most})


_DROP = """
WITH due AS (
  SELECT found.id
  FROM unnest(CAST(:organizations AS uuid[]), CAST(:until AS timestamptz[]))
    AS own (organization_id, until)
  CROSS JOIN LATERAL (
    SELECT id FROM facts
    WHERE organization_id = own.organization_id AND at < own.until
    LIMIT :most
  ) AS found
  UNION ALL
  SELECT id FROM facts
  WHERE at < :others
    AND (organization_id IS NULL OR organization_id <> ALL (CAST(:organizations AS uuid[])))
)
DELETE FROM facts WHERE id IN (SELECT id FROM due LIMIT :most)
"""


async def add_entries(tx: Tx, entries: Sequence[NewSystemEntry]) -> None:
    """Insert system log entries."""
    await tx.execute(insert(system_log), [asdict(entry) for entry in entries])


async def list_entries(
    tx: Tx, asked: pages.PageRequest, wanted: WantedEntries
) -> pages.Page[SystemEntry]:
    """Read a page of the system log."""
    query = select(system_log)
    if wanted.part is not None:
        query = query.where(system_log.c.part == wanted.part)
    if wanted.component is not None:
        query = query.where(system_log.c.component == wanted.component)
    if wanted.level is not None:
        query = query.where(system_log.c.level == wanted.level)
    if wanted.q:
        query = query.where(
            or_(
                system_log.c.event.icontains(wanted.q, autoescape=True),
                cast(system_log.c.detail, Text).icontains(wanted.q, autoescape=True),
            )
        )
    if wanted.from_ is not None:
        query = query.where(system_log.c.at >= wanted.from_)
    if wanted.to is not None:
        query = query.where(system_log.c.at < wanted.to)
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"at": system_log.c.at},
        default="-at",
        key=system_log.c.id,
        read=_entry,
    )


async def drop_entries(tx: Tx, before: datetime) -> None:
    """Delete system log entries older than `before`."""
    await tx.execute(delete(system_log).where(system_log.c.at < before))


def _fact(row: Any) -> FactEntry:
    return FactEntry(**{f.name: getattr(row, f.name) for f in fields(FactEntry)})


def _entry(row: Any) -> SystemEntry:
    return SystemEntry(**{f.name: getattr(row, f.name) for f in fields(SystemEntry)})
