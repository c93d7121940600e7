"""SQL about what decoders could not do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    any_,
    cast,
    delete,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, array, distinct_on, insert

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx

from ..model import (
    Failing,
    Problem,
    ProblemsOfDevice,
)
from ..tables import decoder_problems, decoder_versions, decoders
from .devices import devices, visible


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
        .where(visible(seen))
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


async def failing(tx: Tx, since: datetime, least: int) -> list[Failing]:
    """Find the decoders whose version in force failed since then, `least` times on their days.

    One for each organisation whose devices it fails; the message is the last one.
    """
    p = decoder_problems.c
    count = cast(func.sum(p.count), BigInteger)
    rows = await tx.execute(
        select(
            decoders.c.id.label("decoder_id"),
            decoders.c.name,
            devices.c.organization_id,
            func.count(p.device_number.distinct()).label("devices"),
            func.array_agg(aggregate_order_by(p.message, p.last_at.desc()))[1].label("message"),
        )
        .select_from(decoder_problems)
        .join(decoders, decoders.c.id == p.decoder_id)
        .join(
            decoder_versions,
            (decoder_versions.c.decoder_id == decoders.c.id)
            & (decoder_versions.c.n == decoders.c.version),
        )
        .join(devices, devices.c.number == p.device_number)
        .where(
            p.last_at >= since, p.day >= since.date(),
            or_(p.hash.is_(None), p.hash == decoder_versions.c.hash),
        )
        .group_by(decoders.c.id, decoders.c.name, devices.c.organization_id)
        .having(count >= least)
        .order_by(decoders.c.id, devices.c.organization_id)
    )  # fmt: skip
    return [Failing(**row) for row in rows.mappings()]


async def forget_problems(tx: Tx, before: date) -> None:
    """Delete what is older."""
    await tx.execute(delete(decoder_problems).where(decoder_problems.c.day < before))
