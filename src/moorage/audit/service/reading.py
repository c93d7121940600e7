"""The rules of reading the audit and the system log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from moorage import organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Database, Tx
from moorage.organizations import Permission

from ..errors import RangeEmpty
from ..facts import AuditExported
from ..model import (
    SYSTEM_LOG_KEPT,
    FactEntry,
    NewSystemEntry,
    SystemEntry,
    Wanted,
    WantedEntries,
)
from ..store import facts
from ..store import system_log as system_log_store

BATCH = 1_000


async def changes_of(
    tx: Tx, caller: Caller, asked: pages.PageRequest, wanted: Wanted
) -> pages.Page[FactEntry]:
    """List the facts of organisations whose audit the caller may read.

    What belongs to no organisation is for GlobalAdmins.

    Raises:
        RangeEmpty: the range ends before it begins.
    """
    _check_range(wanted)
    return await facts.list_facts(tx, caller.reach(Permission.READ_AUDIT), asked, wanted)


async def export(
    database: Database, caller: Caller, wanted: Wanted
) -> AsyncIterator[Sequence[FactEntry]]:
    """Give all the facts that `changes_of` would list, oldest first, in batches.

    Oldest first means by number, so that each chain comes in its order; what is not sealed yet
    stands at the end. Each batch is a transaction of its own, so that a slow reader holds none
    open.
    """
    after = 0
    while True:
        async with database.begin(caller) as tx:
            seen = caller.reach(Permission.READ_AUDIT)
            batch = await facts.sealed_after(tx, seen, wanted, after, BATCH)
        if batch:
            yield batch
        numbers = [one.number for one in batch if one.number is not None]
        if len(numbers) < BATCH:
            return
        after = numbers[-1]


def note_export(tx: Tx, caller: Caller, wanted: Wanted) -> None:
    """Announce that the caller downloads facts."""
    reach = caller.reach(Permission.READ_AUDIT)
    organization_ids = (
        {wanted.organization_id} if wanted.organization_id else reach.organization_ids
    )
    asked = {"name": wanted.name, "from": wanted.from_, "to": wanted.to}
    # Nobody writes into the audit of an organisation whose audit is not theirs to read.
    own = {i for i in organization_ids if caller.may(Permission.READ_AUDIT, i)}
    audits: set[UUID | None] = {*own} or {None}
    for organization_id in audits:
        tx.announce(AuditExported(caller.id, organization_id, after=asked))


async def system_log(
    tx: Tx, caller: Caller, asked: pages.PageRequest, wanted: WantedEntries
) -> pages.Page[SystemEntry]:
    """List warnings and errors of the installation's processes.

    Raises:
        PermissionMissing: only a GlobalAdmin reads them.
        RangeEmpty: the range ends before it begins.
    """
    organizations.require(caller, Permission.READ_AUDIT, None)
    _check_range(wanted)
    return await system_log_store.list_entries(tx, asked, wanted)


async def keep_entries(tx: Tx, entries: Sequence[NewSystemEntry]) -> None:
    """Write warnings and errors into the system log."""
    await system_log_store.add_entries(tx, entries)


async def trim(tx: Tx) -> None:
    """Delete entries of the system log that are kept no longer."""
    await system_log_store.drop_entries(tx, tx.now - SYSTEM_LOG_KEPT)


def _check_range(wanted: Wanted | WantedEntries) -> None:
    if wanted.from_ is not None and wanted.to is not None and wanted.to <= wanted.from_:
        raise RangeEmpty
