"""The only SQL of readings."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec
from sqlalchemy import ARRAY, Integer, delete, func, literal, select, true
from sqlalchemy.dialects.postgresql import insert

from moorage.kit import pages
from moorage.kit.db import Tx

from .model import Flag, Latest, MessageRow, Quality, Row, Shape, State, Value, Window
from .tables import history, latest, shapes

# PostgreSQL counts microseconds from 2000-01-01.
EPOCH_2000_US = 946_684_800_000_000
_COPY_HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_COPY_TAIL = b"\xff\xff"
# Field count, then length and value of each: at, n, device, shape, partition, flags, values.
_ROW = struct.Struct(">hiqiqiiiiihihi")
_json = msgspec.json.Encoder()

NO_SHAPE = Shape(0, (), "", ())


class HistoryRow(msgspec.Struct, array_like=True, gc=False):
    """One row to keep; `values` as `pack_values` made them."""

    at_us: int
    n: int
    device: int
    shape: int
    flags: int
    values: bytes


class LatestRow(msgspec.Struct, array_like=True, gc=False):
    """One device's latest state; `state` is {series: [value, at_us, unit]}."""

    device: int
    received_us: int
    message_count: int
    dropped_series: int
    state: dict[str, list[Any]]


# --- Packing --------------------------------------------------------------


def kind_of(value: Value) -> str:
    """Give the letter of a value's kind."""
    if isinstance(value, bool):
        return "b"
    return "t" if isinstance(value, str) else "f"


def packer(kinds: str) -> struct.Struct | None:
    """Give the struct that packs values of these kinds in one call; None where texts are in."""
    if "t" in kinds:
        return None
    return struct.Struct("<" + kinds.replace("f", "d").replace("b", "?"))


def pack_values(kinds: str, values: Iterable[Value]) -> bytes:
    """Pack values in order: float64 little-endian, booleans a byte, texts with their length."""
    out = bytearray()
    for kind, value in zip(kinds, values, strict=True):
        if kind == "f":
            out += struct.pack("<d", value)
        elif kind == "b":
            out.append(bool(value))
        else:
            text = str(value).encode()
            out += struct.pack("<H", len(text)) + text
    return bytes(out)


def unpack_values(kinds: str, packed: bytes) -> list[Value]:
    """Undo `pack_values`."""
    if (whole := packer(kinds)) is not None:
        return list(whole.unpack(packed))
    values: list[Value] = []
    at = 0
    for kind in kinds:
        if kind == "f":
            values.append(struct.unpack_from("<d", packed, at)[0])
            at += 8
        elif kind == "b":
            values.append(bool(packed[at]))
            at += 1
        else:
            (length,) = struct.unpack_from("<H", packed, at)
            values.append(packed[at + 2 : at + 2 + length].decode())
            at += 2 + length
    return values


# --- Writing --------------------------------------------------------------


async def add_shape(tx: Tx, names: Sequence[str], kinds: str, units: Sequence[str | None]) -> int:
    """Find or make the id of a shape."""
    digest = hashlib.sha256(_json.encode([names, kinds, units])).digest()
    query = select(shapes.c.id).where(shapes.c.digest == digest)
    found: int | None = (await tx.execute(query)).scalar_one_or_none()
    if found is not None:
        return found
    await tx.execute(
        insert(shapes)
        .values(digest=digest, names=list(names), kinds=kinds, units=list(units))
        .on_conflict_do_nothing()
    )
    made: int = (await tx.execute(query)).scalar_one()
    return made


async def get_shapes(tx: Tx, ids: Iterable[int]) -> dict[int, Shape]:
    """Read shapes by id."""
    rows = await tx.execute(select(shapes).where(shapes.c.id.in_(list(ids))))
    found = {r.id: Shape(r.id, tuple(r.names), r.kinds, tuple(r.units)) for r in rows}
    found[0] = NO_SHAPE
    return found


async def add_history(tx: Tx, partition: int, rows: Sequence[HistoryRow]) -> None:
    """Append rows with one binary COPY; their days must exist."""
    parts = [_COPY_HEAD]
    pack = _ROW.pack
    for row in rows:
        values = row.values
        parts.append(
            pack(
                7, 8, row.at_us - EPOCH_2000_US, 8, row.n, 4, row.device, 4, row.shape,
                2, partition, 2, row.flags, len(values),
            )
        )  # fmt: skip
        parts.append(values)
    parts.append(_COPY_TAIL)
    driver = await tx.driver()
    async with (
        driver.cursor() as cursor,
        cursor.copy(
            "COPY telemetry_history (at, n, device, shape, partition, flags, values) "
            "FROM STDIN (FORMAT binary)"
        ) as copy,
    ):
        await copy.write(b"".join(parts))


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
    parts = [_COPY_HEAD]
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
    parts.append(_COPY_TAIL)
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


