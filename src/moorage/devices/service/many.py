"""Work on many devices: asked for once, done as a task, with the rights that whoever asked has."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import msgspec

from moorage import groups, oauth, organizations, tasks
from moorage.kit.caller import Caller
from moorage.kit.db import Database, Tx
from moorage.kit.errors import FieldInvalid, MoorageError
from moorage.organizations import Permission

from .. import store
from ..errors import DeviceUnknown, ImportTooLarge
from ..model import (
    Device,
    DeviceFilter,
    DeviceState,
    ImportMode,
    ImportRow,
    ManyChanges,
    RowAction,
    RowResult,
)
from . import past, registry, transfer

CHANGE: Final = "changeDevices"
MOVE: Final = "moveDevices"
REMOVE: Final = "removeDevices"
IMPORT: Final = "importDevices"
REMOVE_APPLICATION: Final = "removeApplication"
KINDS: Final = (CHANGE, MOVE, REMOVE, IMPORT, REMOVE_APPLICATION)
MOST = 100_000
MOST_TAGS = 50
# A step is one transaction: short enough to be taken back by a cancel, and for others to get by.
STEP = 100
STEP_OF_IMPORT = 250
FAILED = "failed"
_OUTCOMES: Mapping[RowAction, str] = {
    RowAction.CREATE: "created",
    RowAction.UPDATE: "updated",
    RowAction.UNCHANGED: "unchanged",
    RowAction.ERROR: FAILED,
}


async def ask_change(tx: Tx, caller: Caller, wanted: DeviceFilter, many: ManyChanges) -> tasks.Task:
    """Have the same changed of all devices that `wanted` finds.

    Raises:
        DeviceUnknown, ApplicationUnknown, PermissionMissing.
        FieldInvalid: nothing is changed, or `wanted` says nothing or finds what cannot be taken.
    """
    if not (many.changes or many.add_tags or many.remove_tags):
        raise FieldInvalid("/changes", "must change something")
    return await _ask(tx, caller, CHANGE, wanted, msgspec.to_builtins(many))


async def ask_move(
    tx: Tx, caller: Caller, wanted: DeviceFilter, application_id: UUID
) -> tasks.Task:
    """Have all devices that `wanted` finds moved to an application.

    Raises:
        DeviceUnknown, ApplicationUnknown, PermissionMissing.
        FieldInvalid: `wanted` says nothing, or finds what cannot be taken.
    """
    target = await groups.get(tx, caller, application_id)
    organizations.require(caller, Permission.MANAGE_DEVICES, target.organization_id, target.id)
    return await _ask(tx, caller, MOVE, wanted, {"applicationId": application_id})


async def ask_remove(tx: Tx, caller: Caller, wanted: DeviceFilter) -> tasks.Task:
    """Have all devices that `wanted` finds removed, with what they sent.

    Raises:
        DeviceUnknown, ApplicationUnknown, PermissionMissing.
        FieldInvalid: `wanted` says nothing, or finds what cannot be taken.
    """
    return await _ask(tx, caller, REMOVE, wanted, {})


async def ask_import(
    tx: Tx, caller: Caller, rows: Sequence[ImportRow], *, preview: bool
) -> tasks.Task:
    """Have devices of one organisation enrolled and changed from a file, each row by itself.

    A preview does all of it and takes it back, step by step: of what two rows far from each other
    contradict, it knows nothing.

    Raises:
        ImportTooLarge, PermissionMissing.
        FieldInvalid: the rows are about devices of several organisations, or about none you see.
    """
    if len(rows) > MOST:
        raise ImportTooLarge(limit=MOST)
    home = await _home_of(tx, caller, rows)
    if not _manages(caller, home):
        organizations.require(caller, Permission.MANAGE_DEVICES, home)
    new = tasks.NewTask(
        IMPORT, home, home, None, Permission.READ_DEVICES, Permission.MANAGE_DEVICES,
        {"preview": preview}, len(rows),
    )  # fmt: skip
    work = [(row.line, msgspec.to_builtins(row)) for row in rows]
    return await tasks.start(tx, caller, new, work)


async def _home_of(tx: Tx, caller: Caller, rows: Sequence[ImportRow]) -> UUID:
    homes = set()
    named = {row.new.application_id for row in rows if row.new is not None}
    named |= {row.changes["application_id"] for row in rows
              if row.changes is not None and "application_id" in row.changes}  # fmt: skip
    for application_id in named:
        # What is not there, or nobody's to see, is refused by its own row.
        with contextlib.suppress(groups.ApplicationUnknown):
            homes.add((await groups.get(tx, caller, application_id)).organization_id)
    ids = tuple(row.device_id for row in rows if row.device_id is not None)
    if ids:
        wanted = DeviceFilter(ids, states=tuple(DeviceState))
        found = await store.listing.list_named(tx, past.seen_by(caller), wanted, None, MOST)
        homes |= {device.organization_id for device in found}
    if len(homes) != 1:
        raise FieldInvalid("/applicationId", f"must be of one organization; found are {len(homes)}")
    return homes.pop()


async def ask_remove_application(tx: Tx, caller: Caller, application_id: UUID) -> tasks.Task:
    """Have an application removed with its devices and everything they sent.

    Raises:
        ApplicationUnknown, PermissionMissing.
    """
    application = await groups.get(tx, caller, application_id)
    total = await store.registry.count(tx, application_id=application_id)
    _require_removal(caller, application, total)
    new = tasks.NewTask(
        # It belongs to no application: it outlives this one.
        REMOVE_APPLICATION, application_id, application.organization_id, None,
        Permission.READ_APPLICATIONS, Permission.MANAGE_APPLICATIONS, {},
        total,
    )  # fmt: skip
    return await tasks.start(tx, caller, new)


def _require_removal(caller: Caller, application: groups.Application, its_devices: int) -> None:
    place = application.organization_id, application.id
    organizations.require(caller, Permission.MANAGE_APPLICATIONS, *place)
    if its_devices:
        organizations.require(caller, Permission.MANAGE_DEVICES, *place)


async def _ask(
    tx: Tx, caller: Caller, kind: str, wanted: DeviceFilter, given: Mapping[str, Any]
) -> tasks.Task:
    if wanted == DeviceFilter():
        raise FieldInvalid("/deviceIds", "must name devices, or else filters say which")
    if wanted.ids and wanted != DeviceFilter(wanted.ids):
        raise FieldInvalid("/deviceIds", "must be left out where filters say which devices")
    if wanted.at is not None:
        raise FieldInvalid("/at", "must be left out: what was cannot be changed")
    for one in wanted.application_ids:
        await groups.get(tx, caller, one)
    seen = past.seen_by(caller)
    found = await store.listing.list_named(tx, seen, wanted, None, MOST + 1)
    if not found and wanted.ids:
        raise DeviceUnknown(id=wanted.ids[0])
    if not found or len(found) > MOST:
        raise FieldInvalid("/deviceIds", f"must be 1 to {MOST:,} devices; found are {len(found):,}")
    homes = {device.organization_id for device in found}
    if len(homes) > 1:
        raise FieldInvalid("/deviceIds", "must be devices of one organization")
    (home,) = homes
    application_id = wanted.application_ids[0] if len(wanted.application_ids) == 1 else None
    managed = replace(seen, reach=caller.reach(Permission.MANAGE_DEVICES))
    if not await store.listing.list_named(tx, managed, wanted, None, 1):
        organizations.require(caller, Permission.MANAGE_DEVICES, home, application_id)
    # In one order, so that two who lock the same devices wait for each other once.
    ids = sorted({*wanted.ids, *(device.id for device in found)})
    subject_id = home if application_id is None else application_id
    new = tasks.NewTask(
        kind, subject_id, home, application_id, Permission.READ_DEVICES,
        Permission.MANAGE_DEVICES, given, len(ids),
    )  # fmt: skip
    return await tasks.start(tx, caller, new, list(enumerate(ids, 1)))


def _manages(caller: Caller, organization_id: UUID) -> bool:
    """Tell whether somebody manages devices of an organisation, or of an application of it."""
    reach = caller.reach(Permission.MANAGE_DEVICES)
    homes = {home for home, _ in caller.places(Permission.MANAGE_DEVICES)}
    return reach.everywhere or organization_id in reach.organization_ids | homes


# --- How it is done ---------------------------------------------------------


class ManyDevices:
    """Does the steps of work on many devices.

    Each step is done as whoever asked, with their rights as they are by then: what they may not do
    any more is refused row by row, and without an open account the work fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, task: tasks.Task) -> tasks.Task:
        """Do one step."""
        async with self._database.begin() as tx:
            caller = await oauth.act_for(tx, task.created_by, task.authorization_id)
        async with self._database.begin(caller) as tx:
            return await _STEPS[task.kind](tx, caller, task)


