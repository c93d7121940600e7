"""SQL about decoders themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Select,
    any_,
    cast,
    delete,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import array, insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..errors import DecoderNameTaken, DecoderUnknown
from ..model import (
    Decoder,
    InForce,
    NewDecoder,
    Overview,
)
from ..tables import decoder_problems, decoder_versions, decoders
from .devices import devices, routes, visible
from .texts import add_version, set_cases


def _decoders() -> Select[Any]:
    return select(decoders, decoder_versions.c.hash).join(
        decoder_versions,
        (decoder_versions.c.decoder_id == decoders.c.id)
        & (decoder_versions.c.n == decoders.c.version),
    )


def _decoder(row: Any) -> Decoder:
    return Decoder(**{c.name: getattr(row, c.name) for c in decoders.c}, hash=row.hash)


async def add(tx: Tx, new: NewDecoder, content_hash: str) -> Decoder:
    """Insert `new` with its first version and test cases. Raises DecoderNameTaken."""
    decoder_id = (
        await tx.execute(
            insert(decoders)
            .values(
                id=uuid7(),
                organization_id=new.organization_id,
                name=new.name,
                kind=new.kind,
                description=new.description,
                shared=new.shared,
                units=dict(new.units),
                version=1,
                **tx.stamp(),
            )
            .on_conflict_do_nothing()
            .returning(decoders.c.id)
        )
    ).scalar_one_or_none()
    if decoder_id is None:
        raise DecoderNameTaken(name=new.name)
    await add_version(tx, decoder_id, 1, content_hash, new.source)
    await set_cases(tx, decoder_id, new.test_cases)
    return await get(tx, decoder_id)


async def get(tx: Tx, decoder_id: UUID, *, lock: bool = False, hold: bool = False) -> Decoder:
    """Read one, to change it (`lock`) or so that nobody removes it meanwhile (`hold`).

    Raises:
        DecoderUnknown: there is none.
    """
    query = _decoders().where(decoders.c.id == decoder_id)
    if lock:
        query = query.with_for_update(of=decoders)
    elif hold:
        query = query.with_for_update(of=decoders, read=True, key_share=True)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise DecoderUnknown(id=decoder_id)
    return _decoder(row)


def _seen(query: Select[Any], seen: Reach) -> Select[Any]:
    if seen.everywhere:
        return query
    return query.where(
        or_(decoders.c.organization_id.in_(seen.organization_ids), decoders.c.shared)
    )


def _overviews(devices_seen: Reach, since: date) -> Select[Any]:
    failed = (
        select(
            func.coalesce(cast(func.sum(decoder_problems.c.count), BigInteger), 0).label(
                "failures"
            ),
            func.max(decoder_problems.c.last_at).label("last_failure_at"),
        )
        .join(devices, devices.c.number == decoder_problems.c.device_number)
        .where(
            decoder_problems.c.decoder_id == decoders.c.id,
            decoder_problems.c.day >= since,
            visible(devices_seen),
        )
        .lateral("failed")
    )
    used = (
        select(func.count().label("device_count"))
        .where(devices.c.decoder_id == decoders.c.id, visible(devices_seen))
        .lateral("used")
    )
    return (
        _decoders()
        .add_columns(used.c.device_count, failed.c.failures, failed.c.last_failure_at)
        .join(used, true())
        .join(failed, true())
    )


def _overview(row: Any) -> Overview:
    return Overview(
        **{c.name: getattr(row, c.name) for c in decoders.c},
        hash=row.hash,
        script=None,
        device_count=row.device_count,
        failures=row.failures,
        last_failure_at=row.last_failure_at,
    )


async def get_overview(tx: Tx, decoder_id: UUID, *, devices_seen: Reach, since: date) -> Overview:
    """Read one with its text. Raises DecoderUnknown."""
    query = _overviews(devices_seen, since).add_columns(decoder_versions.c.source)
    row = (await tx.execute(query.where(decoders.c.id == decoder_id))).one_or_none()
    if row is None:
        raise DecoderUnknown(id=decoder_id)
    return replace(_overview(row), script=row.source)


async def list_decoders(
    tx: Tx,
    seen: Reach,
    asked: pages.PageRequest,
    *,
    devices_seen: Reach,
    since: date,
    organization_id: UUID | None = None,
    kind: str | None = None,
    shared: bool | None = None,
    q: str | None = None,
) -> pages.Page[Overview]:
    """Read a page of what `seen` allows, and of what is shared."""
    query = _seen(_overviews(devices_seen, since), seen)
    if organization_id is not None:
        query = query.where(decoders.c.organization_id == organization_id)
    if kind is not None:
        query = query.where(decoders.c.kind == kind)
    if shared is not None:
        query = query.where(decoders.c.shared.is_(shared))
    if q:
        query = query.where(
            or_(
                decoders.c.name.icontains(q, autoescape=True),
                decoders.c.description.icontains(q, autoescape=True),
            )
        )
    return await pages.page(
        tx,
        query,
        asked,
        sorts={
            "name": func.lower(decoders.c.name),
            "createdAt": decoders.c.created_at,
            "updatedAt": decoders.c.updated_at,
        },
        default="name",
        key=decoders.c.id,
        read=_overview,
    )


async def list_newest(tx: Tx, seen: Reach, most: int) -> list[tuple[Decoder, str]]:
    """Read the decoders changed last, own ones first, with their texts."""
    own = decoders.c.organization_id.in_(seen.organization_ids)
    query = _seen(_decoders().add_columns(decoder_versions.c.source), seen)
    rows = await tx.execute(query.order_by(own.desc(), decoders.c.updated_at.desc()).limit(most))
    return [(_decoder(row), row.source) for row in rows]


async def change(tx: Tx, decoder_id: UUID, changes: Mapping[str, Any]) -> Decoder:
    """Change fields. Raises DecoderUnknown, DecoderNameTaken."""
    statement = (
        update(decoders).where(decoders.c.id == decoder_id).values(**changes, **tx.restamp())
    )
    try:
        async with tx.connection.begin_nested():
            await tx.execute(statement)
    except IntegrityError as taken:
        raise DecoderNameTaken(name=changes.get("name")) from taken
    return await get(tx, decoder_id)


async def remove(tx: Tx, decoder_id: UUID) -> None:
    """Delete one with its versions, test cases and problems."""
    await tx.execute(delete(decoders).where(decoders.c.id == decoder_id))


async def count_users(
    tx: Tx, decoder_id: UUID, *, outside_of: UUID | None = None
) -> tuple[int, int]:
    """Count the devices and the routes that use a decoder, or those outside of an organisation."""
    counts = []
    for users in (devices, routes):
        query = select(func.count()).select_from(users).where(users.c.decoder_id == decoder_id)
        if outside_of is not None:
            query = query.where(users.c.organization_id != outside_of)
        counts.append((await tx.execute(query)).scalar_one())
    of_devices, of_routes = counts
    return of_devices, of_routes


async def in_force(tx: Tx, decoder_ids: Collection[UUID]) -> list[InForce]:
    """Tell which versions of these decoders are in force; those unknown are left out."""
    query = _decoders().where(decoders.c.id == any_(array(list(decoder_ids))))
    return [
        InForce(r.id, r.organization_id, r.kind, r.shared, r.hash, r.units)
        for r in await tx.execute(query)
    ]
