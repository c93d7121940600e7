"""Exports of readings: CSV, JSON lines and Parquet, written batch by batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from moorage.kit.exports import NDJSON, PARQUET, cell, table
from moorage.kit.parquet import Kind, ParquetWriter

from ..model import DeviceRow, Value

_json = msgspec.json.Encoder().encode
_LONG = ("deviceId", "device", "at", "series", "value", "unit", "quality")
# A value stands in the column of its kind.
_COLUMNS = {
    "device_id": Kind.TEXT,
    "device": Kind.TEXT,
    "at": Kind.INSTANT,
    "series": Kind.TEXT,
    "number": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
    "text": Kind.TEXT,
    "unit": Kind.TEXT,
    "quality": Kind.TEXT,
}
_Batches = AsyncIterator[Sequence[DeviceRow]]


def tables_of(
    form: str, batches: _Batches, series: Mapping[str, str | None] | None
) -> AsyncIterator[bytes]:
    """Write an export; `series` with their units make a CSV of one device, a column each."""
    if form == PARQUET:
        return _parquet(batches)
    if form == NDJSON:
        return _lines(batches)
    return _long(batches) if series is None else _wide(batches, series)


async def _wide(batches: _Batches, series: Mapping[str, str | None]) -> AsyncIterator[bytes]:
    titles = [f"{name} ({unit})" if unit else name for name, unit in series.items()]
    yield table([["at", "quality", *map(cell, titles)]])
    async for rows in batches:
        yield table(
            [_text(row), row.quality.value, *(cell(row.values.get(name, "")) for name in series)]
            for row in rows
        )


async def _long(batches: _Batches) -> AsyncIterator[bytes]:
    yield table([_LONG])
    async for rows in batches:
        yield table(
            (row.device_id, cell(row.device_name), _text(row), cell(name), cell(value),
             row.units.get(name), row.quality.value)
            for row in rows for name, value in row.values.items()
        )  # fmt: skip


async def _lines(batches: _Batches) -> AsyncIterator[bytes]:
    async for rows in batches:
        yield b"".join(
            _json(
                {
                    "deviceId": row.device_id,
                    "deviceName": row.device_name,
                    "at": _text(row),
                    "values": row.values,
                    "units": {name: unit for name, unit in row.units.items() if name in row.values},
                    "quality": row.quality.value,
                }
            )
            + b"\n"
            for row in rows
        )


async def _parquet(batches: _Batches) -> AsyncIterator[bytes]:
    writer = ParquetWriter(_COLUMNS)
    yield writer.begin()
    async for rows in batches:
        lines = [
            (str(row.device_id), row.device_name, row.at, name, *_kinds(value),
             row.units.get(name), row.quality.value)
            for row in rows for name, value in row.values.items()
        ]  # fmt: skip
        if lines:
            yield writer.group(lines)
    yield writer.end()


def _kinds(value: Value) -> tuple[float | None, bool | None, str | None]:
    if isinstance(value, bool):
        return None, value, None
    return (None, None, value) if isinstance(value, str) else (float(value), None, None)


def _text(row: DeviceRow) -> str:
    return row.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
