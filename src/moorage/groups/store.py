"""The only SQL about groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, cast, column, delete, func, or_, select, table, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7
from moorage.organizations import Kept, Quota, read_quotas

from .errors import ApplicationNameTaken, ApplicationUnknown, DatesReversed
from .model import (
    Application,
    ApplicationFilter,
    ApplicationStatus,
    ContactPerson,
    GroupKind,
    NewApplication,
)
from .tables import groups

# The slice of devices stands above this one, so its table is known by name only.
_devices = table("devices", column("application_id"))


def _applications() -> Select[Any]:
    count = (
        select(func.count())
        .where(_devices.c.application_id == groups.c.id)
        .scalar_subquery()
        .label("device_count")
    )
    return select(groups, count).where(groups.c.kind == GroupKind.APPLICATION.value)


_FIELDS = tuple(f.name for f in fields(Application))


def _application(row: Any) -> Application:
    values = {name: getattr(row, name) for name in _FIELDS}
    values["status"] = ApplicationStatus(row.status)
    values["contacts"] = tuple(ContactPerson(**c) for c in row.contacts)
    for name in ("controlled_properties", "device_kinds"):
        values[name] = tuple(values[name])
    return Application(**values)


async def add(tx: Tx, new: NewApplication) -> Application:
    """Insert `new`. Raises ApplicationNameTaken."""
    made = (
        await tx.execute(
            insert(groups)
            .values(id=uuid7(), kind=GroupKind.APPLICATION.value, **asdict(new), **tx.stamp())
            .on_conflict_do_nothing()
            .returning(groups.c.id)
        )
    ).scalar_one_or_none()
    if made is None:
        raise ApplicationNameTaken(name=new.name)
    return await get(tx, made)


async def get(tx: Tx, application_id: UUID, *, lock: bool = False) -> Application:
    """Read one. Raises ApplicationUnknown."""
    query = _applications().where(groups.c.id == application_id)
    if lock:
        query = query.with_for_update(of=groups)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise ApplicationUnknown(id=application_id)
    return _application(row)


async def list_applications(
    tx: Tx, seen: Reach, asked: pages.PageRequest, wanted: ApplicationFilter
) -> pages.Page[Application]:
    """Read a page of what `seen` allows."""
    query = _applications()
    if not seen.everywhere:
        query = query.where(
            or_(
                groups.c.organization_id.in_(seen.organization_ids),
                groups.c.id.in_(seen.application_ids),
            )
        )
    if wanted.organization_id is not None:
        query = query.where(groups.c.organization_id == wanted.organization_id)
    if wanted.statuses:
        query = query.where(groups.c.status.in_([s.value for s in wanted.statuses]))
    if wanted.owner is not None:
        query = query.where(func.lower(groups.c.owner) == func.lower(wanted.owner))
    if wanted.category is not None:
        query = query.where(func.lower(groups.c.category) == func.lower(wanted.category))
    if wanted.q:
        query = query.where(
            or_(
                groups.c.name.icontains(wanted.q, autoescape=True),
                groups.c.description.icontains(wanted.q, autoescape=True),
            )
        )
    return await pages.page(
        tx,
        query,
        asked,
        sorts={
            "name": func.lower(groups.c.name),
            "createdAt": groups.c.created_at,
            "updatedAt": groups.c.updated_at,
            "status": groups.c.status,
        },
        default="name",
        key=groups.c.id,
        read=_application,
    )


async def change(tx: Tx, application_id: UUID, changes: Mapping[str, Any]) -> Application:
    """Change fields, the organisation among them.

    Raises:
        ApplicationUnknown, ApplicationNameTaken, DatesReversed.
    """
    values = dict(changes)
    if "contacts" in values:
        values["contacts"] = [asdict(contact) for contact in values["contacts"]]
    statement = update(groups).where(groups.c.id == application_id).values(**values, **tx.restamp())
    try:
        async with tx.connection.begin_nested():
            await tx.execute(statement)
    except IntegrityError as refused:
        if "groups_dates_check" in str(refused.orig):
            raise DatesReversed from refused
        if "groups_name_key" in str(refused.orig):
            name = changes.get("name") or (await get(tx, application_id)).name
            raise ApplicationNameTaken(name=name) from refused
        raise
    return await get(tx, application_id)


async def remove(tx: Tx, application_id: UUID) -> None:
    """Delete one that owns no device any more."""
    await tx.execute(delete(groups).where(groups.c.id == application_id))


async def ended(tx: Tx, today: date) -> list[Application]:
    """List the applications whose end date has come."""
    query = _applications().where(groups.c.end_date <= today)
    return [_application(row) for row in await tx.execute(query)]


async def silence_limits(tx: Tx) -> dict[UUID, timedelta]:
    """Read after how long devices count as silent, of the applications that say so."""
    query = select(groups.c.id, groups.c.silent_after).where(groups.c.silent_after.is_not(None))
    return {row.id: row.silent_after for row in await tx.execute(query)}


async def periods(tx: Tx, what: Kept, defaults: Mapping[UUID, timedelta]) -> dict[UUID, timedelta]:
    """Read how long something is kept, of the applications that say so or have a default."""
    own = groups.c[what.value]
    query = select(groups.c.id, groups.c.organization_id, own.label("own")).where(
        or_(own.is_not(None), groups.c.organization_id.in_(defaults))
    )
    return {
        row.id: defaults[row.organization_id] if row.own is None else row.own
        for row in await tx.execute(query)
    }


async def sending_json(tx: Tx, application_ids: Iterable[UUID]) -> set[UUID]:
    """Tell which of these applications send every command as JSON."""
    query = select(groups.c.id).where(
        groups.c.id.in_(list(application_ids)), ~groups.c.encode_commands
    )
    return {row.id for row in await tx.execute(query)}


async def units(tx: Tx) -> dict[UUID, Mapping[str, str]]:
    """Read the units of every application that names some."""
    query = select(groups.c.id, groups.c.units).where(groups.c.units != cast({}, JSONB))
    return {row.id: row.units for row in await tx.execute(query)}


async def ring_for_units(tx: Tx) -> None:
    """Have the workers look at what they know of devices anew."""
    await tx.execute("SELECT pg_notify('moorage_devices', '')")


async def quotas(tx: Tx) -> dict[UUID, Mapping[Quota, int]]:
    """Read the quotas of every application that has one."""
    query = select(groups.c.id, groups.c.quotas).where(groups.c.quotas != cast({}, JSONB))
    return {row.id: read_quotas(row.quotas) for row in await tx.execute(query)}


async def quota(tx: Tx, application_id: UUID, what: Quota) -> int | None:
    """Read a quota; if there is one, the row is locked."""
    query = select(groups.c.quotas).where(
        groups.c.id == application_id, groups.c.quotas.has_key(what.value)
    )
    found = (await tx.execute(query.with_for_update())).scalar_one_or_none()
    return None if found is None else found[what.value]


async def ids_within(tx: Tx, reach: Reach) -> frozenset[UUID]:
    """Read which applications a reach takes in."""
    query = select(groups.c.id)
    if not reach.everywhere:
        query = query.where(
            or_(
                groups.c.organization_id.in_(reach.organization_ids),
                groups.c.id.in_(reach.application_ids),
            )
        )
    return frozenset(row.id for row in await tx.execute(query))


async def names_of(tx: Tx, application_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Read names."""
    query = select(groups.c.id, groups.c.name).where(groups.c.id.in_(list(application_ids)))
    return {row.id: row.name for row in await tx.execute(query)}
