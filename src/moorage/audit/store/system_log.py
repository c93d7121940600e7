"""The only SQL about the system log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Text, cast, delete, insert, or_, select

from moorage.kit import pages
from moorage.kit.db import Tx

from ..model import NewSystemEntry, SystemEntry, WantedEntries
from ..tables import system_log

_ENTRY = [system_log.c[f.name] for f in fields(SystemEntry)]


async def add_entries(tx: Tx, entries: Sequence[NewSystemEntry]) -> None:
    """Insert system log entries."""
    await tx.execute(insert(system_log), [asdict(entry) for entry in entries])


async def list_entries(
    tx: Tx, asked: pages.PageRequest, wanted: WantedEntries
) -> pages.Page[SystemEntry]:
    """Read a page of the system log."""
    query = select(*_ENTRY)
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


def _entry(row: Any) -> SystemEntry:
    return SystemEntry(**{f.name: getattr(row, f.name) for f in fields(SystemEntry)})
