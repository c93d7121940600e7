"""The outbox: taken in by COPY, claimed in order, settled in one statement a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, exists, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx

from ..model import Pending
from ..tables import target_outbox, target_samples, targets

CHANNEL = "moorage_outbox"
_COPY = (
    "COPY target_outbox (target_id, route_id, device, key, content, enqueued_at, day, attempts)"
    " FROM STDIN (FORMAT BINARY)"
)
_TYPES = ["uuid", "uuid", "int4", "uuid", "bytea", "timestamptz", "date", "int4"]
_CLAIM = text(
    "SELECT n, route_id, device, key, content, enqueued_at, day, attempts FROM target_outbox"
    " WHERE target_id = :target AND n > :after AND n <= :upto AND NOT device = ANY(:without)"
    " ORDER BY n LIMIT :limit"
)
_CLAIM_DEVICES = text(
    "SELECT n, route_id, device, key, content, enqueued_at, day, attempts FROM target_outbox"
    " WHERE target_id = :target AND n > :after AND n <= :upto AND device = ANY(:only)"
    " ORDER BY n LIMIT :limit"
)
_SETTLE = (
    b"WITH gone AS (DELETE FROM target_outbox WHERE target_id = %(target)s AND n = ANY(%(ns)s)"
    b" RETURNING n) SELECT array_agg(n) FROM gone"
)
# Finds by halves the first row from an instant on, as `enqueued_at` follows `n`.
_WAITING = text(
    "WITH RECURSIVE halves(low, high) AS ("
    " SELECT min(n), max(n) FROM target_outbox WHERE target_id = :target"
    " UNION ALL"
    " SELECT CASE WHEN at.enqueued_at < :since THEN at.n + 1 ELSE low END,"
    "  CASE WHEN at.enqueued_at < :since THEN high ELSE (low + high) / 2 END"
    " FROM halves CROSS JOIN LATERAL ("
    "  SELECT n, enqueued_at FROM target_outbox"
    "  WHERE target_id = :target AND n >= (low + high) / 2 ORDER BY n LIMIT 1"
    " ) at WHERE low < high"
    "), looked AS ("
    " SELECT device, key, enqueued_at FROM target_outbox"
    " WHERE target_id = :target AND n >= (SELECT max(low) FROM halves) ORDER BY n LIMIT :most"
    ") SELECT min(enqueued_at) FROM looked WHERE device = :device AND key = ANY(:keys)"
)
# Clocks differ a little, and a transaction's begins before its lock.
_SLACK = timedelta(seconds=5)
LOOKED_AT = 50_000
END = 2**63 - 1


class Entry(NamedTuple):
    """One row to be put into the outbox."""

    target_id: UUID
    route_id: UUID
    device: int
    key: UUID
    content: bytes
    enqueued_at: datetime
    day: date
    attempts: int = 0


async def lock_outbox(tx: Tx) -> None:
    """Let one transaction at a time put rows in, so that `n` follows the order of commits."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('moorage.target_outbox'))")


async def enqueue(tx: Tx, entries: Sequence[Entry]) -> None:
    """Put rows in, and ring for their targets; `lock_outbox` goes before."""
    driver = tx.driver
    async with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for entry in entries:
            await copy.write_row(entry)
    names = ",".join(sorted({entry.target_id.hex for entry in entries}))
    await tx.execute(
        "SELECT pg_notify(:channel, :names)",
        {"channel": CHANNEL, "names": names if len(names) < 7000 else ""},
    )


async def claim(
    tx: Tx,
    target_id: UUID,
    *,
    after: int,
    upto: int = END,
    limit: int,
    without: Sequence[int] = (),
    only: Sequence[int] | None = None,
) -> list[Pending]:
    """Read what waits for a target, in order; who calls holds the target's lock.

    `n` lies above `after`, and at most at `upto`. Devices in `without` are left out; with `only`
    given there is nothing but these devices.
    """
    bounds = {"target": target_id, "after": after, "upto": upto, "limit": limit}
    if only is None:
        rows = await tx.execute(_CLAIM, bounds | {"without": list(without)})
    else:
        rows = await tx.execute(_CLAIM_DEVICES, bounds | {"only": list(only)})
    return [Pending(**row) for row in rows.mappings()]


async def settle(tx: Tx, target_id: UUID, ns: Sequence[int]) -> set[int]:
    """Take rows out, and tell which there were.

    What another deliverer took out meanwhile is not told again.
    """
    found = await tx.run(_SETTLE, {"target": target_id, "ns": list(ns)})
    row = await found.fetchone()
    return set(row[0]) if row and row[0] else set()


async def mark_failed(tx: Tx, target_id: UUID, attempts: Mapping[int, int]) -> None:
    """Note how many attempts rows have had."""
    await tx.execute(
        update(target_outbox)
        .where(target_outbox.c.target_id == target_id, target_outbox.c.n == bindparam("row_n"))
        .values(attempts=bindparam("tried")),
        [{"row_n": n, "tried": tried} for n, tried in attempts.items()],
    )


async def waiting_since(
    tx: Tx, target_id: UUID, device: int, keys: Sequence[UUID], since: datetime
) -> datetime | None:
    """Tell since when one of a device's deliveries waits that entered from an instant on.

    The next 50,000 rows from there are looked at.
    """
    found: datetime | None = (
        await tx.execute(
            _WAITING,
            {
                "target": target_id, "device": device, "keys": list(keys),
                "since": since - _SLACK, "most": LOOKED_AT,
            },
        )
    ).scalar_one()  # fmt: skip
    return found


async def due_targets(tx: Tx, among: Iterable[UUID] | None = None) -> list[UUID]:
    """Tell for which targets something waits that may be delivered."""
    query = select(targets.c.id).where(
        ~targets.c.paused, exists().where(target_outbox.c.target_id == targets.c.id)
    )
    if among is not None:
        query = query.where(targets.c.id.in_(list(among)))
    return list((await tx.execute(query)).scalars())


# --- Sampling -------------------------------------------------------------


async def load_samples(
    tx: Tx, pairs: Sequence[tuple[UUID, int]]
) -> dict[tuple[UUID, int], tuple[int, int]]:
    """Read, for (route, device), how many messages were seen and when the last one passed."""
    rows = await tx.execute(
        select(target_samples).where(
            tuple_(target_samples.c.route_id, target_samples.c.device).in_(pairs)
        )
    )
    return {(row.route_id, row.device): (row.seen, row.passed_us) for row in rows}


async def put_samples(tx: Tx, states: Mapping[tuple[UUID, int], tuple[int, int]]) -> None:
    """Write what `load_samples` reads."""
    statement = insert(target_samples)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["route_id", "device"],
            set_={"seen": statement.excluded.seen, "passed_us": statement.excluded.passed_us},
        ),
        [
            {"route_id": route, "device": device, "seen": seen, "passed_us": passed}
            for (route, device), (seen, passed) in states.items()
        ],
    )
