"""What the doors turned away, and who waits in the inbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from moorage.devices import Device
from moorage.ledger import RawMessage
from moorage.telemetry import State


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """One kind of refusal, counted."""

    id: UUID
    reason: str
    detail: str
    protocol: str
    address: str
    hint: str
    device_id: UUID | None
    organization_id: UUID | None
    first_at: datetime
    last_at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class ReDecode:
    """What is to be decoded anew: messages received in a period, of devices or an application."""

    start: datetime
    end: datetime
    device_ids: tuple[UUID, ...] = ()
    application_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sender that waits in the inbox.

    Attributes:
        device: what it would become.
        last: its newest message; None if the caller may not read messages, or it is gone.
        state: what could be read without a decoder; None if the caller may not read messages.
        suggested: decoders its application uses most, the most used first.
    """

    device: Device
    last: RawMessage | None
    state: State | None
    suggested: Sequence[UUID]
