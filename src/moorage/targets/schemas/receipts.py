"""Receipts, and what became of a message."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from moorage.kit.http import Instant, Out

from ..model import DeliveryState, Reason, ReceiptOutcome


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
