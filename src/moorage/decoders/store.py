"""The only SQL about decoders."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    any_,
    cast,
    column,
    delete,
    func,
    or_,
    select,
    table,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import array, distinct_on, insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from .errors import DecoderNameTaken, DecoderUnknown, VersionUnknown
from .model import (
    Decoder,
    Direction,
    InForce,
    NewDecoder,
    Overview,
    Problem,
    ProblemsOfDevice,
    TestCase,
    Version,
)
from .tables import decoder_problems, decoder_test_cases, decoder_versions, decoders

# The slice of devices stands above this one, so its table is known by name only.
devices = table(
    "devices",
    column("id"),
    column("number"),
    column("name"),
    column("organization_id"),
    column("application_id"),
    column("decoder_id"),
)


# --- Decoders -------------------------------------------------------------


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
                version=1,
                **tx.stamp(),
            )
            .on_conflict_do_nothing()
            .returning(decoders.c.id)
        )
    ).scalar_one_or_none()
    if decoder_id is None:
        raise DecoderNameTaken(name=new.name)
    await _add_version(tx, decoder_id, 1, content_hash, new.source)
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


def _visible(seen: Reach) -> ColumnElement[bool]:
    """Keep to the devices that `seen` allows."""
    if seen.everywhere:
        return true()
    return or_(
        devices.c.organization_id.in_(seen.organization_ids),
        devices.c.application_id.in_(seen.application_ids),
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
            _visible(devices_seen),
        )
        .lateral("failed")
    )
    used = (
        select(func.count().label("device_count"))
        .where(devices.c.decoder_id == decoders.c.id, _visible(devices_seen))
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


async def count_devices(tx: Tx, decoder_id: UUID, *, outside_of: UUID | None = None) -> int:
    """Count the devices that use a decoder, or only those outside of an organisation."""
    query = select(func.count()).where(devices.c.decoder_id == decoder_id)
    if outside_of is not None:
        query = query.where(devices.c.organization_id != outside_of)
    count: int = (await tx.execute(query)).scalar_one()
    return count


# --- Versions -------------------------------------------------------------


async def _add_version(tx: Tx, decoder_id: UUID, n: int, content_hash: str, source: str) -> None:
    await tx.execute(
        insert(decoder_versions).values(
            decoder_id=decoder_id,
            n=n,
            hash=content_hash,
            source=source,
            created_at=tx.now,
            created_by=tx.caller.id,
        )
    )


async def take_version(tx: Tx, decoder_id: UUID, content_hash: str, source: str) -> int:
    """Give the number of the version with this content; add it if the decoder never had it.

    The decoder's row must be locked.
    """
    rows = await tx.execute(
        select(decoder_versions.c.n, decoder_versions.c.hash).where(
            decoder_versions.c.decoder_id == decoder_id
        )
    )
    known = {row.hash: row.n for row in rows}
    if (n := known.get(content_hash)) is None:
        n = max(known.values(), default=0) + 1
        await _add_version(tx, decoder_id, n, content_hash, source)
    return n


def _versions(decoder_id: UUID) -> Select[Any]:
    return (
        select(
            decoder_versions.c.n,
            decoder_versions.c.hash,
            decoder_versions.c.created_at,
            decoder_versions.c.created_by,
            (decoder_versions.c.n == decoders.c.version).label("current"),
        )
        .join(decoders, decoders.c.id == decoder_versions.c.decoder_id)
        .where(decoder_versions.c.decoder_id == decoder_id)
    )


def _version(row: Any) -> Version:
    return Version(row.n, row.hash, row.created_at, row.created_by, row.current)


async def get_version(tx: Tx, decoder_id: UUID, n: int) -> Version:
    """Read one with its text. Raises VersionUnknown."""
    query = _versions(decoder_id).add_columns(decoder_versions.c.source)
    row = (await tx.execute(query.where(decoder_versions.c.n == n))).one_or_none()
    if row is None:
        raise VersionUnknown(n=n)
    return replace(_version(row), script=row.source)


async def list_versions(tx: Tx, decoder_id: UUID, asked: pages.PageRequest) -> pages.Page[Version]:
    """Read a page of versions, without their texts."""
    return await pages.page(
        tx,
        _versions(decoder_id),
        asked,
        sorts={"n": decoder_versions.c.n},
        default="-n",
        key=decoder_versions.c.n,
        read=_version,
    )


async def in_force(tx: Tx, decoder_ids: Collection[UUID]) -> list[InForce]:
    """Tell which versions of these decoders are in force; those unknown are left out."""
    query = _decoders().where(decoders.c.id == any_(array(list(decoder_ids))))
    return [
        InForce(r.id, r.organization_id, r.kind, r.shared, r.hash) for r in await tx.execute(query)
    ]


async def sources(tx: Tx, hashes: Collection[str]) -> dict[str, str]:
    """Read texts by their hash; whose they are makes no difference, they are the same."""
    rows = await tx.execute(
        select(decoder_versions.c.hash, decoder_versions.c.source)
        .where(decoder_versions.c.hash == any_(array(list(hashes))))
        .ext(distinct_on(decoder_versions.c.hash))
    )
    return {r.hash: r.source for r in rows}


# --- Test cases -----------------------------------------------------------


async def cases_of(tx: Tx, decoder_id: UUID) -> tuple[TestCase, ...]:
    """Read a decoder's test cases in their order."""
    rows = await tx.execute(
        select(decoder_test_cases)
        .where(decoder_test_cases.c.decoder_id == decoder_id)
        .order_by(decoder_test_cases.c.position)
    )
    return tuple(TestCase(r.name, Direction(r.direction), r.input, r.expected) for r in rows)


