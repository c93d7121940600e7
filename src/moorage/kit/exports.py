"""Lists as downloads of any length: CSV, JSON lines and Parquet, written batch by batch."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

from fastapi.responses import StreamingResponse

from moorage.kit.db import to_json
from moorage.kit.http import Out
from moorage.kit.parquet import Kind, ParquetWriter

CSV: Final = "text/csv"
NDJSON: Final = "application/x-ndjson"
PARQUET: Final = "application/vnd.apache.parquet"
_SUFFIXES: Final = {CSV: "csv", NDJSON: "ndjson", PARQUET: "parquet"}
# What a route that offers downloads tells of them.
DOWNLOADS: Final[dict[str, Any]] = {form: {"schema": {"type": "string"}} for form in _SUFFIXES}
# A spreadsheet runs a cell that begins like this as a formula.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_KINDS: Final = {"boolean": Kind.BOOLEAN, "integer": Kind.NUMBER, "number": Kind.NUMBER}


def download(form: str, name: str, pieces: AsyncIterator[bytes]) -> StreamingResponse:
    """Answer with a file of a media type of `DOWNLOADS`, written as it is read."""
    return StreamingResponse(
        pieces,
        media_type=form,
        headers={"Content-Disposition": f'attachment; filename="{name}.{_SUFFIXES[form]}"'},
    )


def written(
    form: str, shown: type[Out], batches: AsyncIterator[Sequence[Any]]
) -> AsyncIterator[bytes]:
    """Write things as a list shows them, a row each; what lies within is JSON in a table."""
    if form == NDJSON:
        return _lines(shown, batches)
    return _csv(shown, batches) if form == CSV else _parquet(shown, batches)


async def _lines(shown: type[Out], batches: AsyncIterator[Sequence[Any]]) -> AsyncIterator[bytes]:
    async for batch in batches:
        lines = (shown.model_validate(one).model_dump_json(by_alias=True) for one in batch)
        yield "".join(f"{line}\n" for line in lines).encode()


async def _csv(shown: type[Out], batches: AsyncIterator[Sequence[Any]]) -> AsyncIterator[bytes]:
    columns = list(columns_of(shown))
    yield table([columns])
    async for batch in batches:
        rows = (shown.model_validate(o).model_dump(mode="json", by_alias=True) for o in batch)
        yield table([cell(_flat(row[column])) for column in columns] for row in rows)


async def _parquet(shown: type[Out], batches: AsyncIterator[Sequence[Any]]) -> AsyncIterator[bytes]:
    columns = columns_of(shown)
    writer = ParquetWriter(columns)
    yield writer.begin()
    async for batch in batches:
        rows = []
        for one in batch:
            whole = shown.model_validate(one)
            instants = whole.model_dump(by_alias=True)
            texts = whole.model_dump(mode="json", by_alias=True)
            rows.append([
                instants[name] if kind is Kind.INSTANT else _flat(texts[name])
                for name, kind in columns.items()
            ])  # fmt: skip
        if rows:
            yield writer.group(rows)
    yield writer.end()


def columns_of(shown: type[Out]) -> dict[str, Kind]:
    """Name the columns of a table of `shown`, with what they hold."""
    return {
        name: _kind_of(schema)
        for name, schema in shown.model_json_schema(by_alias=True)["properties"].items()
    }


def _kind_of(schema: dict[str, Any]) -> Kind:
    # Next to null there is one type; of several a column holds the text.
    types = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    if len(types) != 1:
        return Kind.TEXT
    if types[0].get("format") == "date-time":
        return Kind.INSTANT
    return _KINDS.get(types[0].get("type", ""), Kind.TEXT)


def _flat(value: Any) -> Any:
    return to_json(value) if isinstance(value, dict | list) else value


def table(rows: Iterable[Iterable[Any]]) -> bytes:
    """Write rows as CSV (RFC 4180)."""
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def cell(value: Any) -> Any:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
