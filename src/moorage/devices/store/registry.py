"""Devices themselves: add, read, change, remove."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    column,
    delete,
    func,
    or_,
    select,
    table,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..errors import DeviceUnknown, IdentifierTaken, SerialTaken
from ..model import (
    Connectivity,
    Device,
    DeviceKind,
    DeviceState,
    Identifier,
    Location,
    NewDevice,
    Ownership,
    StateChange,
    Threshold,
)
from ..tables import (
    device_contacts,
    device_identifiers,
    device_photos,
    device_states,
    device_units,
    devices,
)
from . import past, senders, topics

CHUNK = 500
# Known by name only, since the slice that owns them stands above.
_routes = table("target_routes", column("application_id"), column("decoder_id"))


def statement(at: datetime | None = None) -> Select[Any]:
    """Give everything a `Device` is made of; for `past.shown` of the instant `at`."""
    identifiers: ColumnElement[Any] = (
        select(
            func.json_agg(
                func.json_build_array(
                    device_identifiers.c.kind,
                    device_identifiers.c.value,
                    device_identifiers.c.network,
                ).op("ORDER BY")(device_identifiers.c.kind)
            )
        )
        .where(device_identifiers.c.device_id == devices.c.id)
        .scalar_subquery()
    )
    # Every device has its contacts, and a photo or none; an outer join can be left out of a count.
    # Of the past contacts would have to be worked out before the rows of a page are chosen.
    photographed = device_photos.c.device_id == devices.c.id
    if at is not None:
        identifiers = past.identifiers_then(at, identifiers)
        photographed &= device_photos.c.updated_at <= at
    return (
        select(
            devices,
            device_contacts.c.connected,
            device_contacts.c.last_seen_at,
            device_contacts.c.silent_since,
            identifiers.label("identifiers"),
            device_photos.c.updated_at.label("photo_at"),
        )
        .join(device_contacts, device_contacts.c.number == devices.c.number, isouter=at is None)
        .outerjoin(device_photos, photographed)
    )


def read(row: Any) -> Device:
    """Make a device of a row of `statement`."""
    return Device(
        id=row.id,
        number=row.number,
        application_id=row.application_id,
        organization_id=row.organization_id,
        gateway_id=row.gateway_id,
        name=row.name,
        kind=DeviceKind(row.kind),
        manufacturer=row.manufacturer,
        model=row.model,
        serial=row.serial,
        identifiers=identifiers_of(row),
        location=location_of(row),
        place=row.place,
        comment=row.comment,
        metadata=row.metadata,
        tags=tuple(row.tags),
        owner=row.owner,
        ownership=None if row.ownership is None else Ownership(row.ownership),
        owner_id=row.owner_id,
        state=DeviceState(row.state),
        decoder_id=row.decoder_id,
        silent_after=row.silent_after,
        thresholds=thresholds_of(row),
        connectivity=connectivity_of(row),
        last_seen_at=row.last_seen_at,
        silent_since=row.silent_since,
        photo_at=row.photo_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        created_by=row.created_by,
        updated_by=row.updated_by,
    )


def read_then(row: Any) -> Device:
    """Make a device of a row of an instant gone by.

    When it was last in contact is known of one that had fallen silent only.
    """
    device = read(row)
    silent = device.connectivity is Connectivity.SILENT
    return device if silent else replace(device, last_seen_at=None)


def connectivity_of(row: Any) -> Connectivity:
    """Sum up the last contacts."""
    if row.connected:
        return Connectivity.CONNECTED
    if row.silent_since is not None:
        return Connectivity.SILENT
    return Connectivity.NEVER_SEEN if row.last_seen_at is None else Connectivity.SEEN


def identifiers_of(row: Any) -> tuple[Identifier, ...]:
    """Read the identifiers of a row."""
    return tuple(Identifier(*parts) for parts in row.identifiers or ())


def location_of(row: Any) -> Location | None:
    """Read the location of a row."""
    if row.longitude is None:
        return None
    return Location(row.longitude, row.latitude, row.altitude_m)


def thresholds_of(row: Any) -> tuple[Threshold, ...]:
    """Read the thresholds of a row."""
    return tuple(Threshold(**t) for t in row.thresholds)


def search_text(device: NewDevice | Device) -> str:
    """Join what `q` looks through."""
    parts = [device.name, device.serial or "", device.manufacturer, device.model, device.place]
    parts += [device.owner, device.comment, *device.tags]
    parts += [identifier.value for identifier in device.identifiers]
    parts += itertools.chain.from_iterable(device.metadata.items())
    return " ".join(part for part in parts if part).casefold()


async def add(tx: Tx, rows: Sequence[tuple[UUID, NewDevice]]) -> list[UUID]:
    """Insert devices, each with the organisation of its application; give their ids in order.

    Raises:
        SerialTaken, IdentifierTaken: by a device already there, or by two of `rows`.
    """
    ids = [uuid7() for _ in rows]
    for some in _chunks(list(zip(ids, rows, strict=True))):
        await _add(tx, some)
    return ids


async def count(
    tx: Tx, *, organization_id: UUID | None = None, application_id: UUID | None = None
) -> int:
    """Count the devices of an organisation, or of an application."""
    owner = (
        devices.c.organization_id == organization_id
        if application_id is None
        else devices.c.application_id == application_id
    )
    query = select(func.count()).select_from(devices).where(owner)
    found: int = (await tx.execute(query)).scalar_one()
    return found


async def _add(tx: Tx, rows: Sequence[tuple[UUID, tuple[UUID, NewDevice]]]) -> None:
    stamp = tx.stamp()
    values = [
        {"id": id_, "organization_id": organization_id, **_columns(new), **stamp}
        for id_, (organization_id, new) in rows
    ]
    made = await tx.execute(
        insert(devices)
        .on_conflict_do_nothing(constraint="devices_organization_id_serial_key")
        .returning(devices.c.id, devices.c.number),
        values,
    )
    numbers = {row.id: row.number for row in made}
    for id_, (_, new) in rows:
        if id_ not in numbers:
            raise SerialTaken(serial=new.serial)
    await tx.execute(insert(device_contacts), [{"number": n} for n in numbers.values()])
    units = {id_: uuid7() for id_, _ in rows}
    await tx.execute(
        insert(device_units),
        [
            {
                "id": units[id_],
                "device_id": id_,
                "bound_at": tx.now,
                "serial": new.serial,
                "hardware": {},
            }
            for id_, (_, new) in rows
        ],
    )
    await tx.execute(
        insert(device_states),
        [
            {
                "id": uuid7(),
                "device_id": id_,
                "at": tx.now,
                "state": new.state.value,
                "reason": "",
                "by": tx.caller.id,
            }
            for id_, (_, new) in rows
        ],
    )
    await _add_identifiers(tx, [(id_, units[id_], new.identifiers) for id_, (_, new) in rows])
    await past.note(tx, numbers.values())
    # Their gateways may speak for them at once.
    children = [numbers[id_] for id_, (_, new) in rows if new.gateway_id is not None]
    await senders.changed(tx, children, sender=True)


async def _add_identifiers(tx: Tx, rows: Iterable[tuple[UUID, UUID, Iterable[Identifier]]]) -> None:
    values = [
        {"device_id": device_id, "unit_id": unit_id, **asdict(identifier)}
        for device_id, unit_id, identifiers in rows
        for identifier in identifiers
    ]
    for some in _chunks(values):
        statement = insert(device_identifiers).values(some).on_conflict_do_nothing()
        keys = [device_identifiers.c[name] for name in ("network", "kind", "value")]
        left = [(v["network"], v["kind"], v["value"]) for v in some]
        for row in await tx.execute(statement.returning(*keys)):
            left.remove(tuple(row))
        if left:
            raise IdentifierTaken(identifier_kind=left[0][1], value=left[0][2])


def _columns(new: NewDevice) -> dict[str, Any]:
    values = {name: getattr(new, name) for name in _PLAIN}
    return values | _derived(new)


_PLAIN = (
    "application_id", "gateway_id", "name", "kind", "manufacturer", "model", "serial", "place",
    "comment", "metadata", "owner", "ownership", "state", "decoder_id", "silent_after",
)  # fmt: skip


def _derived(device: NewDevice | Device) -> dict[str, Any]:
    where = device.location
    return {
        "longitude": where and where.longitude,
        "latitude": where and where.latitude,
        "altitude_m": where and where.altitude_m,
        "tags": list(device.tags),
        "thresholds": [asdict(t) for t in device.thresholds],
        "search": search_text(device),
    }


# Made once, since most requests about a device ask it.
_ONE = statement().where(devices.c.id == bindparam("device_id"))


async def get(tx: Tx, device_id: UUID, *, lock: bool = False) -> Device:
    """Read one. Raises DeviceUnknown."""
    query = _ONE.with_for_update(of=devices) if lock else _ONE
    row = (await tx.execute(query, {"device_id": device_id})).one_or_none()
    if row is None:
        raise DeviceUnknown(id=device_id)
    return read(row)


async def get_many(tx: Tx, device_ids: Iterable[UUID], *, lock: bool = False) -> dict[UUID, Device]:
    """Read those that are there."""
    query = statement().where(devices.c.id == func.any(list(device_ids)))
    if lock:  # In one order, so that two who lock the same devices wait for each other once.
        query = query.order_by(devices.c.id).with_for_update(of=devices)
    return {row.id: read(row) for row in await tx.execute(query)}


async def change(tx: Tx, before: Device, after: Device) -> None:
    """Store the fields of `after` that differ. Raises SerialTaken, IdentifierTaken."""
    values = {n: getattr(after, n) for n in _PLAIN if getattr(after, n) != getattr(before, n)}
    values |= _derived(after) | tx.restamp()
    values["organization_id"] = after.organization_id
    values["owner_id"] = after.owner_id
    await past.keep(tx, "d.id = :id", id=before.id)
    try:
        async with tx.connection.begin_nested():
            await tx.execute(update(devices).where(devices.c.id == before.id).values(**values))
    except IntegrityError as refused:
        if "devices_organization_id_serial_key" in str(refused.orig):
            raise SerialTaken(serial=after.serial) from refused
        raise
    if after.location != before.location:
        await past.note(tx, [before.number])
    if "serial" in values:
        await tx.execute(
            update(device_units)
            .where(device_units.c.device_id == before.id, device_units.c.unbound_at.is_(None))
            .values(serial=after.serial)
        )
    if set(before.identifiers) != set(after.identifiers):
        await _set_identifiers(tx, before, after)
    rights = {"application_id", "state", "kind", "gateway_id"} & values.keys()
    renamed = set(before.identifiers) != set(after.identifiers)
    if not rights and not renamed and {"name", "serial", "model"} & values.keys():
        renamed = await topics.has_any(tx, before.application_id)
    await senders.changed(tx, [before.number], sender=bool(rights) or renamed)


async def _set_identifiers(tx: Tx, before: Device, after: Device) -> None:
    gone = set(before.identifiers) - set(after.identifiers)
    for identifier in gone:
        await tx.execute(
            delete(device_identifiers).where(
                device_identifiers.c.network == identifier.network,
                device_identifiers.c.kind == identifier.kind,
                device_identifiers.c.value == identifier.value,
            )
        )
    unit = (
        await tx.execute(
            select(device_units.c.id).where(
                device_units.c.device_id == before.id, device_units.c.unbound_at.is_(None)
            )
        )
    ).scalar_one()
    new = [i for i in after.identifiers if i not in before.identifiers]
    await _add_identifiers(tx, [(before.id, unit, new)])


async def note_state(tx: Tx, device_id: UUID, state: DeviceState, reason: str) -> None:
    """Add a step to a device's history of states."""
    await tx.execute(
        insert(device_states).values(
            id=uuid7(),
            device_id=device_id,
            at=tx.now,
            state=state.value,
            reason=reason,
            by=tx.caller.id,
        )
    )


