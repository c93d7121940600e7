"""Operations: anything sent to a device, and what it answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from moorage.kit.db import to_json


class OperationKind(StrEnum):
    """What sort of thing is sent."""

    COMMAND = "command"
    CONFIG = "config"
    MESSAGE = "message"
    INFO = "info"
    PROFILE = "profile"
    POLICY = "policy"


class OperationState(StrEnum):
    """How far an operation has come with its device."""

    PENDING = "pending"
    SENT = "sent"
    IN_PROGRESS = "inProgress"
    NOT_NOW = "notNow"
    COMPLETED = "completed"
    ERROR = "error"
    REPEATED = "repeated"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    TIMED_OUT = "timedOut"


S = OperationState
OPEN = frozenset({S.PENDING, S.SENT, S.IN_PROGRESS, S.NOT_NOW})
# What a device may say of an operation, and which of it ends the operation.
REPORTED = frozenset({S.IN_PROGRESS, S.NOT_NOW, S.COMPLETED, S.ERROR, S.REPEATED})
ANSWERED = frozenset({S.COMPLETED, S.ERROR, S.REPEATED})
# A late answer is worth keeping unless there is one already or somebody called it off.
ANSWERABLE = OPEN | {S.EXPIRED, S.TIMED_OUT}


@dataclass(frozen=True, slots=True)
class NewOperation:
    """What is asked of a device.

    Attributes:
        code: the device's own word for it, such as `reboot`.
        payload: any JSON.
        port: the port of a small radio network (0 to 255) it is meant for.
        encode: whether the device's decoder encodes it, where it can, or it goes down as JSON; None
            does as the device's application says.
        expires_in: not sent any more after this.
        answer_within: after delivery, a device that has not answered by then has timed out.
    """

    code: str
    payload: Any = None
    kind: OperationKind = OperationKind.COMMAND
    expires_in: timedelta = timedelta(days=1)
    answer_within: timedelta = timedelta(minutes=5)
    port: int | None = None
    encode: bool | None = None


@dataclass(frozen=True, slots=True)
class Encoding:
    """What a command became, once and for good; without payload and problem it goes down as JSON.

    Attributes:
        payload: the bytes that the device's decoder made of it.
        port: the port it is meant for, if any.
        decoder_id, decoder_hash: the decoder and its version, where one was run.
        problem: why the decoder made nothing, in words for a person.
        warnings: what the encoder remarked.
    """

    payload: bytes | None = None
    port: int | None = None
    decoder_id: UUID | None = None
    decoder_hash: str | None = None
    problem: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation to one device.

    Attributes:
        port, encoded: what its decoder made of it when it was asked; `encoded` is None for JSON.
        decoder_id, decoder_hash: that decoder and its version, which may be gone by now.
    """

    id: UUID
    device_id: UUID
    application_id: UUID
    organization_id: UUID
    kind: OperationKind
    code: str
    payload: Any
    state: OperationState
    attempts: int
    expires_at: datetime
    answer_within: timedelta
    sent_at: datetime | None
    delivered_at: datetime | None
    finished_at: datetime | None
    result: Any
    problem: str | None
    port: int | None
    encoded: bytes | None
    decoder_id: UUID | None
    decoder_hash: str | None
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class Claimed:
    """An operation taken for sending.

    Attributes:
        device, device_id: the device, by its number in the message path and by its id.
        attempts: over 1, it may have been sent before.
    """

    id: UUID
    device: int
    device_id: UUID
    kind: OperationKind
    code: str
    payload: Any
    expires_at: datetime
    attempts: int
    port: int | None
    encoded: bytes | None

    def body(self) -> bytes:
        """Give what the device is sent: bytes of its decoder, or JSON with the id in it."""
        if self.encoded is not None:
            return self.encoded
        sent = {
            "id": self.id,
            "kind": self.kind,
            "code": self.code,
            "payload": self.payload,
            "expiresAt": self.expires_at,
        }
        return to_json(sent).encode()


@dataclass(frozen=True, slots=True)
class OperationFilter:
    """What a list of operations is narrowed by; None means not."""

    device_id: UUID | None = None
    application_id: UUID | None = None
    organization_id: UUID | None = None
    states: tuple[OperationState, ...] = ()
    code: str | None = None