async def _step_of_import(tx: Tx, caller: Caller, task: tasks.Task) -> tasks.Task:
    found = await tasks.rows_to_do(tx, task, STEP_OF_IMPORT)
    if not found:
        return await tasks.finish(tx, task, {**task.checkpoint, "preview": task.given["preview"]})
    rows = [msgspec.convert(work, ImportRow) for _, work in found]
    report = await transfer.take_in(
        tx, caller, rows, ImportMode.PARTIAL, preview=task.given["preview"]
    )
    done = [_done(n, result) for (n, _), result in zip(found, report.rows, strict=True)]
    return await tasks.note_rows(tx, task, done)


def _done(n: int, result: RowResult) -> tasks.DoneRow:
    problem = None
    if (wrong := result.problem) is not None:
        problem = tasks.RowProblem(wrong.code, wrong.detail, wrong.column)
    return tasks.DoneRow(n, _OUTCOMES[result.action], result.device_id, result.name, problem)


async def _step_of_removal(tx: Tx, caller: Caller, task: tasks.Task) -> tasks.Task:
    application = await groups.get(tx, caller, task.subject_id, lock=True)
    gone = await store.registry.remove_of_application(tx, task.subject_id, STEP)
    _require_removal(caller, application, len(gone))
    if gone:
        registry.announce_removed(tx, gone)
        return await tasks.advance(tx, task, done=task.done + len(gone), checkpoint={})
    await groups.remove(tx, caller, task.subject_id)
    return await tasks.finish(tx, task, {"removed": task.done})


