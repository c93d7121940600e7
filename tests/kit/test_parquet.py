"""Parquet as an independent reader (DuckDB) reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from moorage.kit.parquet import Kind, ParquetWriter

COLUMNS = {
    "name": Kind.TEXT, "at": Kind.INSTANT, "number": Kind.NUMBER, "flag": Kind.BOOLEAN,
}  # fmt: skip
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START = datetime(2026, 3, 29, tzinfo=UTC)


def a_row(i: int) -> tuple[Any, ...]:
    return (
        f"måler {i}" if i % 3 else None,
        START + timedelta(microseconds=i),
        i / 7 if i % 2 else None,
        None if i % 5 == 0 else i % 4 == 0,
    )


def test_what_was_written_in_pieces_is_read_whole(tmp_path: Path) -> None:
    rows = [a_row(i) for i in range(1001)]
    writer = ParquetWriter(COLUMNS)
    file = tmp_path / "rows.parquet"
    pieces = [writer.begin(), writer.group(rows[:400]), writer.group(rows[400:]), writer.end()]
    file.write_bytes(b"".join(pieces))

    with duckdb.connect() as reader:
        found = reader.read_parquet(str(file))
        assert found.columns == list(COLUMNS)
        assert [str(one) for one in found.types] == [
            "VARCHAR", "TIMESTAMP WITH TIME ZONE", "DOUBLE", "BOOLEAN",
        ]  # fmt: skip
        read = found.project('name, epoch_us("at"), number, flag').fetchall()
    since = [(at - EPOCH) // timedelta(microseconds=1) for _name, at, _x, _flag in rows]
    assert read == [(n, us, x, b) for (n, _at, x, b), us in zip(rows, since, strict=True)]


def test_a_file_without_rows_is_a_table_too(tmp_path: Path) -> None:
    writer = ParquetWriter(COLUMNS)
    file = tmp_path / "empty.parquet"
    file.write_bytes(writer.begin() + writer.end())

    with duckdb.connect() as reader:
        assert reader.read_parquet(str(file)).fetchall() == []
