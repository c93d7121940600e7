"""Bodies of the routes about messages in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field, Strict

from moorage.devices import SENDER, Connectivity, DeviceKind
from moorage.kit.http import Body, Id, Instant, Out, Stamped
from moorage.ledger import RawMessage
from moorage.tasks import TaskState

from .model import ReDecode, Waiting

EXCERPT = 256


class RefusalOut(Out):
    """Something a door turned away, counted."""

    id: UUID
    reason: str
    detail: str
    protocol: str
    address: str
    hint: str
    device_id: UUID | None
    organization_id: UUID | None
    first_at: Instant
    last_at: Instant
    count: int


class ReDecodeBody(Body):
    """Messages to decode anew: received from `from` to before `to`, of devices or an application.

    Only devices that use the decoder are taken.
    """

    start: Annotated[AwareDatetime, Strict(False), Field(alias="from")]
    end: Annotated[AwareDatetime, Strict(False), Field(alias="to")]
    device_ids: Annotated[list[Id], Field(max_length=1_000)] = []
    application_id: Id | None = None

    def to_model(self) -> ReDecode:
        """Make the noun."""
        return ReDecode(self.start, self.end, tuple(self.device_ids), self.application_id)


class ReDecodeOut(Stamped):
    """A task that decodes anew, as `/tasks` shows it.

    Once it is completed, `result` has the counts of `messages` and of values `added`, `changed` and
    `removed`, a `sample` of messages before and after, and its `outcome`: `ready`, `applied` or
    `discarded`.
    """

    id: UUID
    kind: str
    subject_id: UUID
    organization_id: UUID
    application_id: UUID | None
    state: TaskState
    done: int
    total: int | None
    result: dict[str, Any] | None
    code: str | None
    problem: str | None
    finished_at: Instant | None


class ExcerptOut(Out):
    """The beginning of a message: as text where it is text, else in hexadecimal."""

    received_at: Instant
    channel: str
    content_type: str | None
    size: int
    text: str | None
    hex: str | None


class WaitingOut(Out):
    """A sender that waits in the inbox.

    `values` is what could be read of it without a decoder. `suggestedDecoderIds` are those its
    application uses most.
    """

    id: UUID
    application_id: UUID
    organization_id: UUID
    sender: str
    kind: DeviceKind
    first_seen_at: Instant
    last_seen_at: Instant | None
    connected: bool
    message_count: int | None
    last_message: ExcerptOut | None
    values: dict[str, float | bool | str]
    suggested_decoder_ids: list[UUID]


def waiting_out(waiting: Waiting) -> WaitingOut:
    """Show who waits."""
    device, state = waiting.device, waiting.state
    names = [identifier.value for identifier in device.identifiers if identifier.kind == SENDER]
    return WaitingOut(
        id=device.id,
        application_id=device.application_id,
        organization_id=device.organization_id,
        sender=names[0] if names else device.name,
        kind=device.kind,
        first_seen_at=device.created_at,
        last_seen_at=device.last_seen_at,
        connected=device.connectivity is Connectivity.CONNECTED,
        message_count=None if state is None else state.message_count,
        last_message=None if waiting.last is None else _excerpt(waiting.last),
        values={} if state is None else {one.series: one.value for one in state.latest},
        suggested_decoder_ids=list(waiting.suggested),
    )


def _excerpt(message: RawMessage) -> ExcerptOut:
    start = message.payload[:EXCERPT]
    text = start.decode("utf-8", "ignore")
    # The cut may go through a character, of at most four bytes.
    whole = len(start) - len(text.encode()) < 4 and all(
        c.isprintable() or c in "\r\n\t" for c in text
    )
    readable = whole and bool(text or not start)
    return ExcerptOut(
        received_at=datetime.fromtimestamp(message.received_us / 1_000_000, UTC),
        channel=message.channel,
        content_type=message.content_type or None,
        size=len(message.payload),
        text=text if readable else None,
        hex=None if readable else start.hex(),
    )