_Act = Callable[[Tx, Caller, Device, Mapping[str, Any]], Awaitable[str]]


def _row_by_row(act: _Act) -> Callable[[Tx, Caller, tasks.Task], Awaitable[tasks.Task]]:
    async def step(tx: Tx, caller: Caller, task: tasks.Task) -> tasks.Task:
        rows = await tasks.rows_to_do(tx, task, STEP)
        if not rows:
            return await tasks.finish(tx, task, task.checkpoint)
        done = [await _do(tx, caller, n, UUID(work), act, task.given) for n, work in rows]
        return await tasks.note_rows(tx, task, done)

    return step


async def _do(
    tx: Tx, caller: Caller, n: int, device_id: UUID, act: _Act, given: Mapping[str, Any]
) -> tasks.DoneRow:
    name = None
    try:
        async with tx.attempt():
            device = await registry.get(tx, caller, device_id, lock=True)
            name = device.name
            organizations.require(caller, Permission.MANAGE_DEVICES, *device.scope)
            outcome = await act(tx, caller, device, given)
    except MoorageError as refused:
        field = None if refused.pointer is None else refused.pointer.strip("/")
        problem = tasks.RowProblem(refused.code, str(refused), field)
        return tasks.DoneRow(n, FAILED, device_id, name, problem)
    return tasks.DoneRow(n, outcome, device_id, name)


async def _change(tx: Tx, caller: Caller, device: Device, given: Mapping[str, Any]) -> str:
    many = msgspec.convert(given, ManyChanges)
    changes: dict[str, Any] = dict(many.changes)
    tags = tuple(
        tag for tag in dict.fromkeys((*device.tags, *many.add_tags)) if tag not in many.remove_tags
    )
    if len(tags) > MOST_TAGS:
        raise FieldInvalid("/addTags", f"would make {len(tags)} tags; a device has {MOST_TAGS}")
    after = await registry.change(
        tx, caller, device.id, changes | {"tags": tags}, reason=many.reason
    )
    return "unchanged" if after.updated_at == device.updated_at else "updated"


async def _move(tx: Tx, caller: Caller, device: Device, given: Mapping[str, Any]) -> str:
    target = UUID(given["applicationId"])
    await registry.move(tx, caller, device.id, target)
    return "unchanged" if device.application_id == target else "updated"


async def _remove(tx: Tx, caller: Caller, device: Device, _given: Mapping[str, Any]) -> str:
    await registry.remove(tx, caller, device.id)
    return "removed"


_STEPS: Mapping[str, Callable[[Tx, Caller, tasks.Task], Awaitable[tasks.Task]]] = {
    CHANGE: _row_by_row(_change),
    MOVE: _row_by_row(_move),
    REMOVE: _row_by_row(_remove),
    IMPORT: _step_of_import,
    REMOVE_APPLICATION: _step_of_removal,
}
