"""The latest state of each device."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import select

from moorage.kit.db import Tx

from ..model import Latest, State
from ..tables import latest
from .copying import COPY_HEAD, COPY_TAIL, EPOCH_2000_US, from_us, to_us

_json = msgspec.json.Encoder()


class LatestRow(msgspec.Struct, array_like=True, gc=False):
    """One device's latest state; `state` is {series: [value, at_us, unit]}."""

    device: int
    received_us: int
    message_count: int
    dropped_series: int
    state: dict[str, list[Any]]


async def read_latest(tx: Tx, devices: Sequence[int]) -> dict[int, LatestRow]:
    """Read the latest state of devices."""
    rows = await tx.execute(select(latest).where(latest.c.device.in_(devices)))
    return {
        r.device: LatestRow(
            r.device, to_us(r.received_at), r.message_count, r.dropped_series, r.state
        )
        for r in rows
    }


_LATEST_ROW = struct.Struct(">hiiiqiqii")


async def put_latest(tx: Tx, rows: Sequence[LatestRow]) -> None:
    """Replace the latest state of devices: COPY into a temporary table, then one upsert."""
    parts = [COPY_HEAD]
    for row in rows:
        # jsonb's binary form is its text after a version byte.
        state = b"\x01" + _json.encode(row.state)
        parts.append(
            _LATEST_ROW.pack(
                5, 4, row.device, 8, row.received_us - EPOCH_2000_US, 8, row.message_count,
                4, row.dropped_series,
            )
        )  # fmt: skip
        parts.append(len(state).to_bytes(4, "big"))
        parts.append(state)
    parts.append(COPY_TAIL)
    driver = await tx.driver()
    async with driver.cursor() as cursor:
        await cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS latest_in "
            "(LIKE telemetry_latest) ON COMMIT DELETE ROWS"
        )
        async with cursor.copy("COPY latest_in FROM STDIN (FORMAT binary)") as copy:
            await copy.write(b"".join(parts))
        await cursor.execute(
            "INSERT INTO telemetry_latest SELECT * FROM latest_in ORDER BY device "
            "ON CONFLICT (device) DO UPDATE SET received_at = EXCLUDED.received_at, "
            "message_count = EXCLUDED.message_count, dropped_series = EXCLUDED.dropped_series, "
            "state = EXCLUDED.state",
            prepare=True,
        )


async def get_state(tx: Tx, device: int) -> State:
    """Read a device's latest state; empty if it never sent anything."""
    row = (await read_latest(tx, [device])).get(device)
    if row is None:
        return State(None, 0, ())
    return _state(row)


def _state(row: LatestRow) -> State:
    values = tuple(
        Latest(name, value, from_us(at_us), unit)
        for name, (value, at_us, unit) in sorted(row.state.items())
    )
    return State(from_us(row.received_us), row.message_count, values)


async def get_states(tx: Tx, devices: Sequence[int]) -> dict[int, State]:
    """Read the latest states of several devices."""
    return {number: _state(row) for number, row in (await read_latest(tx, devices)).items()}