# --- Reading --------------------------------------------------------------


def to_us(at: datetime) -> int:
    """Give an instant in microseconds since 1970."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def from_us(us: int) -> datetime:
    """Give the instant of microseconds since 1970."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).replace(microsecond=us % 1_000_000)


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


async def read_hot(tx: Tx, devices: Sequence[int], window: Window) -> list[tuple[int, Row]]:
    """Read rows of the hot tier, by device and time, at most one more than the limit."""
    rows = (
        await tx.execute(
            select(
                history.c.device,
                history.c.at,
                history.c.shape,
                history.c.flags,
                history.c["values"],
            )
            .where(
                history.c.device.in_(devices),
                history.c.at >= window.start,
                history.c.at < window.end,
                history.c.shape != 0,
            )
            .order_by(history.c.device, history.c.at)
            .limit(window.limit + 1)
        )
    ).all()
    known = await get_shapes(tx, {r.shape for r in rows})
    wanted = frozenset(window.series)
    found = []
    for device, at, shape_id, flags, packed in map(tuple, rows):
        shape = known[shape_id]
        values = dict(zip(shape.names, unpack_values(shape.kinds, packed), strict=True))
        units = {n: u for n, u in zip(shape.names, shape.units, strict=True) if u is not None}
        if wanted:
            values = {k: v for k, v in values.items() if k in wanted}
            if not values:
                continue
        quality = Quality.CLOCK if flags & Flag.CLOCK else Quality.GOOD
        found.append((device, Row(at, values, units, quality)))
    return found


async def list_messages(
    tx: Tx, device: int, asked: pages.PageRequest, *, problems_only: bool
) -> pages.Page[MessageRow]:
    """Read a page of a device's messages, newest first."""
    query = select(
        history.c.partition,
        history.c.n,
        history.c.at,
        history.c.flags,
        history.c.shape,
        history.c["values"],
    ).where(history.c.device == device, history.c.flags.bitwise_and(int(Flag.FURTHER)) == 0)
    if problems_only:
        query = query.where(history.c.flags.bitwise_and(int(Flag.PROBLEM)) != 0)
    found = await pages.page(
        tx, query, asked, sorts={"at": history.c.at}, default="-at", key=history.c.n, read=tuple
    )
    known = await get_shapes(tx, {r[4] for r in found.items})
    return pages.Page([_message(r, known) for r in found.items], found.next, found.total)


def _message(row: tuple[Any, ...], known: Mapping[int, Shape]) -> MessageRow:
    partition, n, at, flags, shape_id, packed = row[:6]
    shape = known[shape_id]
    values = dict(zip(shape.names, unpack_values(shape.kinds, packed), strict=True))
    return MessageRow(partition, n, at, bool(flags & Flag.PROBLEM), values)


async def find_message(tx: Tx, device: int, partition: int, n: int) -> MessageRow | None:
    """Find one message of a device."""
    row = (
        await tx.execute(
            select(
                history.c.partition,
                history.c.n,
                history.c.at,
                history.c.flags,
                history.c.shape,
                history.c["values"],
            )
            .where(
                history.c.device == device,
                history.c.n == n,
                history.c.partition == partition,
                history.c.flags.bitwise_and(int(Flag.FURTHER)) == 0,
            )
            .limit(1)
        )
    ).one_or_none()
    if row is None:
        return None
    known = await get_shapes(tx, {row.shape})
    return _message(tuple(row), known)


async def last_places(tx: Tx, numbers: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Give (partition, n) of each device's newest message."""
    numbers_ = func.unnest(literal(list(numbers), ARRAY(Integer))).column_valued("number")
    last = (
        select(history.c.partition, history.c.n)
        .where(history.c.device == numbers_)
        .order_by(history.c.at.desc())
        .limit(1)
        .lateral()
    )
    rows = await tx.execute(select(numbers_, last.c.partition, last.c.n).join(last, true()))
    return {row.number: (row.partition, row.n) for row in rows}


async def newest_places(tx: Tx, device: int, count: int) -> list[tuple[int, int]]:
    """Give (partition, n) of a device's newest messages."""
    rows = await tx.execute(
        select(history.c.partition, history.c.n)
        .where(history.c.device == device)
        .order_by(history.c.at.desc())
        .limit(count)
    )
    return [(r.partition, r.n) for r in rows]


async def forget_before(tx: Tx, devices: Sequence[int], day: date) -> int:
    """Delete hot rows of devices before a day; give how many."""
    result = await tx.execute(
        delete(history).where(history.c.device.in_(devices), history.c.at < day)
    )
    return result.rowcount
