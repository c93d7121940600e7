"""Receipts: a row a settled delivery, by day; written by COPY, read by target or by message."""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, delete, literal_column, select, tuple_

from moorage.kit import pages
from moorage.kit.copying import COPY_HEAD, COPY_TAIL, EPOCH_2000_US, to_us
from moorage.kit.db import Tx
from moorage.kit.errors import CursorInvalid

from ..model import Pending, Reason, Receipt, ReceiptOutcome, Result, WantedReceipts
from ..tables import target_receipts, targets
from .outbox import Entry

TABLE = target_receipts.name
# What one question for rare receipts looks at.
LOOKED_AT = 20_000
LONGEST_DETAIL = 200
_REASONS = (None, Reason.REFUSED, Reason.ATTEMPTS, Reason.AGE, Reason.DECODER)
_CODES = {reason: code for code, reason in enumerate(_REASONS)}
_COPY = (
    "COPY target_receipts (at, target_id, message_id, key, device, day, outcome, attempts, status,"
    " detail) FROM STDIN (FORMAT binary)"
)
# Field count, then length and value of each but `status` and `detail`.
_ROW = struct.Struct(">hiqi16si16si16siiiiihih")
_STATUS = struct.Struct(">ii")
_NO_STATUS = struct.pack(">i", -1)
_LENGTH = struct.Struct(">i")
_DAY_2000 = date(2000, 1, 1).toordinal()
_MOST_ATTEMPTS = 2**15 - 1