async def states_of(tx: Tx, device_id: UUID) -> list[StateChange]:
    """Read a device's last 200 states, the newest first."""
    query = (
        select(device_states)
        .where(device_states.c.device_id == device_id)
        .order_by(device_states.c.at.desc(), device_states.c.id.desc())
        .limit(200)
    )
    return [
        StateChange(row.at, DeviceState(row.state), row.reason, row.by)
        for row in await tx.execute(query)
    ]


async def remove(tx: Tx, device: Device) -> None:
    """Delete one with what refers to it."""
    await senders.changed(tx, [device.number], sender=True)
    await past.keep(tx, "d.gateway_id = :id", id=device.id)
    await tx.execute(delete(devices).where(devices.c.id == device.id))
    if device.state is not DeviceState.WAITING:
        await past.note_removal(tx, [device])


async def remove_of_application(tx: Tx, application_id: UUID, limit: int) -> list[Device]:
    """Delete so many devices of an application, the oldest first; give what they were."""
    query = statement().where(devices.c.application_id == application_id)
    query = query.order_by(devices.c.id).limit(limit).with_for_update(of=devices)
    gone = [read(row) for row in await tx.execute(query)]
    ids = [device.id for device in gone]
    await senders.changed(tx, [device.number for device in gone], sender=True)
    await past.keep(tx, "d.gateway_id = ANY(:ids)", ids=ids)
    await tx.execute(delete(devices).where(devices.c.id == func.any(ids)))
    await past.note_removal(tx, [d for d in gone if d.state is not DeviceState.WAITING])
    return gone


