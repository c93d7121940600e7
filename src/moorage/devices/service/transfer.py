"""Many devices at once: in from a file, out to one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import groupby
from typing import Any

from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import MoorageError
from moorage.kit.facts import difference
from moorage.organizations import Permission

from .. import store
from ..errors import ImportTooLarge
from ..facts import DevicesExported
from ..model import (
    Device,
    DeviceFilter,
    ImportMode,
    ImportProblem,
    ImportReport,
    ImportRow,
    RowAction,
    RowResult,
)
from . import past, registry

MOST_ROWS = 2000


class _Undone(Exception):
    """Takes back what an import has done so far."""


async def take_in(
    tx: Tx, caller: Caller, rows: Sequence[ImportRow], mode: ImportMode, *, preview: bool
) -> ImportReport:
    """Enrol and change devices from a file, or only say what that would do.

    Rows with an id change that device, the others enrol one. A preview does all of it and takes it
    back, so that it cannot promise what the import then refuses. With `ALL_OR_NOTHING` one bad row
    keeps every other from being applied.

    Raises:
        ImportTooLarge: more rows than are taken in one transaction.
    """
    if len(rows) > MOST_ROWS:
        raise ImportTooLarge(limit=MOST_ROWS)
    results: list[RowResult] = []
    try:
        async with tx.attempt():
            results = await _take_rows(tx, caller, rows)
            bad = any(result.action is RowAction.ERROR for result in results)
            if preview or (bad and mode is ImportMode.ALL_OR_NOTHING):
                raise _Undone
    except _Undone:
        return ImportReport(preview, False, tuple(results))
    return ImportReport(False, True, tuple(results))


async def _take_rows(tx: Tx, caller: Caller, rows: Sequence[ImportRow]) -> list[RowResult]:
    results: list[RowResult] = []
    for enrolling, some in groupby(rows, lambda row: row.new is not None):
        if enrolling:
            results += await _enrol(tx, caller, list(some))
        else:
            results += [await _take_in(tx, caller, row) for row in some]
    return results


async def _enrol(tx: Tx, caller: Caller, rows: Sequence[ImportRow]) -> list[RowResult]:
    """Enrol the devices of rows together; where that is refused, each half by itself, in order."""
    try:
        async with tx.attempt():
            new = [row.new for row in rows if row.new is not None]
            made = await registry.enrol_many(tx, caller, new)
    except MoorageError as refused:
        if len(rows) == 1:
            return [_refused(rows[0], refused)]
        half = len(rows) // 2
        first = await _enrol(tx, caller, rows[:half])
        return first + await _enrol(tx, caller, rows[half:])
    return [
        RowResult(row.line, RowAction.CREATE, device.id, device.name)
        for row, device in zip(rows, made, strict=True)
    ]


async def _take_in(tx: Tx, caller: Caller, row: ImportRow) -> RowResult:
    if row.problem is not None:
        return RowResult(row.line, RowAction.ERROR, row.device_id, problem=row.problem)
    try:
        async with tx.attempt():
            return await _change(tx, caller, row)
    except MoorageError as refused:
        return _refused(row, refused)


def _refused(row: ImportRow, refused: MoorageError) -> RowResult:
    column = None if refused.pointer is None else refused.pointer.strip("/")
    problem = ImportProblem(refused.code, str(refused), column)
    return RowResult(row.line, RowAction.ERROR, row.device_id, problem=problem)


async def _change(tx: Tx, caller: Caller, row: ImportRow) -> RowResult:
    if row.device_id is None or row.changes is None:
        raise ValueError("A row without a new device names the one to change.")
    before = await registry.get(tx, caller, row.device_id)
    changes: dict[str, Any] = dict(row.changes)
    application_id = changes.pop("application_id", before.application_id)
    after = await registry.change(tx, caller, row.device_id, changes, reason="import")
    if application_id != before.application_id:
        after = await registry.move(tx, caller, row.device_id, application_id)
    was, now = difference(registry.view(before), registry.view(after))
    action = RowAction.UPDATE if now else RowAction.UNCHANGED
    return RowResult(row.line, action, before.id, after.name, was, now)


def export(tx: Tx, caller: Caller, wanted: DeviceFilter) -> AsyncIterator[list[Device]]:
    """Read every device the caller may see that `wanted` asks for, in order of name, in batches."""
    return store.listing.stream(tx, past.seen_by(caller), wanted)


def note_export(tx: Tx, caller: Caller, wanted: DeviceFilter) -> None:
    """Announce that the caller downloads a list of devices.

    Raises:
        FieldInvalid, PastNotKept, PastNotKnown: nothing can be told of `wanted.at`.
    """
    past.check(tx, wanted)
    organization_id = wanted.organization_id
    # Nobody writes into the audit of an organisation that is not theirs.
    if organization_id is None or not caller.belongs_to(organization_id):
        organization_id = None
        reach = caller.reach(Permission.READ_DEVICES)
        if not reach.everywhere and len(reach.organization_ids) == 1:
            (organization_id,) = reach.organization_ids
    tx.announce(DevicesExported(caller.id, organization_id, after={"q": wanted.q, "at": wanted.at}))