async def set_cases(tx: Tx, decoder_id: UUID, cases: Sequence[TestCase]) -> None:
    """Put these test cases in place of the ones there are."""
    await tx.execute(
        delete(decoder_test_cases).where(decoder_test_cases.c.decoder_id == decoder_id)
    )
    if cases:
        await tx.execute(
            insert(decoder_test_cases),
            [
                {
                    "decoder_id": decoder_id,
                    "position": position,
                    "name": case.name,
                    "direction": case.direction.value,
                    "input": case.input,
                    "expected": case.expected,
                }
                for position, case in enumerate(cases)
            ],
        )


# --- Problems -------------------------------------------------------------


async def note_problems(tx: Tx, problems: Sequence[Problem]) -> None:
    """Count problems by decoder, device and day, and keep the last of each.

    Decoders that were removed in the meantime are left out; those that are there are held until
    the transaction ends, so that the message path never fails over them.
    """
    ids = {problem.decoder_id for problem in problems}
    held = await tx.execute(
        select(decoders.c.id)
        .where(decoders.c.id == any_(array(list(ids))))
        .order_by(decoders.c.id)
        .with_for_update(read=True, key_share=True)
    )
    there = {row.id for row in held}
    rows: dict[tuple[UUID, int, date], dict[str, Any]] = {}
    for problem in problems:
        if problem.decoder_id not in there:
            continue
        key = problem.decoder_id, problem.device, problem.at.date()
        row = rows.setdefault(key, {"count": 0, "last_at": problem.at})
        row["count"] += 1
        if problem.at >= row["last_at"]:
            row |= {
                "last_at": problem.at,
                "hash": problem.hash,
                "code": problem.code,
                "message": problem.message,
            }
    if not rows:
        return
    statement = insert(decoder_problems)
    new = statement.excluded
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["decoder_id", "device_number", "day"],
            set_={
                "count": decoder_problems.c.count + new.count,
                "last_at": new.last_at,
                "hash": new.hash,
                "code": new.code,
                "message": new.message,
            },
        ),
        [
            {"decoder_id": decoder_id, "device_number": device, "day": day, **row}
            for (decoder_id, device, day), row in sorted(rows.items())
        ],
    )


async def list_problems(
    tx: Tx, decoder_id: UUID, seen: Reach, since: date, asked: pages.PageRequest
) -> pages.Page[ProblemsOfDevice]:
    """Read a page of the devices a decoder failed since a day, of those `seen` allows."""
    latest = (
        select(decoder_problems)
        .where(decoder_problems.c.decoder_id == decoder_id, decoder_problems.c.day >= since)
        .ext(distinct_on(decoder_problems.c.device_number))
        .order_by(decoder_problems.c.device_number, decoder_problems.c.last_at.desc())
        .subquery()
    )
    counted = (
        select(
            decoder_problems.c.device_number,
            cast(func.sum(decoder_problems.c.count), BigInteger).label("count"),
        )
        .where(decoder_problems.c.decoder_id == decoder_id, decoder_problems.c.day >= since)
        .group_by(decoder_problems.c.device_number)
        .subquery()
    )
    query = (
        select(
            devices.c.id,
            devices.c.name,
            counted.c.count,
            latest.c.last_at,
            latest.c.hash,
            latest.c.code,
            latest.c.message,
        )
        .join(devices, devices.c.number == latest.c.device_number)
        .join(counted, counted.c.device_number == latest.c.device_number)
        .where(_visible(seen))
    )
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"lastAt": latest.c.last_at, "count": counted.c.count},
        default="-lastAt",
        key=latest.c.device_number,
        read=lambda r: ProblemsOfDevice(
            r.id, r.name, r.count, r.last_at, r.hash, r.code, r.message
        ),
    )


async def forget_problems(tx: Tx, before: date) -> None:
    """Delete what is older."""
    await tx.execute(delete(decoder_problems).where(decoder_problems.c.day < before))
