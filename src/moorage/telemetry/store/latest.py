"""The latest state of each device."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ARRAY, Integer, bindparam, func, select

from moorage.kit.copying import from_us, to_us
from moorage.kit.db import Tx

from ..model import Latest, State
from ..tables import latest
from .renewal import newest_values

_json = msgspec.json.Encoder()


class LatestRow(msgspec.Struct, array_like=True, gc=False):
    """One device's latest state; `state` is {series: [value, at_us, unit]}."""

    device: int
    received_us: int
    message_count: int
    dropped_series: int
    state: dict[str, list[Any]]


_OF = select(latest).where(latest.c.device == func.any(bindparam("devices", type_=ARRAY(Integer))))


async def read_latest(tx: Tx, devices: Sequence[int]) -> dict[int, LatestRow]:
    """Read the latest state of devices."""
    rows = await tx.execute(_OF, {"devices": list(devices)})
    return {
        r.device: LatestRow(
            r.device, to_us(r.received_at), r.message_count, r.dropped_series, r.state
        )
        for r in rows
    }


# In the order of devices, so that two that write the same ones cannot wait for each other.
_PUT = b"""
INSERT INTO telemetry_latest (device, received_at, message_count, dropped_series, state)
SELECT (r -> 0)::integer, timestamptz 'epoch' + (r -> 1)::bigint * interval '1 microsecond',
       (r -> 2)::bigint, (r -> 3)::integer, r -> 4
FROM jsonb_array_elements(convert_from(%(rows)s, 'UTF8')::jsonb) AS r
ORDER BY 1
ON CONFLICT (device) DO UPDATE SET received_at = EXCLUDED.received_at,
    message_count = EXCLUDED.message_count, dropped_series = EXCLUDED.dropped_series,
    state = EXCLUDED.state
"""


async def put_latest(tx: Tx, rows: Sequence[LatestRow]) -> None:
    """Replace the latest state of devices, in one statement."""
    await tx.run(_PUT, {"rows": _json.encode(rows)})


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
    return State(from_us(row.received_us), row.message_count, values, row.dropped_series)


async def states_at(tx: Tx, devices: Sequence[int], at: datetime) -> dict[int, State]:
    """Read the values that were the latest ones at an instant, by the time of the readings."""
    at_us = to_us(at)
    present = await read_latest(tx, devices)
    later = {
        number: [name for name, entry in row.state.items() if entry[1] > at_us]
        for number, row in present.items()
    }
    found = await newest_values(tx, later, at)
    states = {}
    for number, row in present.items():
        entries = {name: e for name, e in row.state.items() if e[1] <= at_us} | found[number]
        values = tuple(
            Latest(name, value, from_us(value_us), unit)
            for name, (value, value_us, unit) in sorted(entries.items())
        )
        states[number] = State(None, None, values, None)
    return states


async def get_states(tx: Tx, devices: Sequence[int]) -> dict[int, State]:
    """Read the latest states of several devices."""
    return {number: _state(row) for number, row in (await read_latest(tx, devices)).items()}
