"""Receipts, one by one and as exports."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from moorage.kit.http import Instant, Out

from ..model import DeliveryState, Reason, Receipt, ReceiptOutcome

NDJSON = "application/x-ndjson"
CSV = "text/csv"
_Batches = AsyncIterator[Sequence[Receipt]]


class ReceiptOut(Out):
    """That a delivery was accepted or given up; of one key the last receipt counts."""

    at: Instant
    day: Annotated[date, Field(description="The day of the statement that it counts for.")]
    device_id: Annotated[UUID | None, Field(description="Null once the device is removed.")]
    device_name: str | None
    message_id: UUID
    key: Annotated[UUID, Field(description="The idempotency key that the target was shown.")]
    outcome: ReceiptOutcome
    reason: Annotated[Reason | None, Field(description="Why it was given up.")]
    status: int | None
    attempts: int
    detail: str


class DeliveryOut(Out):
    """What became of a message at one target.

    It waits, or the newest receipt says it. `not_connected`: no route took it; `unknown`: receipts
    of its time are not kept. `receipts` tell the whole story, the oldest first.
    """

    target_id: UUID
    target_name: str
    state: DeliveryState
    at: Instant | None
    receipts: list[ReceiptOut]


_COLUMNS = list(ReceiptOut.model_json_schema(by_alias=True)["properties"])


async def lines_of(batches: _Batches) -> AsyncIterator[bytes]:
    """Write an export as JSON lines."""
    async for batch in batches:
        shown = (ReceiptOut.model_validate(one).model_dump_json(by_alias=True) for one in batch)
        yield "".join(f"{line}\n" for line in shown).encode()


async def csv_of(batches: _Batches) -> AsyncIterator[bytes]:
    """Write an export as CSV (RFC 4180)."""
    yield _csv([_COLUMNS])
    async for batch in batches:
        shown = (ReceiptOut.model_validate(r).model_dump(mode="json", by_alias=True) for r in batch)
        yield _csv([[_cell(one[column]) for column in _COLUMNS] for one in shown])


def _csv(rows: Sequence[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    """Keep a spreadsheet from taking a text for a formula."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
