"""Devices by the page, on the map."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Select,
    and_,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.reach import shows

from ..model import (
    Circle,
    Connectivity,
    Device,
    DeviceFilter,
    DeviceState,
    MapBox,
    MapCluster,
    Named,
    Seen,
)
from ..tables import device_contacts, devices
from . import past, registry

# Stands for "never" in the order by last contact, since a page's cursor cannot hold a null.
_NEVER = literal(datetime(1970, 1, 1, tzinfo=UTC), DateTime(timezone=True))
MOST_CLUSTERS = 2000
EARTH_M = 6_371_008.8


async def count_by_state(tx: Tx) -> dict[DeviceState, int]:
    """Count all devices by state."""
    rows = await tx.execute(
        select(devices.c.state, func.count().label("number")).group_by(devices.c.state)
    )
    return {DeviceState(row.state): row.number for row in rows}


def narrow(query: Select[Any], seen: Reach, wanted: DeviceFilter) -> Select[Any]:
    """Keep what `seen` allows and `wanted` asks for."""
    c = devices.c
    query = query.where(shows(seen, c.organization_id, c.application_id, owner_id=c.owner_id))
    for column, value in (
        (devices.c.organization_id, wanted.organization_id),
        (devices.c.ownership, wanted.ownership),
        (devices.c.owner_id, wanted.owner_id),
        (devices.c.gateway_id, wanted.gateway_id),
        (devices.c.decoder_id, wanted.decoder_id),
    ):
        if value is not None:
            query = query.where(column == value)
    for column, values in (
        (devices.c.id, wanted.ids),
        (devices.c.application_id, wanted.application_ids),
        (devices.c.state, wanted.states),
        (devices.c.kind, wanted.kinds),
    ):
        if values:
            query = query.where(column.in_(values))
    if not wanted.states:
        # Who waits in the inbox is shown to those who ask for it.
        query = query.where(devices.c.state != DeviceState.WAITING)
    if wanted.tags:
        query = query.where(devices.c.tags.contains(list(wanted.tags)))
    if wanted.metadata:
        query = query.where(devices.c.metadata.contains(dict(wanted.metadata)))
    if wanted.located is not None:
        query = query.where(devices.c.longitude.is_not(None) == wanted.located)
    if wanted.connectivity is not None:
        query = query.where(_is(wanted.connectivity))
    for column, text in (
        (devices.c.manufacturer, wanted.manufacturer),
        (devices.c.model, wanted.model),
        (devices.c.serial, wanted.serial),
        (devices.c.owner, wanted.owner),
    ):
        if text is not None:
            query = query.where(func.lower(column) == text.lower())
    if wanted.seen_from is not None:
        query = query.where(device_contacts.c.last_seen_at >= wanted.seen_from)
    if wanted.seen_to is not None:
        query = query.where(device_contacts.c.last_seen_at < wanted.seen_to)
    if wanted.box is not None:
        query = query.where(_inside(wanted.box))
    if wanted.near is not None:
        query = query.where(_around(wanted.near))
    for word in (wanted.q or "").casefold().split():
        query = query.where(_has(word))
    return query


def _inside(box: MapBox) -> ColumnElement[bool]:
    c = devices.c
    across: ColumnElement[bool] = c.longitude.between(box.west, box.east)
    if box.west > box.east:
        across = or_(c.longitude >= box.west, c.longitude <= box.east)
    return and_(across, c.latitude.between(box.south, box.north))


def _around(circle: Circle) -> ColumnElement[bool]:
    """Compare great-circle distances, of what lies in the box around the circle.

    Source: Sinnott, Virtues of the Haversine (1984); the mean radius of the Earth is of IUGG 1980.
    """
    c = devices.c
    high = math.degrees(circle.metres / EARTH_M)
    south, north = max(-90.0, circle.latitude - high), min(90.0, circle.latitude + high)
    # The circle is widest towards the nearer pole, and goes all around if it holds the pole.
    least = math.cos(math.radians(max(abs(south), abs(north))))
    wide = 180.0 if least < 1e-9 else min(180.0, high / least)
    west, east = circle.longitude - wide, circle.longitude + wide
    if wide < 180:
        west, east = (west + 540) % 360 - 180, (east + 540) % 360 - 180
    latitude = func.radians(c.latitude)
    half = func.pow(func.sin((latitude - math.radians(circle.latitude)) / 2), 2) + (
        func.cos(latitude)
        * math.cos(math.radians(circle.latitude))
        * func.pow(func.sin((func.radians(c.longitude) - math.radians(circle.longitude)) / 2), 2)
    )
    metres = 2 * EARTH_M * func.asin(func.least(1.0, func.sqrt(half)))
    return and_(_inside(MapBox(west, south, east, north)), metres <= circle.metres)


def _has(word: str) -> ColumnElement[bool]:
    # Trigrams know nothing of shorter words: the index would be walked whole, which is slower than
    # looking at the rows that the other conditions leave.
    if len(word) < 3:
        return func.strpos(devices.c.search, word) > 0
    return devices.c.search.contains(word, autoescape=True)


def _is(connectivity: Connectivity) -> Any:
    c = device_contacts.c
    match connectivity:
        case Connectivity.CONNECTED:
            return c.connected
        case Connectivity.SILENT:
            return and_(~c.connected, c.silent_since.is_not(None))
        case Connectivity.NEVER_SEEN:
            return and_(~c.connected, c.silent_since.is_(None), c.last_seen_at.is_(None))
        case Connectivity.SEEN:
            return and_(~c.connected, c.silent_since.is_(None), c.last_seen_at.is_not(None))
    return true()


async def list_devices(
    tx: Tx, seen: Seen, asked: pages.PageRequest, wanted: DeviceFilter
) -> pages.Page[Device]:
    """Read a page of what `seen` allows."""
    query = everything = _statement(seen, wanted)
    if asked.sort in ("lastSeenAt", "-lastSeenAt"):
        # Says that the join is an inner one: then the contacts can be put in order first, and
        # devices be looked up until the page is full.
        query = query.where(device_contacts.c.number.is_not(None))
    return await pages.page(
        tx,
        query,
        asked,
        sorts={
            "name": func.lower(devices.c.name),
            "createdAt": devices.c.created_at,
            "updatedAt": devices.c.updated_at,
            "lastSeenAt": func.coalesce(device_contacts.c.last_seen_at, _NEVER),
            "state": devices.c.state,
            "kind": devices.c.kind,
        },
        default="name",
        key=devices.c.id,
        read=registry.read if wanted.at is None else registry.read_then,
        counted=everything,
    )


def _statement(seen: Seen, wanted: DeviceFilter) -> Select[Any]:
    return _then(narrow(registry.statement(wanted.at), seen.reach, wanted), seen, wanted)


def _then(
    query: Select[Any], seen: Seen, wanted: DeviceFilter, *, everything: bool = False
) -> Select[Any]:
    if wanted.at is None:
        return query
    return past.shown(
        query,
        wanted.at,
        seen,
        all_places=everything or wanted.asks_of_place,
        all_contacts=everything or wanted.asks_of_contact,
    )


async def numbers_seen(tx: Tx, seen: Reach, wanted: DeviceFilter) -> dict[int, UUID]:
    """Read the numbers and ids of the devices that `seen` allows and `wanted` asks for."""
    query = narrow(select(devices.c.number, devices.c.id), seen, wanted)
    return {row.number: row.id for row in await tx.execute(query)}


async def list_named(
    tx: Tx, seen: Seen, wanted: DeviceFilter, first: UUID | None, limit: int
) -> list[Named]:
    """Read so many of the devices that `seen` allows and `wanted` asks for, by id from `first`."""
    c = devices.c
    query = narrow(select(c.id, c.number, c.name, c.organization_id), seen.reach, wanted)
    if first is not None:
        query = query.where(c.id >= first)
    query = _then(query.order_by(c.id).limit(limit), seen, wanted)
    rows = await tx.execute(query)
    return [Named(row.id, row.number, row.name, row.organization_id) for row in rows]


async def names_seen(
    tx: Tx, seen: Iterable[Reach], numbers: Iterable[int], wanted: DeviceFilter
) -> dict[int, tuple[UUID, str]]:
    """Read ids and names of those of `numbers` that every reach allows and `wanted` asks for."""
    query = select(devices.c.number, devices.c.id, devices.c.name).where(
        devices.c.number == func.any(list(numbers))
    )
    for reach in seen:
        query = narrow(query, reach, wanted)
    return {row.number: (row.id, row.name) for row in await tx.execute(query)}


async def map_clusters(
    tx: Tx, seen: Seen, box: MapBox, cells: int, wanted: DeviceFilter
) -> list[MapCluster]:
    """Gather devices of a part of the map into the cells of a grid."""
    crosses = box.west > box.east
    width = box.east - box.west + (360 if crosses else 0)
    size = max(width / cells, 1e-7)
    c = devices.c
    # East of the antimeridian counts on from 180.
    longitude: ColumnElement[float] = c.longitude
    if crosses:
        longitude = case((c.longitude < box.west, c.longitude + 360), else_=c.longitude)
        across = or_(c.longitude >= box.west, c.longitude <= box.east)
    else:
        across = c.longitude.between(box.west, box.east)
    # Apart from the contacts that a filter may ask for: the few silent ones are found by an index.
    quiet = device_contacts.alias("quiet")
    column = func.floor((longitude - box.west) / size)
    row_of_cells = func.floor((c.latitude - box.south) / size)
    inner = (
        select(
            (row_of_cells * 65_536 + column).label("cell"),
            longitude.label("longitude"),
            c.latitude,
            c.number,
            quiet.c.number.is_not(None).label("silent"),
        )
        .outerjoin(
            quiet,
            and_(quiet.c.number == c.number, quiet.c.silent_since.is_not(None), ~quiet.c.connected),
        )
        .where(across, c.latitude.between(box.south, box.north))
    )
    if wanted.asks_of_contact:
        inner = inner.join(device_contacts, device_contacts.c.number == c.number)
    # Kept apart by the offset: else the planner expects as many cells as places and sorts all.
    placed = narrow(inner, seen.reach, wanted).offset(literal_column("0")).subquery()
    query = (
        select(
            func.avg(placed.c.longitude).label("longitude"),
            func.avg(placed.c.latitude).label("latitude"),
            func.count().label("devices"),
            func.count().filter(placed.c.silent).label("silent"),
            func.min(placed.c.number).label("number"),
        )
        .group_by(placed.c.cell)
        .order_by(func.count().desc())
        .limit(MOST_CLUSTERS)
    )
    rows = (await tx.execute(_then(query, seen, wanted, everything=True))).all()
    alone = [row.number for row in rows if row.devices == 1]
    names = _then(select(c.number, c.id, c.name).where(c.number == func.any(alone)), seen, wanted)
    named = {row.number: {"id": str(row.id), "name": row.name} for row in await tx.execute(names)}
    return [
        MapCluster(
            longitude=(row.longitude + 180) % 360 - 180 if crosses else row.longitude,
            latitude=row.latitude,
            count=row.devices,
            silent=row.silent,
            device=named.get(row.number) if row.devices == 1 else None,
        )
        for row in rows
    ]


async def stream(tx: Tx, seen: Seen, wanted: DeviceFilter) -> AsyncIterator[list[Device]]:
    """Read everything `seen` allows, in order of name, in batches of some hundred."""
    query = _statement(seen, wanted).order_by(func.lower(devices.c.name), devices.c.id)
    read = registry.read if wanted.at is None else registry.read_then
    async with tx.connection.stream(query.execution_options(yield_per=500)) as rows:
        async for part in rows.partitions():
            yield [read(row) for row in part]
