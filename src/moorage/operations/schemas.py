"""Bodies of the operations' routes."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, Strict

from moorage.kit.http import Body, Duration, Instant, Stamped

from .model import NewOperation, OperationKind, OperationState

Kind = Annotated[OperationKind, Strict(False)]


class OperationBody(Body):
    """Something asked of a device."""

    code: Annotated[
        str,
        Field(
            min_length=1,
            max_length=100,
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$",
            description="The device's own word for it.",
            examples=["reboot"],
        ),
    ]
    payload: Any = None
    kind: Kind = OperationKind.COMMAND
    expires_in: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=365))] = (
        timedelta(days=1)
    )
    answer_within: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=30))] = (
        timedelta(minutes=5)
    )

    def to_model(self) -> NewOperation:
        """Make the noun."""
        return NewOperation(self.code, self.payload, self.kind, self.expires_in, self.answer_within)


class OperationOut(Stamped):
    """One operation to one device."""

    id: UUID
    device_id: UUID
    application_id: UUID
    organization_id: UUID
    kind: OperationKind
    code: str
    payload: Any
    state: OperationState
    attempts: int
    expires_at: Instant
    answer_within: Duration
    sent_at: Instant | None
    delivered_at: Instant | None
    finished_at: Instant | None
    result: Any
    problem: str | None