async def free_children(tx: Tx, gateway_id: UUID) -> None:
    """Take every device from behind a gateway."""
    await past.keep(tx, "d.gateway_id = :id", id=gateway_id)
    freed = await tx.execute(
        update(devices)
        .where(devices.c.gateway_id == gateway_id)
        .values(gateway_id=None)
        .returning(devices.c.number)
    )
    await senders.changed(tx, [row.number for row in freed], sender=True)


async def free_strangers(tx: Tx, application_id: UUID) -> None:
    """Part gateways and children that are in two organisations after a move of an application."""
    await past.keep(
        tx,
        "EXISTS (SELECT FROM devices g WHERE g.id = d.gateway_id "
        "AND g.organization_id <> d.organization_id "
        "AND :id IN (d.application_id, g.application_id))",
        id=application_id,
    )
    gateway = devices.alias("gateway")
    freed = await tx.execute(
        update(devices)
        .where(
            devices.c.gateway_id == gateway.c.id,
            devices.c.organization_id != gateway.c.organization_id,
            or_(
                devices.c.application_id == application_id,
                gateway.c.application_id == application_id,
            ),
        )
        .values(gateway_id=None)
        .returning(devices.c.number)
    )
    await senders.changed(tx, [row.number for row in freed], sender=True)


async def decoders_of(tx: Tx, application_id: UUID) -> list[UUID]:
    """Tell which decoders the devices and the routes of an application use."""
    queries = [
        select(users.c.decoder_id).where(
            users.c.application_id == application_id, users.c.decoder_id.is_not(None)
        )
        for users in (devices, _routes)
    ]
    return [row.decoder_id for row in await tx.execute(union(*queries))]


async def refuse_serials_of(tx: Tx, application_id: UUID, organization_id: UUID) -> None:
    """Refuse a move that would give an organisation one serial twice. Raises SerialTaken."""
    other = devices.alias("other")
    query = (
        select(devices.c.serial)
        .join(other, other.c.serial == devices.c.serial)
        .where(
            devices.c.application_id == application_id,
            other.c.organization_id == organization_id,
            other.c.application_id != application_id,
        )
        .limit(1)
    )
    if (row := (await tx.execute(query)).one_or_none()) is not None:
        raise SerialTaken(serial=row.serial)


def _chunks(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]
