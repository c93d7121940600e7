"""Messages of days gone by, put into the ledger as if they had come then."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from moorage import ledger
from moorage.kit.db import Database, Tx
from moorage.kit.ids import uuid7_bytes

TODAY = datetime.now(UTC).date()
DAY = timedelta(days=1)
CONSUMER = "process"


def a_message(device: int, text: str, day: date = TODAY, **others: object) -> ledger.RawMessage:
    noon = datetime.combine(day, time(12), UTC)
    received_us = int(noon.timestamp()) * 1_000_000
    payload = text.encode()
    return ledger.RawMessage(
        device, uuid7_bytes(), received_us, ledger.Protocol.HTTP, "", payload, **others
    )  # type: ignore[arg-type]


async def put(
    database: Database, day: date, *messages: ledger.RawMessage, partition: int = 0
) -> int:
    """Put one envelope into the raw log of a day; give its first position."""
    async with database.begin() as tx:
        await ledger.make_day_tables(tx, ["ledger_raw"], day, day)
        frames = [ledger.frame_of(message).body for message in messages]
        first = await ledger.place(tx, ledger.LogName.RAW, partition, frames)
        await tx.execute(
            "UPDATE ledger_raw SET day = :day WHERE partition = :partition AND first = :first",
            {"day": day, "partition": partition, "first": first},
        )
    return first


async def consume(tx: Tx, partition: int = 0) -> None:
    """Move the consumer of the raw log to its end."""
    log = ledger.LogName.RAW
    was = await ledger.position_of(tx, CONSUMER, log, partition)
    await ledger.move(tx, CONSUMER, log, partition, was, await ledger.end_of(tx, log, partition))


async def seal(database: Database) -> int:
    """Rewrite all that may be; give the number of messages."""
    sealed = 0
    while True:
        async with database.begin() as tx:
            some = await ledger.seal(tx)
        if not some:
            return sealed
        sealed += some


async def where(database: Database) -> tuple[int, int]:
    """Count messages in envelopes, and blocks."""
    async with database.begin() as tx:
        envelopes = await tx.execute("SELECT coalesce(sum(count), 0) FROM ledger_raw")
        blocks = await tx.execute("SELECT count(*) FROM ledger_blocks")
        return envelopes.scalar_one(), blocks.scalar_one()
