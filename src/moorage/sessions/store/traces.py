"""Who watches a device's packets, and what was written of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, insert, select, update

from moorage.kit.db import Tx

from ..model import TracedBatch, TracedPacket, Watch
from ..tables import session_packets, session_watches

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[TracedPacket, ...]).decode


async def add(tx: Tx, watch: Watch, caller_id: UUID, alive_until: datetime) -> None:
    """Insert a watch."""
    await tx.execute(
        insert(session_watches).values(
            id=watch.id,
            number=watch.number,
            caller_id=caller_id,
            ends_at=watch.ends_at,
            alive_until=alive_until,
        )
    )


async def keep_alive(tx: Tx, watch_id: UUID, alive_until: datetime) -> None:
    """Have a watch last until an instant."""
    await tx.execute(
        update(session_watches)
        .where(session_watches.c.id == watch_id)
        .values(alive_until=alive_until)
    )


async def remove(tx: Tx, watch_id: UUID) -> None:
    """Remove a watch."""
    await tx.execute(delete(session_watches).where(session_watches.c.id == watch_id))


async def remove_dead(tx: Tx) -> None:
    """Remove the watches that nobody keeps alive."""
    await tx.execute(delete(session_watches).where(session_watches.c.alive_until <= tx.now))


async def count_of(tx: Tx, caller_id: UUID) -> int:
    """Count the watches of a caller."""
    rows = await tx.execute(
        select(func.count()).where(
            session_watches.c.caller_id == caller_id, session_watches.c.alive_until > tx.now
        )
    )
    return int(rows.scalar_one())


async def watched(tx: Tx) -> list[int]:
    """List the devices whose packets are watched."""
    query = select(session_watches.c.number).where(session_watches.c.alive_until > tx.now)
    return [row.number for row in await tx.execute(query.distinct())]


async def places(tx: Tx, number: int) -> dict[UUID, int]:
    """Tell how far each listener has written of a device's packets."""
    packets = session_packets
    rows = await tx.execute(
        select(packets.c.listener_id, func.max(packets.c.n).label("n"))
        .where(packets.c.number == number)
        .group_by(packets.c.listener_id)
    )
    return {row.listener_id: row.n for row in rows}


# A watch may have ended since the packets were seen. One that is about to end waits, so that
# whoever ends it clears these away too.
_WRITE = """
INSERT INTO session_packets (number, listener_id, n, at, dropped, packets)
SELECT e.number, e.listener_id, e.n, :now, e.dropped, e.packets
FROM unnest(
    CAST(:numbers AS integer[]), CAST(:listeners AS uuid[]), CAST(:ns AS bigint[]),
    CAST(:dropped AS integer[]), CAST(:packets AS bytea[])
) AS e(number, listener_id, n, dropped, packets)
WHERE EXISTS (
    SELECT FROM session_watches w WHERE w.number = e.number AND w.alive_until > :now FOR KEY SHARE
)
RETURNING number
"""


async def write(tx: Tx, batches: Sequence[TracedBatch]) -> bool:
    """Insert batches of devices that are watched; tell whether there were any."""
    rows = await tx.execute(
        _WRITE,
        {
            "now": tx.now,
            "numbers": [one.number for one in batches],
            "listeners": [one.listener_id for one in batches],
            "ns": [one.n for one in batches],
            "dropped": [one.dropped for one in batches],
            "packets": [_encode(one.packets) for one in batches],
        },
    )
    return bool(rows.all())


_READ = """
SELECT p.listener_id, p.n, p.dropped, p.packets
FROM session_packets p
LEFT JOIN unnest(CAST(:listeners AS uuid[]), CAST(:ns AS bigint[])) AS shown(listener_id, n)
    ON shown.listener_id = p.listener_id
WHERE p.number = :number AND p.n > coalesce(shown.n, -1)
ORDER BY p.at, p.listener_id, p.n
"""


async def read(tx: Tx, number: int, shown: Mapping[UUID, int]) -> list[TracedBatch]:
    """Read the batches of a device after those that were shown, by listener."""
    rows = await tx.execute(
        _READ,
        {"number": number, "listeners": list(shown), "ns": list(shown.values())},
    )
    return [
        TracedBatch(number, row.listener_id, row.n, _decode(row.packets), row.dropped)
        for row in rows
    ]


async def forget_packets(tx: Tx, number: int, before: datetime) -> None:
    """Remove what was written of a device's packets before an instant."""
    packets = session_packets
    await tx.execute(delete(packets).where(packets.c.number == number, packets.c.at < before))


async def forget_unwatched(tx: Tx) -> None:
    """Remove what was written of devices that nobody watches any more."""
    await tx.execute(
        "DELETE FROM session_packets p WHERE NOT EXISTS "
        "(SELECT FROM session_watches w WHERE w.number = p.number AND w.alive_until > :now)",
        {"now": tx.now},
    )