class _Head(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a `Content`; the rest of it is skipped."""

    message_id: str


_head = msgspec.msgpack.Decoder(_Head).decode

# When, the row settled, the number of the attempt, why it was given up, and the answer.
Settlement = tuple[datetime, Pending | Entry, int, Reason | None, Result]


async def add_receipts(tx: Tx, target_id: UUID, settled: Sequence[Settlement]) -> None:
    """Write receipts with one binary COPY; their days must exist."""
    parts = [COPY_HEAD]
    for at, row, attempts, reason, result in settled:
        detail = result.detail[:LONGEST_DETAIL].encode()
        parts += (
            _ROW.pack(
                10, 8, to_us(at) - EPOCH_2000_US, 16, target_id.bytes,
                16, UUID(_head(row.content).message_id).bytes, 16, row.key.bytes,
                4, row.device, 4, row.day.toordinal() - _DAY_2000, 2, _CODES[reason],
                2, min(attempts, _MOST_ATTEMPTS),
            ),
            _NO_STATUS if result.status is None else _STATUS.pack(4, result.status),
            _LENGTH.pack(len(detail)),
            detail,
        )  # fmt: skip
    parts.append(COPY_TAIL)
    driver = tx.driver
    async with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        await copy.write(b"".join(parts))


async def with_receipts(tx: Tx, target_ids: Collection[UUID]) -> set[UUID]:
    """Tell which targets keep receipts."""
    query = select(targets.c.id).where(targets.c.id.in_(target_ids), targets.c.receipt_days > 0)
    return set((await tx.execute(query)).scalars())


def _receipt(row: Any) -> Receipt:
    values = {c.name: getattr(row, c.name) for c in target_receipts.c}
    reason = values["reason"] = _REASONS[row.outcome]
    values["outcome"] = ReceiptOutcome.DEAD if reason else ReceiptOutcome.ACCEPTED
    return Receipt(**values)


async def list_receipts(
    tx: Tx,
    target_id: UUID,
    wanted: WantedReceipts,
    *,
    device: int | None = None,
    limit: int,
    after: str | None = None,
    oldest_first: bool = False,
) -> pages.Page[Receipt]:
    """Read a page of a target's receipts, newest first unless `oldest_first`.

    So much is looked at per question: a page may be short, even empty, and still have a next one.

    Raises:
        CursorInvalid.
    """
    columns = target_receipts.c
    conditions = [columns.target_id == target_id]
    if wanted.start is not None:
        conditions.append(columns.at >= wanted.start)
    if wanted.end is not None:
        conditions.append(columns.at < wanted.end)
    if wanted.message_id is not None:
        conditions.append(columns.message_id == wanted.message_id)
    if wanted.outcome is ReceiptOutcome.DEAD or wanted.reason is not None:
        conditions.append(columns.outcome > literal_column("0"))
    if after is not None:
        conditions += _beyond(after, oldest_first=oldest_first)
    order = [c.asc() if oldest_first else c.desc() for c in (columns.at, columns.key)]
    looked = select(target_receipts).where(*conditions).order_by(*order).limit(LOOKED_AT)
    inner = looked.subquery()
    chosen: list[ColumnElement[bool]] = []
    if device is not None:
        chosen.append(inner.c.device == device)
    if wanted.outcome is ReceiptOutcome.ACCEPTED:
        chosen.append(inner.c.outcome == 0)
    if wanted.reason is not None:
        chosen.append(inner.c.outcome == _CODES[wanted.reason])
    shown = [c.asc() if oldest_first else c.desc() for c in (inner.c.at, inner.c.key)]
    query = select(inner).where(*chosen).order_by(*shown).limit(limit + 1)
    found = [_receipt(row) for row in await tx.execute(query)]
    if len(found) > limit:
        found = found[:limit]
        return pages.Page(found, pages.encode_cursor([found[-1].at, found[-1].key]))
    if not chosen:
        return pages.Page(found)
    last = (await tx.execute(looked.offset(LOOKED_AT - 1).limit(1))).one_or_none()
    return pages.Page(found, None if last is None else pages.encode_cursor([last.at, last.key]))


def _beyond(after: str, *, oldest_first: bool) -> list[ColumnElement[bool]]:
    """Give what holds for receipts after a cursor; the first bound leaves out whole days."""
    at, key = pages.decode_cursor(after, 2)
    if not isinstance(at, datetime) or not isinstance(key, UUID):
        raise CursorInvalid
    columns = target_receipts.c
    here, there = tuple_(columns.at, columns.key), tuple_(at, key)
    if oldest_first:
        return [columns.at >= at, here > there]
    return [columns.at <= at, here < there]


async def receipts_of(tx: Tx, message_id: UUID, since: datetime) -> list[Receipt]:
    """Read the receipts of a message at all targets from an instant on, the oldest first."""
    columns = target_receipts.c
    rows = await tx.execute(
        select(target_receipts)
        .where(columns.message_id == message_id, columns.at >= since)
        .order_by(columns.at, columns.key)
        .limit(LOOKED_AT)
    )
    return [_receipt(row) for row in rows]


# --- How long they are kept -----------------------------------------------


async def receipt_days(tx: Tx) -> dict[UUID, int]:
    """Tell how many days each target keeps receipts."""
    rows = await tx.execute(select(targets.c.id, targets.c.receipt_days))
    return {row.id: row.receipt_days for row in rows}


async def targets_on(tx: Tx, day: date) -> list[UUID]:
    """List the targets that have receipts of a day; a look into the index for each."""
    start, end = _bounds(day)
    rows = await tx.execute(
        "WITH RECURSIVE found AS ("
        " (SELECT target_id FROM target_receipts WHERE at >= :start AND at < :end"
        "  ORDER BY target_id LIMIT 1)"
        " UNION ALL"
        " SELECT (SELECT r.target_id FROM target_receipts r WHERE r.target_id > found.target_id"
        "  AND r.at >= :start AND r.at < :end ORDER BY r.target_id LIMIT 1)"
        " FROM found WHERE found.target_id IS NOT NULL"
        ") SELECT target_id FROM found WHERE target_id IS NOT NULL",
        {"start": start, "end": end},
    )
    return list(rows.scalars())


async def forget_receipts(tx: Tx, day: date, target_ids: Collection[UUID]) -> None:
    """Delete targets' receipts of a day."""
    start, end = _bounds(day)
    await tx.execute(
        delete(target_receipts).where(
            target_receipts.c.target_id.in_(target_ids),
            target_receipts.c.at >= start,
            target_receipts.c.at < end,
        )
    )


def _bounds(day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time(), UTC)
    return start, start + timedelta(days=1)
