"""Cursor pages: keyset paging over any statement."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_

from moorage.kit.db import Tx
from moorage.kit.errors import CursorInvalid, FieldInvalid

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a caller asks of a list: how many, after what, in which order, with the total or not."""

    limit: int = 50
    after: str | None = None
    sort: str | None = None
    total: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, the cursor of the next page if there is one, and the total if asked for."""

    items: list[T]
    next: str | None = None
    total: int | None = None


def encode_cursor(values: Sequence[Any]) -> str:
    """Pack sort values into an opaque text."""
    packed = msgspec.msgpack.encode([_flat(v) for v in values])
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_cursor(cursor: str, length: int) -> list[Any]:
    """Unpack a cursor of `length` values. Raises CursorInvalid."""
    try:
        values = msgspec.msgpack.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        values = [_deep(v) for v in values]
    except (ValueError, TypeError, msgspec.DecodeError) as wrong:
        raise CursorInvalid from wrong
    if len(values) != length:
        raise CursorInvalid
    return values


def _flat(value: Any) -> Any:
    if isinstance(value, datetime):
        return ["t", int(value.timestamp() * 1_000_000)]
    if isinstance(value, UUID):
        return ["u", value.bytes]
    return value


def _deep(value: Any) -> Any:
    if isinstance(value, list):
        kind, raw = value
        if kind == "t":
            return datetime.fromtimestamp(raw // 1_000_000, UTC).replace(
                microsecond=raw % 1_000_000
            )
        return UUID(bytes=raw)
    return value


async def page(
    tx: Tx,
    statement: Select[Any],
    asked: PageRequest,
    *,
    sorts: Mapping[str, ColumnElement[Any]],
    default: str,
    key: ColumnElement[Any],
    read: Callable[[Any], T],
    counted: Select[Any] | None = None,
) -> Page[T]:
    """Run `statement` for one page.

    Args:
        tx: the transaction.
        statement: everything the caller may see, unordered.
        asked: the page asked for.
        sorts: the orders offered, by the name clients use; columns must not be null
            (coalesce what may be).
        default: the order when none is asked for, such as `-createdAt`.
        key: a unique column that settles ties.
        read: makes a frozen value of a row.
        counted: what has as many rows as `statement` and is counted sooner.

    Raises:
        FieldInvalid: the order is not offered.
        CursorInvalid: the cursor belongs elsewhere.
    """
    name = asked.sort or default
    column = sorts.get(name.removeprefix("-"))
    if column is None:
        raise FieldInvalid(
            "/sort",
            "must be one of " + ", ".join(sorted(sorts)) + ", with - in front for descending.",
        )
    descending = name.startswith("-")
    query = statement.add_columns(column.label("_sort"), key.label("_key"))
    if asked.after is not None:
        value, last = decode_cursor(asked.after, 2)
        # Compared as a row, so that an index on both columns is entered at the right place.
        here = tuple_(column, key)
        last_seen = tuple_(literal(value, column.type), literal(last, key.type))
        query = query.where(here < last_seen if descending else here > last_seen)
    order = (column.desc(), key.desc()) if descending else (column.asc(), key.asc())
    rows = (await tx.execute(query.order_by(*order).limit(asked.limit + 1))).all()
    more = len(rows) > asked.limit
    rows = rows[: asked.limit]
    total = None
    if asked.total:
        everything = statement if counted is None else counted
        count = select(func.count()).select_from(everything.order_by(None).subquery())
        total = (await tx.execute(count)).scalar_one()
    cursor = encode_cursor([rows[-1]._sort, rows[-1]._key]) if more else None
    return Page([read(row) for row in rows], cursor, total)
