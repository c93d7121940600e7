"""Who is at a broker in front, so that commands go there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx

from ..tables import source_devices, sources

CHANNEL = "moorage_arrivals"


async def devices_at(tx: Tx, source_id: UUID) -> list[int]:
    """Read the numbers of the devices that are at a broker in front."""
    query = select(source_devices.c.device).where(source_devices.c.source_id == source_id)
    return [row.device for row in await tx.execute(query)]


async def came(tx: Tx, source_id: UUID, numbers: Iterable[int]) -> None:
    """Note that devices, which are known, are at a broker in front."""
    rows = [{"source_id": source_id, "device": number} for number in sorted(set(numbers))]
    if rows:
        await tx.execute(insert(source_devices).values(rows).on_conflict_do_nothing())


async def came_to(tx: Tx, arrivals: Mapping[UUID, Iterable[int]]) -> None:
    """Note who signed in at brokers in front, by the brokers' ids, and ring their holders."""
    for broker_id, numbers in arrivals.items():
        query = select(sources.c.id).where(sources.c.broker_id == broker_id)
        if (source_id := (await tx.execute(query)).scalar_one_or_none()) is not None:
            await came(tx, source_id, numbers)
            await ring(tx, source_id)


async def went_from(tx: Tx, broker_id: UUID, numbers: Iterable[int]) -> None:
    """Note who left a broker in front, by the broker's id, and ring its holder."""
    query = select(sources.c.id).where(sources.c.broker_id == broker_id)
    if (source_id := (await tx.execute(query)).scalar_one_or_none()) is not None:
        await went(tx, source_id, numbers)
        await ring(tx, source_id)


async def ring(tx: Tx, source_id: UUID) -> None:
    """Have whoever sends commands to a broker in front look who is there."""
    await tx.execute(
        "SELECT pg_notify(:channel, :source_id)",
        {"channel": CHANNEL, "source_id": str(source_id)},
    )


async def went(tx: Tx, source_id: UUID, numbers: Iterable[int]) -> None:
    """Note that devices left a broker in front."""
    gone = source_devices.c.device.in_(list(numbers))
    await tx.execute(delete(source_devices).where(source_devices.c.source_id == source_id, gone))
